#!/bin/sh
# Draws docs/pictures/demo.svg, the README's picture of a terminal, from what `reminders demo` and `reminders explain` really
# print there. To be run after a change of what they print.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet
PATH=$PWD/target/debug:$PATH
picture=$PWD/docs/pictures/demo.svg

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Shows a command, runs it in a terminal of 80 columns, and keeps of its lines those that sed selects. `…` stands for the others.
run() {
    printf '\033[1m$ %s\033[0m\n' "$1"
    script --quiet --return --command "stty cols 80; $1" /dev/null >output </dev/null
    tr -d '\r' <output | sed -n "$2"
}
{
    run 'reminders demo' '1,/Dewi/p'
    echo …
    sed -n '/One of the WhatsApp/,/Bergabung/p' output
    echo …
    echo
    run 'cd reminders-demo && reminders explain 1 siti@example.org' '/whatsapp opt in/i …
/whatsapp opt in/p; /was told by mail/{i …
p}'
} | tr -d '\r' >screen
[ "$(wc -l <screen)" -le 32 ] || { echo "more lines than a picture can have" >&2 && exit 1; }

awk '
# Escapes of colour become spans, which a reset ends all of.
function drawn(line,    out, code, open) {
    gsub(/&/, "\\&amp;", line); gsub(/</, "\\&lt;", line)
    while (match(line, /\033\[[0-9;]*m/)) {
        code = substr(line, RSTART + 2, RLENGTH - 3)
        out = out substr(line, 1, RSTART - 1)
        line = substr(line, RSTART + RLENGTH)
        if (code + 0 > 0) { out = out "<tspan class=\"c" code "\">"; open++ }
        else while (open > 0) { out = out "</tspan>"; open-- }
    }
    while (open-- > 0) line = line "</tspan>"
    return out line
}
{ lines[NR] = drawn($0) }
END {
    height = NR * 20 + 60
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"740\" height=\"" height "\" viewBox=\"0 0 740 " height "\">"
    print "<style>"
    print "text { font: 14px/20px monospace; fill: #e2e8f0; white-space: pre }"
    print ".c1 { font-weight: bold; fill: #ffffff } .c32 { fill: #4ade80 } .c31 { fill: #f87171 } .c33 { fill: #facc15 } .c2 { fill: #94a3b8 }"
    print "</style>"
    print "<rect width=\"740\" height=\"" height "\" rx=\"8\" fill=\"#0f172a\"/>"
    print "<circle cx=\"20\" cy=\"20\" r=\"6\" fill=\"#f87171\"/><circle cx=\"40\" cy=\"20\" r=\"6\" fill=\"#facc15\"/><circle cx=\"60\" cy=\"20\" r=\"6\" fill=\"#4ade80\"/>"
    for (i = 1; i <= NR; i++)
        print "<text x=\"20\" y=\"" i * 20 + 36 "\" xml:space=\"preserve\">" lines[i] "</text>"
    print "</svg>"
}' screen >"$picture"
cat screen
