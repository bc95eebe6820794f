"""The rows of benches/compare.sh, which says how to run it; docs/performance.md says what they mean."""

import argparse, os, platform, subprocess, sys, tempfile, time

from build import build
from burst import burst
from idle import idle
from latency import latency
from ledger import ledger
from measure import Bench, Wrong, fsync, stop_all
from volume import volume
from whatsapp import whatsapp

ROOT = os.path.realpath(f"{os.path.dirname(__file__)}/../..")
ROWS = {"burst": burst, "latency": latency, "whatsapp": whatsapp, "idle": idle, "volume": volume, "ledger": ledger}


def arguments():
    parser = argparse.ArgumentParser(prog="benches/compare.sh")
    parser.add_argument("--quick", action="store_true", help="small numbers and one run, to see that it works")
    parser.add_argument("--build", action="store_true", help="clean builds too, which take minutes")
    parser.add_argument("rows", nargs="*", metavar="row", help=f"which: {', '.join(ROWS)} (default: all)")
    chosen = parser.parse_args()
    for row in chosen.rows:
        if row not in ROWS:
            parser.error(f"no such row: {row}")
    return chosen


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return f"no {command[0]}"


def machine(bench):
    with open("/proc/cpuinfo") as file:
        model = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    with open("/proc/loadavg") as file:
        load = " ".join(file.read().split()[:3])
    kind = first_line("stat", "-f", "-c", "%T", bench.folder)
    cores = f"{os.cpu_count()} cores, {(model or ['?'])[0]}"
    print(time.strftime("%F %R UTC", time.gmtime()), cores, platform.platform(), sep="; ")
    print(f"{kind}, fdatasync of 4 KiB {fsync(bench.folder):.2f} ms; load average {load}; medians of {bench.runs}")
    if kind == "tmpfs":
        print("note: nothing is put on a disk here; set TMPDIR to a folder on one")
    commands = [("postconf", "-d", "mail_version"), ("sqlite3", "--version"), ("node", "--version")]
    versions = [f"{command[0]} {first_line(*command)[:40]}" for command in commands]
    print(*versions, f"Python {platform.python_version()}", sep="; ")
    print(f"the program: {bench.program}, {os.path.getsize(bench.program) / 1e6:.2f} MB")


def table(bench):
    """As docs/performance.md has it. Ends with whether all that is wanted holds."""
    print("\n| row | what is measured | wanted | measured | holds |\n| --- | --- | --- | --- | --- |")
    for row, what, wanted, value, holds in bench.findings:
        print(f"| {row} | {what} | {wanted} | {value} | {('yes' if holds else '**no**') if wanted else ''} |")
    return all(holds for *_, holds in bench.findings)


def measure(bench, rows):
    machine(bench)
    for name, row in rows.items():
        print(f"\n{name}:", flush=True)
        row(bench)
    held = table(bench)
    # Small numbers show that it works, not how fast.
    return 0 if held or bench.quick else 1


def main():
    chosen = arguments()
    rows = {name: ROWS[name] for name in chosen.rows or ([] if chosen.build else ROWS)}
    if chosen.build:
        rows["build"] = build
    with tempfile.TemporaryDirectory(prefix="reminders-compare.") as folder:
        # smtp-sink, started by root, works as somebody else.
        os.chmod(folder, 0o711)
        bench = Bench(ROOT, folder, os.path.realpath(os.environ["REMINDERS"]), chosen.quick)
        try:
            return measure(bench, rows)
        except Wrong as wrong:
            sys.stdout.flush()
            print(f"wrong: {wrong}", file=sys.stderr)
            return 1
        finally:
            # Before the folder goes that they write to.
            stop_all()


sys.exit(main())
