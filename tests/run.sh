#!/bin/sh
# Passes all tests on all three databases, from a fresh clone on Debian or Ubuntu with a Rust toolchain. Installs with apt
# what is missing, as root or with sudo; ends with an error when something cannot be had. The tests start database servers of
# their own: none that runs already is used, and none is left running.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

PATH=$PATH:$HOME/.cargo/bin:/usr/sbin
if ! command -v cargo >/dev/null; then
    # Under sudo the toolchain is that of the user who called it.
    if [ "$(id -u)" = 0 ] && [ "${SUDO_USER:-root}" != root ]; then
        exec sudo -H -u "$SUDO_USER" sh tests/run.sh
    fi
    echo "cargo is missing: install Rust 1.89 or newer from https://rustup.rs" >&2
    exit 1
fi

missing=
needs() { missing="$missing $*"; }
# The bundled SQLite is compiled from C; the clients of the others are found by pkg-config.
echo '#include <stdio.h>' | cc -fsyntax-only -x c - 2>/dev/null || needs gcc libc6-dev
command -v pkg-config >/dev/null || needs pkg-config
pkg-config --exists libpq 2>/dev/null || needs libpq-dev
pkg-config --exists libmariadb 2>/dev/null || needs libmariadb-dev
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || needs postgresql
# The server's and the installer's programs alone, without a service.
command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null && command -v my_print_defaults >/dev/null ||
    needs mariadb-server-core mariadb-client-core

# A clock that runs faster, for passes of ten minutes.
command -v faketime >/dev/null || needs faketime

# A browser that looks at the mails. Ubuntu has one as a snap alone, which may not even see the tests' files.
if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
    if grep -q '^ID=ubuntu' /etc/os-release; then
        echo "no browser: the mails are not looked at (install Google Chrome for that)" >&2
        export REMINDERS_TEST_WITHOUT=browser
    else
        needs chromium
    fi
fi

# For the Debian package: what it is made with, who looks at its pages, completions and units, and what it needs once installed.
command -v dpkg-shlibdeps >/dev/null || needs dpkg-dev
command -v mandoc >/dev/null || needs mandoc
command -v zsh >/dev/null || needs zsh
command -v fish >/dev/null || needs fish
command -v systemd-analyze >/dev/null || needs systemd
command -v adduser >/dev/null || needs adduser
[ -e /etc/ssl/certs/ca-certificates.crt ] || needs ca-certificates

# While this is there, installing PostgreSQL makes no database on the default port, and starts no server.
no_cluster=/etc/postgresql-common/createcluster.d/reminders-tests.conf
if [ -n "$missing" ]; then
    as_root mkdir -p "${no_cluster%/*}"
    trap 'as_root rm -f "$no_cluster"' EXIT
    echo 'create_main_cluster = off' | as_root tee "$no_cluster" >/dev/null
    as_root apt-get update
    # Never at the price of what is installed: MySQL's server and MariaDB's exclude each other.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove $missing
    as_root rm -f "$no_cluster"
    trap - EXIT
fi

# Checks the metrics file. Its package is a server's, which installing it would start: promtool alone is unpacked.
tools=$PWD/target/tools
if ! command -v promtool >/dev/null && ! [ -x "$tools/usr/bin/promtool" ]; then
    mkdir -p "$tools"
    (cd "$tools" && { apt-get download prometheus || { as_root apt-get update && apt-get download prometheus; }; })
    dpkg-deb --fsys-tarfile "$tools"/prometheus_*.deb | tar -x -C "$tools" ./usr/bin/promtool
    rm "$tools"/prometheus_*.deb
fi
PATH=$PATH:$tools/usr/bin

export REMINDERS_TEST_REQUIRE=all
cargo test --locked --features full
for database in postgres mysql; do
    echo "The same on $database:"
    REMINDERS_TEST_DATABASE=$database cargo test --locked --features full --test integration
done

# What takes minutes.
cargo test --locked --features full --test integration -- --ignored

# The other builds: the default one says what it does not serve, those of one server alone keep compiling.
cargo test --locked --test integration -- config:: back_ends::
for back_end in postgres mysql; do
    cargo check --locked --no-default-features --features "$back_end"
done

# The Debian package, of a binary that is quicker to build than that of a release. Plain cargo test has left another one there.
cargo build --locked --features full
sh tests/package.sh target/debug/reminders
