#!/bin/sh
# Makes the pictures of the built-in mails in docs/pictures, each by day and by night. To be run after a change of the HTML
# templates; needs chromium (apt-get install chromium).
set -eu
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/env" <<'END'
APP_NAME="Kursus Kita"
APP_URL=https://kursus.example.org
APP_TIMEZONE=Asia/Jakarta
MAIL_MAILER=log
END

# name, language, kind, width, height
picture() {
    cargo run --quiet -- --env-file "$folder/env" preview --sample --locale "$2" --kind "$3" \
        --now 2026-11-23T15:55:00+07:00 --html "$folder/mail.html" >/dev/null
    mail=$(sed 's/&/\&amp;/g; s/"/\&quot;/g' "$folder/mail.html")
    {
        echo '<!doctype html><meta charset="utf-8"><body style="margin:0;display:flex;gap:8px;background:#94a3b8">'
        for scheme in light dark; do
            echo "<iframe style='border:0;width:$4px;height:$5px;color-scheme:$scheme' srcdoc=\"$mail\"></iframe>"
        done
    } >"$folder/page.html"
    # As root there is no sandbox; the page is our own.
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/profile" \
        --run-all-compositor-stages-before-draw --virtual-time-budget=1000 \
        --window-size=$(($4 * 2 + 8)),"$5" --screenshot="$PWD/docs/pictures/$1.png" "file://$folder/page.html" 2>/dev/null
}

picture mail-id-360 id reminder 360 640
picture mail-en-800 en reminder 800 580
picture moved-id-360 id moved 360 700
picture cancelled-en-360 en cancelled 360 470
