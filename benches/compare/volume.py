"""From 1,000 to 100,000 due at once: the time, the memory, the first mail, and that the nearest sessions go first."""

import math, re, statistics

from burst import CONNECTIONS, all_sent, verified
from database import platform_due
from measure import in_turn, median, spread
from sink import Sink

SESSIONS = 10


def measured(bench, mails):
    with Sink(bench) as sink:
        platform = platform_due(bench, mails, SESSIONS, MAIL_PORT=sink.port, MAIL_CONNECTIONS=CONNECTIONS)
        run = bench.run([bench.program, "send"], platform, happened=lambda: sink.mails() > 0, silent=True)
        sink.took(mails)
    all_sent(platform, mails)
    return run


def out_of_place(dumped, mails):
    """By how many mails at most one came too early or too late: who starts first has the highest number of a session."""
    worst = 0
    sessions = [SESSIONS - 1 - int(re.match(r"p(\d+)@", recipient)[1]) % SESSIONS for recipient, _ in dumped]
    ends = [0]
    for session in range(SESSIONS):
        ends.append(ends[-1] + sessions.count(session))
    for place, session in enumerate(sessions):
        worst = max(worst, ends[session] - place, place - (ends[session + 1] - 1))
    return worst


def slope(times):
    """Of the line through the logarithms of the sizes and times: 1 is linear."""
    points = [(math.log(size), math.log(seconds)) for size, seconds in times.items()]
    x, y = (statistics.mean(values) for values in zip(*points))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def volume(bench):
    sizes = bench.number([1000, 10_000, 100_000], [100, 1000])
    dumped, _ = verified(bench, sizes[1], SESSIONS)
    worst = out_of_place(dumped, sizes[1])
    found = in_turn(sizes, bench.runs, lambda size: measured(bench, size))
    print(f"{SESSIONS} sessions, {CONNECTIONS} connections")
    print(f"  {sizes[1]} mails came at most {worst} places from where they belong")
    print(f"  {'mails':<10}{'seconds':>8}{'':<20}{'mails/s':>9}{'CPU ms a mail':>15}{'peak MB':>9}{'first mail ms':>15}")
    times = {size: median(runs, lambda run: run.seconds) for size, runs in found.items()}
    for size, runs in found.items():
        cpu, peak = 1000 * median(runs, lambda run: run.cpu) / size, median(runs, lambda run: run.peak)
        seconds, first = spread((run.seconds for run in runs), 2), 1000 * median(runs, lambda run: run.until)
        print(f"  {size:<10}{seconds:<28}{size / times[size]:>9.0f}{cpu:>15.3f}{peak:>9.1f}{first:>15.0f}")
    last = found[sizes[-1]]
    bench.found(5, "slope of time against size", "<= 1.15", slope(times), lambda x: x <= 1.15)
    peak, first = median(last, lambda run: run.peak), 1000 * median(last, lambda run: run.until)
    bench.found(5, f"peak memory at {sizes[-1]}", "<= 40 MB", peak, lambda x: x <= 40, " MB")
    bench.found(5, f"first mail at {sizes[-1]}", "<= 300 ms", first, lambda x: x <= 300, " ms")
    # What is claimed at once may overtake each other.
    bench.found(5, "places from the nearest first", f"<= {4 * CONNECTIONS}", worst, lambda x: x <= 4 * CONNECTIONS)
