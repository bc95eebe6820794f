#!/bin/sh
# How fast it is, beside what one would use instead: every row that docs/performance.md explains.
#
# Run by hand, on Debian or Ubuntu with a Rust toolchain, on a machine that has nothing else to do:
#
#     benches/compare.sh                  all rows, medians of 5 runs
#     benches/compare.sh burst latency    these alone: burst, latency, whatsapp, idle, volume, ledger
#     benches/compare.sh --quick          small numbers and one run, to see that it works; judges no number
#     benches/compare.sh --build          clean builds alone, which take minutes; with rows, these too
#
# Installs with apt what is missing, as root or with sudo, and builds the program with its default features. REMINDERS names
# another build in its place (`ledger` makes its other one with the default features all the same), RUNS another number of
# runs, TMPDIR another folder for the databases: on a disk, not in memory.
#
# Every run is verified: the mail server took exactly what was due, and the ledger has each row as sent at its first
# attempt; a run without a clock shows that each participant got one. Ends with 1 when that is not so, or a number is not
# as wanted.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:$HOME/.cargo/bin:/usr/sbin

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=
needs() {
    command -v "$1" > /dev/null || missing="$missing $2"
}
needs python3 python3
needs sqlite3 sqlite3
needs smtp-sink postfix
needs strace strace
needs patch patch
needs node nodejs
[ -x /usr/bin/time ] || missing="$missing time"
[ -d /usr/share/nodejs/nodemailer ] || missing="$missing node-nodemailer"
echo '#include <stdio.h>' | cc -fsyntax-only -x c - 2> /dev/null || missing="$missing gcc libc6-dev"
if [ -n "$missing" ]; then
    as_root apt-get update >&2
    # Two of its programs are wanted, not a mail server.
    echo 'postfix postfix/main_mailer_type select No configuration' | as_root debconf-set-selections
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove $missing >&2
fi

if [ -z "${REMINDERS:-}" ]; then
    (cd "$root" && cargo build --release --locked) >&2
    REMINDERS=${CARGO_TARGET_DIR:-$root/target}/release/reminders
fi
export REMINDERS
exec python3 "$root/benches/compare/main.py" "$@"
