#!/bin/sh
# Makes the Debian package of a binary with all back ends, looks at what is in it, installs it on this machine, uses it, installs
# it again, and removes it, leaving nothing behind. As root or with sudo; not where the package is in use.
#
#     sh tests/package.sh target/release/reminders
set -eu
binary=$(realpath "${1:-target/debug/reminders}")
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
# Waits for another apt to end; keeps what was edited; adds nothing, and takes nothing away, that was not asked for.
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" >"$work/apt" 2>&1 ||
        { cat "$work/apt" && fail "apt-get $*"; }
}
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
is() { [ "$2" = "$3" ] || fail "$1 is '$2' in place of '$3'"; }
# What a directory entry is to others: owner, group and mode.
access() { as_root stat -c '%U:%G %a' "$1"; }

state=/var/lib/reminders
for mine in /etc/reminders /etc/cron.d/reminders $state; do
    if [ -e $mine ]; then
        echo "reminders is in use on this machine ($mine): its package is not tested" >&2
        exit 0
    fi
done

work=$(mktemp -d)
chmod 755 "$work"
known=$(getent passwd reminders || true)
clean() {
    as_root dpkg --purge reminders >/dev/null 2>&1 || true
    as_root rm -rf $state /etc/reminders /etc/cron.d/reminders
    [ -n "$known" ] || as_root deluser --quiet --system reminders >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

echo "What is in the package:"
package=$PWD/$(sh packaging/build.sh "$binary")
dpkg-deb -x "$package" "$work/content"
share=$work/content/usr/share
gunzip "$share"/man/man1/*.gz
mandoc -Tlint -Werror "$share"/man/man1/*.1
[ -e "$share/man/man1/reminders-send.1" ] || fail "no manual page of send"
bash -n "$share/bash-completion/completions/reminders"
zsh -n "$share/zsh/vendor-completions/_reminders"
fish --no-execute "$share/fish/vendor_completions.d/reminders.fish"
# What bash offers after `reminders che`.
offered=$(bash -c '. "$1"; COMP_WORDS=(reminders che); COMP_CWORD=1; _reminders reminders che reminders; echo "${COMPREPLY[*]}"' \
    bash "$share/bash-completion/completions/reminders")
is "the completion of che" "$offered" check

echo "Installed:"
apt install --no-remove "$package"
is version "$(/usr/bin/reminders --version)" "$("$binary" --version)"
is "access to the settings" "$(access /etc/reminders/env)" "root:reminders 640"
is "access to the state" "$(access $state)" "reminders:reminders 755"
as_root systemd-analyze --man=no verify reminders.service reminders.timer 2>"$work/verify" || fail "$(cat "$work/verify")"
! grep reminders "$work/verify" || fail "systemd-analyze has something to say"
systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/reminders.service >"$work/security" 2>&1 ||
    fail "$(cat "$work/security")"
# Neither has been switched on.
enabled() { systemctl is-enabled reminders.timer || true; }
is "the timer" "$(enabled)" disabled
! grep '^\*' /etc/cron.d/reminders || fail "cron has been switched on"

echo "Used:"
as_service() { as_root runuser -u reminders -- env -i PATH=/usr/bin:/bin STATE_DIRECTORY=$state "$@"; }
as_root tee -a /etc/reminders/env >/dev/null <<SETTINGS
APP_TIMEZONE=Asia/Jakarta
DATABASE_URL=sqlite:///$state/lms.sqlite
MAIL_MAILER=file
MAIL_FILE_DIR=$state/mails
MAIL_FROM_ADDRESS=info@kursus.example
SETTINGS
as_root cp -p /etc/reminders/env "$work/edited"
as_service /usr/bin/reminders --env-file /etc/reminders/env migrate >/dev/null
as_service /usr/bin/reminders --env-file /etc/reminders/env check --offline >"$work/check" || fail "$(cat "$work/check")"
# The command of the cron file, as the file says to switch it on.
as_root sh -c "$(sed -n 's/^#   sudo \(sed .*\)/\1/p' /etc/cron.d/reminders)"
line=$(sed -n 's/^\* \* \* \* \* reminders //p' /etc/cron.d/reminders)
[ -n "$line" ] || fail "cron is still off"
is "what a pass says" "$(as_service sh -c "$line" 2>&1)" ""
is "the number of locks" "$(as_root find $state -name '*.lock' | wc -l)" 1
as_root systemctl --quiet enable reminders.timer
is "the timer" "$(enabled)" enabled

echo "Installed again, in a version with other settings:"
dpkg-deb -R "$package" "$work/newer"
sed -i 's/^Version: .*/Version: 999/' "$work/newer/DEBIAN/control"
echo '# new' | tee -a "$work/newer/etc/reminders/env" >>"$work/newer/etc/cron.d/reminders"
dpkg-deb --root-owner-group --build "$work/newer" "$work/newer.deb" >/dev/null
apt install --no-remove "$work/newer.deb"
as_root cmp /etc/reminders/env "$work/edited"
is "access to the settings" "$(access /etc/reminders/env)" "root:reminders 640"
is "the timer" "$(enabled)" enabled
grep -q '^\*' /etc/cron.d/reminders || fail "cron has been switched off"

echo "Removed:"
apt remove reminders
[ ! -e /usr/bin/reminders ] || fail "the program is still there"
as_root cmp /etc/reminders/env "$work/edited"
[ -z "$(find /etc/systemd/system -name 'reminders*')" ] || fail "the timer is still on"
is "what cron's line says without a program" "$(as_service sh -c "$line" 2>&1)" ""
apt purge reminders
[ ! -e /etc/reminders ] && [ ! -e /etc/cron.d/reminders ] || fail "settings are still there"
is "the number of locks" "$(as_root find $state -name '*.lock' | wc -l)" 0
is "access to the database" "$(access $state/lms.sqlite | cut -d' ' -f1)" "reminders:reminders"
echo "The package is as it should be."
