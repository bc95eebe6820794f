"""A course platform in a folder: the seed's tables in SQLite, the three indexes that docs/tables.md advises, and so many
participants whose sessions start in about an hour."""

import os, shutil, sqlite3, subprocess

SETTINGS = """APP_TIMEZONE=UTC
DB_DATABASE=platform.sqlite
MAIL_HOST=127.0.0.1
MAIL_ENCRYPTION=none
MAIL_FROM_ADDRESS=halo@kursuskita.test
MAIL_FROM_NAME="Kursus Kita"
"""

INDEXES = """CREATE INDEX course_sessions_scheduled_at_index ON course_sessions (scheduled_at);
CREATE INDEX enrollments_course_id_index ON enrollments (course_id);
CREATE INDEX user_profiles_user_id_index ON user_profiles (user_id);
"""

# The others' own note of whom they have told.
LOG = """CREATE TABLE mail_log (session_id integer not null, user_id integer not null, sent_at datetime not null,
    primary key (session_id, user_id));
"""


def due(participants, sessions):
    """One course and one session for each share of the participants, from 56 minutes hence to 64. The first is the last to
    start: who goes by the numbers goes the wrong way round."""
    numbers = f"SELECT value AS n FROM generate_series(1, {participants})"
    ahead = f"'+' || (3840 - 480 * (value - 1) / max(1, {sessions} - 1)) || ' seconds'"
    return f"""BEGIN;
INSERT INTO courses (id, title) SELECT value, 'Matematika Kelas 7' FROM generate_series(1, {sessions});
INSERT INTO course_sessions (id, course_id, title, mode, scheduled_at, meeting_url)
    SELECT value, value, 'Pecahan dan Desimal', 'online', datetime('now', {ahead}), 'https://meet.example.org/abc-defg-hij'
    FROM generate_series(1, {sessions});
INSERT INTO users (id, name, email) SELECT n, 'Peserta ' || n, 'p' || n || '@example.org' FROM ({numbers});
INSERT INTO user_profiles (user_id, phone, whatsapp_opt_in) SELECT n, '0812' || (10000000 + n), 0 FROM ({numbers});
INSERT INTO enrollments (user_id, course_id, status) SELECT n, 1 + n % {sessions}, 'active' FROM ({numbers});
COMMIT;
"""


class Platform:
    def __init__(self, bench, name="platform", **settings):
        self.bench, self.folder = bench, f"{bench.folder}/{name}"
        self.file = f"{self.folder}/platform.sqlite"
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "STATE_DIRECTORY": f"{self.folder}/state"}
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.settings(**settings)

    def settings(self, **settings):
        with open(f"{self.folder}/.env", "w") as file:
            file.write(SETTINGS + "".join(f"{name}={value}\n" for name, value in settings.items()))

    def make(self, rows, indexes=INDEXES, journal="WAL"):
        """The tables with these rows, migrated. WAL is what `migrate` gives a file of its own."""
        with open(f"{self.bench.root}/tests/data/platform-sqlite.sql") as file:
            tables = file.read()
        self.shell(f"PRAGMA journal_mode = {journal}; PRAGMA synchronous = OFF;\n{tables}{rows}{indexes}{LOG}")
        subprocess.run([self.bench.program, "migrate"], cwd=self.folder, env=self.env, capture_output=True, check=True)
        # What was written last is on the disk, and not in the log, when the measure begins.
        self.shell("PRAGMA wal_checkpoint(TRUNCATE);")
        os.sync()
        return self

    def shell(self, text):
        done = subprocess.run(["sqlite3", self.file], input=text, capture_output=True, text=True)
        if done.returncode or done.stderr:
            raise RuntimeError(f"sqlite3: {done.stderr}")
        return done.stdout

    def rows(self, text):
        database = sqlite3.connect(self.file)
        try:
            return database.execute(text).fetchall()
        finally:
            database.close()


def platform_due(bench, participants, sessions=1, **settings):
    """A new platform, with nothing told yet."""
    return Platform(bench, **settings).make(due(participants, sessions))
