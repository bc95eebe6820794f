"""The measures of benches/guarantees.sh, which says what they mean.

Arguments: the project, a temporary folder, the program with its guarantees and without.
"""

import os, resource, socket, statistics, subprocess, sys, time

root, folder, guarded, bare = sys.argv[1:]
mails, runs, connections, port = (int(os.environ[name]) for name in ("MAILS", "RUNS", "CONNECTIONS", "PORT"))
platform = f"{folder}/platform"
database = f"{platform}/platform.sqlite"
surroundings = {"PATH": os.environ["PATH"], "HOME": folder, "STATE_DIRECTORY": f"{folder}/state"}

SETTINGS = f"""APP_TIMEZONE=UTC
DB_DATABASE=platform.sqlite
MAIL_HOST=127.0.0.1
MAIL_PORT={port}
MAIL_ENCRYPTION=none
MAIL_CONNECTIONS={connections}
MAIL_FROM_ADDRESS=halo@kursuskita.test
"""

ROWS = f"""PRAGMA journal_mode = WAL;
BEGIN;
INSERT INTO courses (id, title) VALUES (1, 'Kursus');
INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url)
    VALUES (1, 1, 'Pecahan', 'online', datetime('now', '+60 minutes'), 'https://meet.example.org/1');
INSERT INTO users (id, name, email)
    SELECT value, 'Peserta ' || value, 'p' || value || '@example.org' FROM generate_series(1, {mails});
INSERT INTO enrollments (user_id, course_id, status) SELECT value, 1, 'active' FROM generate_series(1, {mails});
CREATE INDEX course_sessions_scheduled_at_index ON course_sessions (scheduled_at);
CREATE INDEX enrollments_course_id_index ON enrollments (course_id);
CREATE INDEX user_profiles_user_id_index ON user_profiles (user_id);
COMMIT;
"""


def sqlite(text):
    done = subprocess.run(["sqlite3", database], input=text, capture_output=True, text=True, check=True)
    return done.stdout


def new_platform():
    subprocess.run(["rm", "-rf", platform], check=True)
    os.makedirs(platform)
    with open(f"{platform}/.env", "w") as file:
        file.write(SETTINGS)
    with open(f"{root}/tests/data/platform-sqlite.sql") as file:
        sqlite(file.read())
    sqlite(ROWS)
    subprocess.run([guarded, "migrate"], cwd=platform, env=surroundings, capture_output=True, check=True)


def measure(program):
    """Mails in a second, and CPU milliseconds a mail."""
    new_platform()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([program, "send"], cwd=platform, env=surroundings, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return mails / seconds, 1000 * cpu / mails


def await_sink():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    sys.exit("smtp-sink does not answer")


def line(name, found):
    rates, cpu = [rate for rate, _ in found], statistics.median(cpu for _, cpu in found)
    rate = statistics.median(rates)
    print(f"{name:<20} {rate:>8.0f} ({min(rates):.0f} to {max(rates):.0f}) mails/s {cpu:>8.3f} CPU ms")
    return rate


await_sink()
found = {guarded: [], bare: []}
for _ in range(runs):
    for program in found:
        found[program].append(measure(program))
        if program == guarded:
            states = sqlite("SELECT status, attempts, count(*) FROM session_reminder_deliveries GROUP BY 1, 2")
            if states != f"sent|1|{mails}\n":
                sys.exit(f"wrong: {states}")
print(f"{mails} mails, {connections} connections, {os.cpu_count()} cores, medians of {runs}")
ratio = line("with guarantees", found[guarded]) / line("without", found[bare])
print(f"{'ratio':<20} {ratio:>8.2f}")
sys.exit(ratio < 0.75)
