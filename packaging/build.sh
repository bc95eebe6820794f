#!/bin/sh
# Makes a Debian package of a binary with all back ends, and prints its path:
#
#     cargo build --release --locked --features full && sh packaging/build.sh target/release/reminders
#
# Needs dpkg-dev and binutils. DEBFULLNAME and DEBEMAIL, as other Debian tools know them, name the maintainer. The manual pages
# and completions come from the binary itself.
set -eu
binary=$(realpath "${1:-target/release/reminders}")
cd "$(dirname "$0")/.."

version=$("$binary" --version)
case $version in
*'(sqlite, postgres, mysql)') ;;
*)
    echo "$version: the package has all back ends, build with --features full" >&2
    exit 1
    ;;
esac
version=${version#reminders }
version=${version%% *}
architecture=$(dpkg --print-architecture)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
package=$work/debian/reminders
share=$package/usr/share
doc=$share/doc/reminders
put() { install -D -m "$1" "$2" "$package/$3"; }

mkdir -p "$package/usr/bin" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d" "$share/bash-completion/completions"
strip -o "$package/usr/bin/reminders" "$binary"
chmod 755 "$package/usr/bin/reminders"
"$binary" man "$share/man/man1"
"$binary" completions bash >"$share/bash-completion/completions/reminders"
"$binary" completions zsh >"$share/zsh/vendor-completions/_reminders"
"$binary" completions fish >"$share/fish/vendor_completions.d/reminders.fish"

put 640 packaging/env etc/reminders/env
put 644 packaging/cron etc/cron.d/reminders
put 644 packaging/reminders.service usr/lib/systemd/system/reminders.service
put 644 packaging/reminders.timer usr/lib/systemd/system/reminders.timer

for file in README.md README.id.md crontab.example docs/*.md docs/pictures/*; do put 644 "$file" "usr/share/doc/reminders/$file"; done
put 644 .env.example usr/share/doc/reminders/env.example
put 644 crontab.example usr/share/doc/reminders/crontab.example
put 644 CHANGELOG.md usr/share/doc/reminders/changelog
# As these two are called here.
sed -i 's/(CHANGELOG\.md)/(changelog.gz)/; s/`\.env\.example`/`env.example`/' "$doc"/README*.md "$doc/docs/configuration.md"
gzip -9n "$doc/changelog" "$share"/man/man1/*
{
    echo 'Apache-2.0 (/usr/share/common-licenses/Apache-2.0) or MIT, as you like:'
    echo
    cat LICENSE-MIT
} >"$doc/copyright"

mkdir "$package/DEBIAN"
# Which versions of which libraries the binary needs.
printf 'Source: reminders\n\nPackage: reminders\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O debian/reminders/usr/bin/reminders)

for script in postinst prerm postrm; do put 755 "packaging/$script" "DEBIAN/$script"; done
printf '%s\n' /etc/reminders/env /etc/cron.d/reminders >"$package/DEBIAN/conffiles"
(cd "$package" && find usr -type f -exec md5sum {} +) >"$package/DEBIAN/md5sums"
cat >"$package/DEBIAN/control" <<CONTROL
Package: reminders
Version: $version
Architecture: $architecture
Maintainer: ${DEBFULLNAME:-The reminders authors} <${DEBEMAIL:-root@localhost}>
Installed-Size: $(du -sk "$package" | cut -f1)
Depends: ${libraries#shlibs:Depends=}, adduser, ca-certificates
Suggests: cron-daemon, mail-transport-agent, bash-completion
Section: web
Priority: optional
Description: reminders of course sessions by email and WhatsApp
 Tells every participant of a course session, one hour before it starts, by
 email and by WhatsApp. Works on the database of a Laravel course platform
 (SQLite, PostgreSQL, MySQL or MariaDB), started every minute by cron or a
 systemd timer.
CONTROL

mkdir -p target/debian
file=target/debian/reminders_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$package" "$file" >/dev/null
echo "$file"
