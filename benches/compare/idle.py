"""A minute in which nothing is due, beside the sqlite3 shell that asks the same question of the same file; and that such a
pass writes, makes and removes no file: all it changes is the lock's time."""

import os, re, statistics, subprocess

from database import INDEXES, Platform
from measure import Wrong, cpu_of, in_turn, median

# The system calls that change a file or a folder (opening one only with O_CREAT or O_TRUNC).
CHANGING = """open openat creat write pwrite64 writev pwritev ftruncate truncate fallocate unlink unlinkat rename renameat
renameat2 mkdir mkdirat link linkat symlink symlinkat chmod fchmod chown fchown utimensat"""

# The question of an idle pass, as the program asks it.
PROBE = """SELECT EXISTS (SELECT * FROM session_participants p
    WHERE p.scheduled_at BETWEEN datetime('now', '+55 minutes') AND datetime('now', '+65 minutes')
    AND (NOT EXISTS (SELECT * FROM session_reminder_deliveries l WHERE l.course_session_id = p.session_id
            AND l.user_id = p.user_id AND l.channel = 'mail' AND l.kind = 'reminder' AND l.lead_minutes BETWEEN 50 AND 70
            AND l.scheduled_at = p.scheduled_at AND l.status <> 'cancelled')
        OR p.whatsapp_opt_in = 1
        AND NOT EXISTS (SELECT * FROM session_reminder_deliveries l WHERE l.course_session_id = p.session_id
            AND l.user_id = p.user_id AND l.channel = 'whatsapp' AND l.kind = 'reminder'
            AND l.lead_minutes BETWEEN 50 AND 70 AND l.scheduled_at = p.scheduled_at AND l.status <> 'cancelled')));"""

LEDGER = """INSERT INTO session_reminder_deliveries
    (course_session_id, user_id, channel, kind, lead_minutes, scheduled_at, status, created_at, updated_at)"""
FINISHED = f"""{LEDGER}
    VALUES (0, 1, 'mail', 'reminder', 60, datetime('now', '-1 hour'), 'sent', datetime('now'), datetime('now'));"""
# One that knows every session of the last eight days.
BUSY_WEEK = f"""{LEDGER}
    SELECT id, 1, 'mail', 'reminder', 60, scheduled_at, 'sent', datetime('now', '-8 days'), datetime('now', '-8 days')
    FROM course_sessions WHERE scheduled_at BETWEEN datetime('now', '-9 days') AND datetime('now', '+40 minutes');"""


def rows(enrollments, sessions):
    """Sessions over a year, none around an hour from now for as long as this takes; ten enrollments for each user."""
    users = f"generate_series(1, {enrollments // 10})"
    return f"""BEGIN;
INSERT INTO courses (id, title) SELECT value, 'Kursus ' || value FROM generate_series(1, 1000);
INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url)
    SELECT value, 1 + value % 1000, 'Sesi ' || value, 'online',
        datetime('now', '-180 days', (value * 31536000 / {sessions}) || ' seconds'), 'https://meet.example.org/' || value
    FROM generate_series(1, {sessions});
DELETE FROM course_sessions
    WHERE scheduled_at BETWEEN datetime('now', '+40 minutes') AND datetime('now', '+120 minutes');
INSERT INTO users (id, name, email) SELECT value, 'Peserta ' || value, 'p' || value || '@example.org' FROM {users};
INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in)
    SELECT value, '0812' || (10000000 + value), value % 2 FROM {users};
INSERT INTO enrollments (user_id, course_id, status)
    SELECT 1 + value / 10, 1 + (value * 7 + value / 10) % 1000, 'active' FROM generate_series(0, {enrollments - 1});
COMMIT;
"""


def state(folder):
    """Names, sizes and times of all in the folder, the lock apart."""
    paths = [os.path.join(root, name) for root, folders, files in os.walk(folder) for name in folders + files]
    found = {path: os.stat(path) for path in paths if not path.endswith(".lock")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def writes_nothing(bench, platform):
    before, calls = state(platform.folder), f"{bench.folder}/calls"
    trace = f"trace={','.join(CHANGING.split())}"
    bench.run(["strace", "-f", "-y", "-qq", "-o", calls, "-e", trace, bench.program, "send"], platform, silent=True)
    if state(platform.folder) != before:
        raise Wrong(f"an idle pass has changed files: {set(state(platform.folder).items()) ^ set(before.items())}")
    harmless = re.compile(r"\bopen(at)?\((?!.*(O_CREAT|O_TRUNC))|utimensat\(.*\.lock|---|\+\+\+")
    with open(calls) as file:
        changing = [line for line in file if not harmless.search(line)]
    if changing:
        raise Wrong(f"an idle pass has changed files: {''.join(changing)}")


def case(bench, name, enrollments, sessions, indexes=INDEXES, journal="WAL", ledger=FINISHED):
    """Median CPU milliseconds, of ours and of the shell's, and peak megabytes of ours."""
    platform = Platform(bench, MAIL_PORT=1, WHATSAPP_TRANSPORT="file", WHATSAPP_FILE_DIR="messages")
    platform.make(rows(enrollments, sessions), indexes, journal).shell(ledger)
    commands = {"reminders": [bench.program, "send"], "sqlite3": ["sqlite3", platform.file, PROBE]}
    turns = 4 * bench.runs + 1
    if subprocess.run(commands["sqlite3"], capture_output=True, text=True).stdout.strip() != "0":
        raise Wrong("something is due")
    # The first fills the page cache.
    times = in_turn(commands, turns + 1, lambda which: cpu_of(commands[which], platform.folder, platform.env))
    peaks = in_turn(commands, bench.runs, lambda which: bench.run(commands[which], platform))
    writes_nothing(bench, platform)
    cpu = {which: statistics.median(cpu for cpu, _ in found[1:]) for which, found in times.items()}
    peak = {which: median(found, lambda run: run.peak) for which, found in peaks.items()}
    for which in commands:
        elapsed = statistics.median(elapsed for _, elapsed in times[which][1:])
        ratio = f"{cpu[which] / cpu['sqlite3']:.2f}"
        print(f"  {name:<44}{which:<10}{cpu[which]:>8.2f}{ratio:>12}{elapsed:>12.2f}{peak[which]:>9.1f}", flush=True)
        name = ""
    return cpu["reminders"], cpu["sqlite3"], peak["reminders"], statistics.median(ms for _, ms in times["reminders"][1:])


def idle(bench):
    million, sessions = bench.number(1_000_000, 20_000), bench.number(10_000, 2000)
    print(f"medians of {4 * bench.runs + 1}; the same question in the sqlite3 shell")
    print(f"  {'':<54}{'CPU ms':>8}{'of sqlite3':>12}{'elapsed ms':>12}{'peak MB':>9}")
    small = case(bench, "1000 enrollments", 1000, sessions)
    cases = [small, case(bench, f"{million} enrollments", million, sessions)]
    large = case(bench, f"{10 * million} enrollments", 10 * million, sessions)
    cases += [large, case(bench, "no index, rollback journal", million, sessions, "", "DELETE")]
    cases.append(case(bench, "no index, a ledger of eight days", million, sessions, "", "WAL", BUSY_WEEK))
    bare = case(bench, f"no index, {20 * sessions} sessions", million, 20 * sessions, "")
    cases.append(bare)
    ratio, peak = max(ours / shell for ours, shell, _, _ in cases), max(peak for _, _, peak, _ in cases)
    bench.found(4, "CPU, of the sqlite3 shell's, at most", "<= 2", ratio, lambda x: x <= 2)
    bench.found(4, "peak memory, at most", "<= 12 MB", peak, lambda x: x <= 12, " MB")
    growth = large[0] / small[0]
    bench.found(4, f"CPU at {10 * million} enrollments, of that at 1000", "<= 1.2", growth, lambda x: x <= 1.2)
    bench.found(4, f"elapsed at {20 * sessions} sessions, no index", "<= 60 ms", bare[3], lambda x: x <= 60, " ms")
