"""Reminders as one writes them with smtplib: the rows, a loop or a pool of threads, a note of each mail that was taken.

Arguments: the SQLite file, the mail server's port, the number of connections, the folder of the texts.
"""

import email.message, email.utils, os, smtplib, sqlite3, sys, threading
from concurrent.futures import ThreadPoolExecutor

database, port, connections, texts = sys.argv[1:]

DUE = """SELECT s.id, u.id, u.name, u.email FROM course_sessions s
    JOIN enrollments e ON e.course_id = s.course_id AND e.status = 'active'
    JOIN users u ON u.id = e.user_id AND u.status = 'active' AND u.deleted_at IS NULL
    WHERE s.scheduled_at BETWEEN datetime('now', '+55 minutes') AND datetime('now', '+65 minutes')
    AND NOT EXISTS (SELECT * FROM mail_log l WHERE l.session_id = s.id AND l.user_id = u.id)
    ORDER BY s.scheduled_at"""


def read(name):
    with open(f"{texts}/{name}") as file:
        return file.read()


subject, text, html = read("subject"), read("text"), read("html")
calendar = read("calendar") if os.path.exists(f"{texts}/calendar") else None
mine = threading.local()


def compose(name, address):
    mail = email.message.EmailMessage()
    mail["From"] = "Kursus Kita <halo@kursuskita.test>"
    mail["To"] = email.utils.formataddr((name, address))
    mail["Subject"] = subject.replace("{name}", name)
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = email.utils.make_msgid(domain="kursuskita.test")
    mail.set_content(text.replace("{name}", name))
    mail.add_alternative(html.replace("{name}", name), subtype="html")
    if calendar:
        mail.add_attachment(calendar.replace("{name}", name), subtype="calendar", filename="session.ics")
    return mail


def tell(row):
    session, user, name, address = row
    if not hasattr(mine, "server"):
        mine.server = smtplib.SMTP("127.0.0.1", int(port))
    mine.server.send_message(compose(name, address))
    return session, user


db = sqlite3.connect(database)
db.execute("PRAGMA synchronous = FULL")
rows = db.execute(DUE).fetchall()
with ThreadPoolExecutor(int(connections)) as pool:
    # One connection needs no threads.
    for told in pool.map(tell, rows) if connections != "1" else map(tell, rows):
        db.execute("INSERT INTO mail_log VALUES (?, ?, datetime('now'))", told)
        db.commit()
