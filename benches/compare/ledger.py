"""What claims and records cost: the burst beside the program without them, built with without.patch. That one reads who is
due, a few hundred at a time, delivers, and writes nothing down; also with all its connections opened at once, as many as it
may have."""

import os, statistics, subprocess

from burst import CONNECTIONS, all_sent
from database import platform_due
from measure import Wrong, in_turn, median, spread
from sink import Sink


def without_ledger(bench):
    """Builds that program, beside the other, with the same profile and the default features."""
    source = f"{bench.folder}/source"
    target = os.environ.get("CARGO_TARGET_DIR", f"{bench.root}/target") + "/without-guarantees"
    os.makedirs(source)
    parts = [".cargo", "Cargo.toml", "Cargo.lock", "src", "migrations", "tests"]
    subprocess.run(["cp", "-a", *parts, source], cwd=bench.root, check=True)
    with open(f"{bench.root}/benches/compare/without.patch") as patch:
        patched = subprocess.run(["patch", "-s", "-p1", "--no-backup-if-mismatch"], cwd=source, stdin=patch)
    if patched.returncode:
        raise Wrong("benches/compare/without.patch does not fit the source any more")
    env = {**os.environ, "CARGO_TARGET_DIR": target}
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=source, env=env, check=True)
    return f"{target}/release/reminders"


def measured(bench, program, environment, mails):
    with Sink(bench) as sink:
        platform = platform_due(bench, mails, MAIL_PORT=sink.port, MAIL_CONNECTIONS=CONNECTIONS)
        platform.env.update(environment)
        run = bench.run([program, "send"], platform)
        sink.took(mails)
    if program == bench.program:
        all_sent(platform, mails)
    return run


def ledger(bench):
    mails = bench.number(10_000, 500)
    without = without_ledger(bench)
    programs = {
        "with claims and records": (bench.program, {}),
        "without": (without, {}),
        "without, all at once": (without, {"ALL_AT_ONCE": "1"}),
    }
    found = in_turn(programs, bench.runs, lambda name: measured(bench, *programs[name], mails))
    print(f"{mails} mails, {CONNECTIONS} connections")
    for name, runs in found.items():
        cpu = 1000 * median(runs, lambda run: run.cpu) / mails
        print(f"  {name:<26}{spread(mails / run.seconds for run in runs)} mails/s{cpu:>9.3f} ms CPU a mail")
    rate = {name: statistics.median(mails / run.seconds for run in runs) for name, runs in found.items()}
    ratio = lambda name: rate["with claims and records"] / rate[name]
    bench.found(6, "throughput, of that without the ledger", ">= 0.75", ratio("without"), lambda x: x >= 0.75)
    bench.found(6, "the same, with all connections at once", ">= 0.75", ratio("without, all at once"), lambda x: x >= 0.75)
