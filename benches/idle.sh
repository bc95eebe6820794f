#!/usr/bin/env bash
# What a minute costs in which nothing is due.
#
# Run by hand, after `cargo build --release`:
#
#     benches/idle.sh [path of the program]
#
# Makes a platform in a temporary folder (the tables of tests/data/platform-sqlite.sql, with no index more than those:
# 1,000,000 enrollments, 100,000 users and profiles, 10,000 sessions over a year), migrates it, and measures
# `reminders send` beside the sqlite3 shell, which runs the query that asks whether anything is due: medians of 11 runs
# of CPU time (user + system), elapsed time and peak memory. Four times: with a rollback journal and a write-ahead log,
# each with a ledger of one finished reminder and with one that holds the sessions of the last eight days. strace, if
# there is one, then shows that an idle pass writes, makes and removes no file; the lock's time of change is all it sets.
#
# Needs bash, python3, the sqlite3 shell and GNU time. Ends with 1 when a limit is broken: 15 MB, 3 times the shell's CPU
# time, or a write.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-${CARGO_TARGET_DIR:-$root/target}/release/reminders}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
db=$folder/platform.sqlite
export HOME=$folder
broken=0

# The system calls that change a file or a folder (opening one only with O_CREAT or O_TRUNC).
CHANGING=open,openat,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,fallocate,unlink,unlinkat,rename,renameat
CHANGING+=,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat,chmod,fchmod,chown,fchown,utimensat

cat > "$folder/.env" <<'ENV'
APP_TIMEZONE=UTC
DB_DATABASE=platform.sqlite
MAIL_MAILER=file
MAIL_FILE_DIR=mails
MAIL_FROM_ADDRESS=halo@kursuskita.test
WHATSAPP_TRANSPORT=file
WHATSAPP_FILE_DIR=messages
ENV

platform() {
    sqlite3 "$db" < "$root/tests/data/platform-sqlite.sql"
    # Nothing starts around an hour from now, for as long as this takes.
    sqlite3 "$db" <<'SQL'
PRAGMA synchronous = OFF;
BEGIN;
INSERT INTO courses (id, title) SELECT value, 'Kursus ' || value FROM generate_series(1, 1000);
INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url)
    SELECT value, 1 + value % 1000, 'Sesi ' || value, 'online',
        datetime('now', '-180 days', (value * 3153) || ' seconds'), 'https://meet.example.org/' || value
    FROM generate_series(1, 10000);
DELETE FROM course_sessions
    WHERE scheduled_at BETWEEN datetime('now', '+40 minutes') AND datetime('now', '+120 minutes');
INSERT INTO users (id, name, email) SELECT value, 'Peserta ' || value, 'p' || value || '@example.org'
    FROM generate_series(1, 100000);
INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in)
    SELECT value, '0812' || (10000000 + value), value % 2 FROM generate_series(1, 100000);
INSERT INTO enrollments (user_id, course_id, status)
    SELECT 1 + value / 10, 1 + (value * 7 + value / 10) % 1000, 'active' FROM generate_series(0, 999999);
COMMIT;
SQL
    (cd "$folder" && "$program" migrate > /dev/null)
    sqlite3 "$db" <<'SQL'
INSERT INTO session_reminder_deliveries
    (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status, created_at, updated_at)
    VALUES (0, 1, 'mail', 'reminder', 60, datetime('now', '-1 hour'), 'sent', datetime('now'), datetime('now'));
SQL
}

# A ledger that knows every session of the last eight days.
busy_week() {
    sqlite3 "$db" <<'SQL'
DELETE FROM session_reminder_deliveries;
INSERT INTO session_reminder_deliveries
    (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status, created_at, updated_at)
    SELECT id, 1, 'mail', 'reminder', 60, scheduled_at, 'sent', datetime('now', '-8 days'), datetime('now', '-8 days')
    FROM course_sessions WHERE scheduled_at BETWEEN datetime('now', '-9 days') AND datetime('now', '+40 minutes');
SQL
}

# The question of an idle pass, as the program asks it.
due_query() {
    cat <<'SQL'
SELECT EXISTS (SELECT * FROM session_participants p
    WHERE p.scheduled_at BETWEEN datetime('now', '+55 minutes') AND datetime('now', '+65 minutes')
    AND (NOT EXISTS (SELECT * FROM session_reminder_deliveries l WHERE l.course_session_id = p.session_id
            AND l.user_id = p.user_id AND l.channel = 'mail' AND l.kind = 'reminder' AND l.lead_minutes BETWEEN 50 AND 70
            AND l.scheduled_at = p.scheduled_at AND l.status <> 'cancelled')
        OR p.whatsapp_opt_in = 1
        AND NOT EXISTS (SELECT * FROM session_reminder_deliveries l WHERE l.course_session_id = p.session_id
            AND l.user_id = p.user_id AND l.channel = 'whatsapp' AND l.kind = 'reminder'
            AND l.lead_minutes BETWEEN 50 AND 70 AND l.scheduled_at = p.scheduled_at AND l.status <> 'cancelled')));
SQL
}

# Median CPU and elapsed milliseconds and peak KiB of 11 runs of each command, taken in turn.
compare() {
    (cd "$folder" && python3 - "$program" "$db" "$(due_query)" <<'PYTHON'
import os, statistics, subprocess, sys, time

program, db, query = sys.argv[1:]
commands = {"reminders send": [program, "send"], "sqlite3": ["sqlite3", db, query]}

def run(command):
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, (command, status)
    return (usage.ru_utime + usage.ru_stime) * 1000, (time.perf_counter() - start) * 1000

def peak(command):
    # Not from wait4: a process starts with the peak of the one that started it.
    timed = subprocess.run(["/usr/bin/time", "-f", "%M", *command], capture_output=True, text=True)
    return int(timed.stderr.split()[-1])

times = {name: [] for name in commands}
peaks = {name: [] for name in commands}
for turn in range(12):
    for name, command in commands.items():
        taken = run(command), peak(command)
        if turn:  # the first fills the page cache
            times[name].append(taken[0])
            peaks[name].append(taken[1])
cpu = {}
for name in commands:
    cpu[name] = statistics.median(t[0] for t in times[name])
    wall = statistics.median(t[1] for t in times[name])
    memory = statistics.median(peaks[name]) / 1024
    print(f"  {name:<16} {cpu[name]:7.2f} ms CPU {wall:7.2f} ms elapsed {memory:6.1f} MB peak")
ratio = cpu["reminders send"] / cpu["sqlite3"]
print(f"  {'':<16} {ratio:7.2f} times the shell's CPU time")
sys.exit(ratio > 3 or statistics.median(peaks["reminders send"]) > 15 * 1024)
PYTHON
    ) || broken=1
}

# Names, sizes and times of everything in the folder, the lock apart.
state() {
    find "$folder" ! -name '*.lock' -printf '%P %s %T@\n' | sort
}

writes_nothing() {
    local before calls
    before=$(state)
    (cd "$folder" && "$program" send)
    if [ "$before" != "$(state)" ]; then
        echo "  an idle pass has changed files:"
        diff <(echo "$before") <(state) || true
        broken=1
    fi
    command -v strace > /dev/null || return 0
    calls=$(cd "$folder" && strace -f -y -qq -o /dev/stdout -e "trace=$CHANGING" "$program" send |
        awk '!/open(at)?\(/ || /O_CREAT|O_TRUNC/')
    echo "$calls" | sed 's/^/  strace: /'
    if echo "$calls" | grep -v '^$' | grep -qv 'utimensat(.*\.lock'; then
        broken=1
    fi
}

echo "making a platform with a million enrollments in $folder"
platform
for journal in delete wal; do
    for ledger in "one finished reminder" "eight days of sessions"; do
        [ "$ledger" = "one finished reminder" ] || busy_week
        sqlite3 "$db" "PRAGMA journal_mode = $journal" > /dev/null
        echo "$journal journal, a ledger of $ledger:"
        compare
        writes_nothing
    done
    sqlite3 "$db" "DELETE FROM session_reminder_deliveries WHERE id > (SELECT min(id) FROM session_reminder_deliveries);
        UPDATE session_reminder_deliveries SET created_at = datetime('now')"
done
exit $broken
