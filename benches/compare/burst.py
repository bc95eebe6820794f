"""10,000 mails at once, to a mail server that answers at once; the others' programs, with the same mails, as their users
would write them; and smtp-source, which makes none and notes nothing."""

import email, email.policy, os, shutil, statistics, sys

from database import platform_due
from measure import Wrong, fsync, in_turn, median, spread
from sink import Sink

CONNECTIONS = 16
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")


def all_sent(platform, mails):
    """That the ledger knows each as sent, at its first attempt."""
    states = platform.rows("SELECT status, attempts, count(*) FROM session_reminder_deliveries GROUP BY 1, 2")
    if states != [("sent", 1, mails)]:
        raise Wrong(f"the ledger has {states} in place of {mails} sent at the first attempt")


def to_everybody(dumped, mails):
    """That each participant got one mail and nobody else got any."""
    recipients = sorted(recipient for recipient, _ in dumped)
    if recipients != sorted(f"p{n}@example.org" for n in range(1, mails + 1)):
        raise Wrong(f"{len(recipients)} mails to {len(set(recipients))} people are not those of the {mails} participants")


def syncs(log):
    """How often strace, which stops the program at these calls alone, saw a file put on the disk."""
    with open(log) as file:
        return sum("sync(" in line and "resumed" not in line for line in file)


def verified(bench, mails, sessions=1):
    """A run without a clock: the sink took exactly what was due. The mails, and how often the disk was waited for."""
    log = f"{bench.folder}/syncs"
    with Sink(bench, dump=True) as sink:
        platform = platform_due(bench, mails, sessions, MAIL_PORT=sink.port, MAIL_CONNECTIONS=CONNECTIONS)
        traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", log]
        bench.run([*traced, bench.program, "send"], platform, silent=True)
        sink.took(mails)
        all_sent(platform, mails)
    dumped = list(sink.dumped())
    to_everybody(dumped, mails)
    if syncs(log) == 0:
        raise Wrong("nothing was put on the disk: the guarantees are not on")
    return dumped, syncs(log)


def texts(bench, recipient, mail):
    """A mail as templates for the others, and as a file for smtp-source; its size on the wire."""
    folder = f"{bench.folder}/texts"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    name = f"Peserta {recipient.partition('@')[0].removeprefix('p')}"
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    kinds = {"text/plain": "text", "text/html": "html", "text/calendar": "calendar"}
    found = {"subject": parsed["Subject"]}
    for part in parsed.walk():
        if part.get_content_type() in kinds:
            found[kinds[part.get_content_type()]] = part.get_content()
    if not {"text", "html"} <= set(found) or name not in found["text"]:
        raise Wrong(f"a mail to {recipient} without a text, HTML or a name")
    for kind, text in found.items():
        with open(f"{folder}/{kind}", "w", newline="") as file:
            file.write(text.replace(name, "{name}"))
    with open(f"{folder}/mail", "wb") as file:
        file.write(mail)
    return len(mail) + mail.count(b"\n")


def others(port, platform, mails, connections):
    """The commands of the other programs."""
    folder = f"{platform.bench.folder}/texts"
    arguments = [platform.file, str(port), str(connections), folder]
    return {
        "smtp-source": ["smtp-source", "-d", "-s", str(connections), "-m", str(mails), "-F", f"{folder}/mail", "-N",
                        "-f", "halo@kursuskita.test", "-t", "p@example.org", f"127.0.0.1:{port}"],
        "nodemailer": ["node", f"{SCRIPTS}/reminders.js", *arguments],
        "smtplib": [sys.executable, f"{SCRIPTS}/reminders.py", *arguments[:2], "1", folder],
        "smtplib, threads": [sys.executable, f"{SCRIPTS}/reminders.py", *arguments],
    }


def send(bench, name, mails, connections, port, sink):
    """One program's turn, from an empty ledger, verified."""
    platform = platform_due(bench, mails, MAIL_PORT=port, MAIL_CONNECTIONS=connections)
    platform.env["NODE_PATH"] = "/usr/share/nodejs"
    if name.startswith("reminders"):
        run = bench.run([bench.program, "send"], platform, silent=True)
        all_sent(platform, mails)
    else:
        run = bench.run(others(port, platform, mails, connections)[name], platform)
        noted = platform.rows("SELECT count(*) FROM mail_log")[0][0]
        if name != "smtp-source" and noted != mails:
            raise Wrong(f"{name} has noted {noted} mails in place of {mails}")
    sink.took(mails)
    return run


def measured(bench, name, mails):
    with Sink(bench) as sink:
        run = send(bench, name, mails, CONNECTIONS, sink.port, sink)
    run.server = sink.cpu
    return run


def burst(bench):
    mails = bench.number(10_000, 500)
    dumped, waits = verified(bench, mails)
    size, disk = texts(bench, *dumped[0]), fsync(bench.folder)
    names = ["reminders", "smtp-source", "nodemailer", "smtplib, threads", "smtplib"]
    found = in_turn(names, bench.runs, lambda name: measured(bench, name, mails))
    rate = {name: statistics.median(mails / run.seconds for run in found[name]) for name in names}
    print(f"{mails} mails of {size} bytes, {CONNECTIONS} connections (smtplib: 1); fdatasync of 4 KiB {disk:.2f} ms")
    print(f"  {'':<18}{'mails/s':>8}{'':<20}{'of smtp-source':>15}{'CPU ms a mail':>15}{'peak MB':>9}{'server CPU ms':>15}")
    for name in names:
        rates = spread(mails / run.seconds for run in found[name])
        cpu, server = (1000 * median(found[name], of) / mails for of in (lambda run: run.cpu, lambda run: run.server))
        ratio, peak = rate[name] / rate["smtp-source"], median(found[name], lambda run: run.peak)
        print(f"  {name:<18}{rates:<28}{ratio:>15.2f}{cpu:>15.3f}{peak:>9.1f}{server:>15.3f}")
    ours = found["reminders"]
    print(f"  {waits} waits for the disk: {waits * disk / 1000:.2f} s of {median(ours, lambda run: run.seconds):.2f} s")
    bench.found(1, "throughput, of smtp-source's", ">= 0.5", rate["reminders"] / rate["smtp-source"], lambda x: x >= 0.5)
    bench.found(1, "throughput, of what the disk allows", "", rate["reminders"] * waits * disk / 1000 / mails)
    bench.found(1, "throughput, of nodemailer's", "", rate["reminders"] / rate["nodemailer"])
    bench.found(1, "throughput, of smtplib's", "", rate["reminders"] / rate["smtplib"])
    bench.found(1, "CPU a mail", "<= 0.15 ms", 1000 * median(ours, lambda run: run.cpu) / mails, lambda x: x <= 0.15, " ms")
    peak = median(ours, lambda run: run.peak)
    bench.found(1, "peak memory", "<= 40 MB", peak, lambda x: x <= 40, " MB")
