#!/usr/bin/env bash
# What the guarantees cost: the program beside itself without them.
#
# Run by hand, on a machine that has nothing else to do:
#
#     benches/guarantees.sh
#     MAILS=2000 RUNS=3 CONNECTIONS=4 benches/guarantees.sh
#
# Builds the program twice, as it is and with benches/guarantees/without.patch, which takes away the claims and the records:
# that one reads who is due once, delivers, and writes nothing down. Both render and hand over MAILS (10,000) mails over
# CONNECTIONS (16) to Postfix's smtp-sink on this machine, which answers at once: no real mail server leaves the ledger less time.
# The ledger is SQLite's as `migrate` makes it, with a write-ahead log and synchronous=FULL. The two take turns, RUNS (5) times.
#
#     mails/s     median, and the lowest and highest
#     CPU ms      user + system of the program per mail, median; the sink shares the cores
#
# Each run with guarantees is verified: every row of the ledger is `sent` at its first attempt. Ends with 1 when one is not, or
# when the guarantees cost more than a quarter of the throughput.
#
# Needs bash, python3, patch, the sqlite3 shell and smtp-sink (Debian: postfix).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
folder=$(mktemp -d)
chmod 711 "$folder"
PATH=$PATH:/usr/sbin
sink=0
trap '[ "$sink" = 0 ] || kill "$sink"; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

build() {
    mkdir "$folder/source"
    (cd "$root" && cp -a Cargo.toml Cargo.lock src migrations tests "$folder/source/")
    patch -d "$folder/source" -p1 --no-backup-if-mismatch < "$root/benches/guarantees/without.patch"
    (cd "$root" && cargo build --release --locked)
    (cd "$folder/source" && CARGO_TARGET_DIR=$target/without-guarantees cargo build --release --locked)
}

build >&2
export MAILS=${MAILS:-10000} RUNS=${RUNS:-5} CONNECTIONS=${CONNECTIONS:-16}
export PORT
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
if [ "$(id -u)" = 0 ]; then user=(-u nobody); else user=(); fi
smtp-sink "${user[@]}" "127.0.0.1:$PORT" 256 &
sink=$!
python3 "$root/benches/guarantees/measure.py" "$root" "$folder" "$target/release/reminders" \
    "$target/without-guarantees/release/reminders"
