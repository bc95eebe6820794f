#!/bin/sh
# Holds what we ask of Twilio, and what the tests' stand-in answers, against Twilio's own description of its API. Not part of
# tests/run.sh, since that description is no package of any registry:
#
#     tests/openapi.sh twilio_api_v2010.json
#
# The file is spec/json/twilio_api_v2010.json of https://github.com/twilio/twilio-oai. Runs the tests that speak with Twilio
# and checks every exchange with openapi-core (from PyPI, in an environment of its own). Needs python3 with venv.
set -eu
specification=$(realpath "$1")
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet 'openapi-core==0.23.*'
REMINDERS_TEST_EXCHANGES=$folder/exchanges cargo test --locked --test integration -- whatsapp:: follow_up:: twilio_errors:: corrections::
"$folder/python/bin/python" tests/openapi.py "$specification" "$folder/exchanges"
