#!/bin/sh
# Passes all tests, from a fresh clone on Debian or Ubuntu with a Rust toolchain. Installs with apt what is missing, as root
# or with sudo; ends with an error when something cannot be had.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

PATH=$PATH:$HOME/.cargo/bin
if ! command -v cargo >/dev/null; then
    # Under sudo the toolchain is that of the user who called it.
    if [ "$(id -u)" = 0 ] && [ "${SUDO_USER:-root}" != root ]; then
        exec sudo -H -u "$SUDO_USER" sh tests/run.sh
    fi
    echo "cargo is missing: install Rust 1.89 or newer from https://rustup.rs" >&2
    exit 1
fi

# The bundled SQLite is compiled from C.
if ! echo '#include <stdio.h>' | cc -fsyntax-only -x c - 2>/dev/null; then
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev
fi

exec cargo test --locked
