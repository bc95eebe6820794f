"""A mail server whose every reply takes 50 ms to arrive: how many round trips a mail costs on a connection."""

import statistics

from burst import send, texts, verified
from measure import Wrong, in_turn
from proxy import delaying
from sink import Sink

CONNECTIONS = 16
REPLY = 0.05
# By how much the replies may be later than they should on average: more, and the proxy is what is measured.
LATE = 0.002
NAMES = ["reminders", "reminders, -p", "smtp-source", "nodemailer"]


def measured(bench, name, mails):
    with Sink(bench, pipelining=not name.endswith("-p")) as sink:
        proxy = delaying(sink.port, REPLY)
        run = send(bench, name, mails, CONNECTIONS, proxy.port, sink)
        seen = proxy.stop()
    if seen["mails"] != mails:
        raise Wrong(f"{seen['mails']} mails went through the proxy in place of {mails}")
    if seen["waited"] > REPLY + LATE:
        print(f"  {name}: replies took {1000 * seen['waited']:.1f} ms on average: the machine is too busy for this row")
    return {
        "rate": mails / run.seconds,
        # From a connection's mail to its next, once it is open: how many times a reply was waited for.
        "steady": statistics.mean(seen["steady"]) / seen["waited"],
        # All of a connection, from its opening to its end.
        "all": CONNECTIONS * run.seconds / (mails * REPLY),
    }


def latency(bench):
    mails = bench.number(960, 160)
    dumped, _ = verified(bench, 20)
    texts(bench, *dumped[0])
    found = in_turn(NAMES, bench.runs, lambda name: measured(bench, name, mails))
    print(f"{mails} mails, {CONNECTIONS} connections, each reply after {1000 * REPLY:.0f} ms (-p: without PIPELINING)")
    print(f"  {'':<18}{'mails/s':>9}   {'round trips a mail':<24}{'with opening, end':>18}{'of nodemailer':>15}")
    middle = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    for name, runs in found.items():
        steady = [run["steady"] for run in runs]
        trips = f"{middle[name]['steady']:.2f} ({min(steady):.2f} to {max(steady):.2f})"
        of_nodemailer = middle[name]["rate"] / middle["nodemailer"]["rate"]
        print(f"  {name:<18}{middle[name]['rate']:>9.1f}   {trips:<24}{middle[name]['all']:>18.2f}{of_nodemailer:>15.2f}")
    ours = middle["reminders"]
    bench.found(2, "round trips a mail and connection", "1", ours["steady"], lambda x: x <= 1.05)
    bench.found(2, "the same without PIPELINING", "4", middle["reminders, -p"]["steady"], lambda x: x <= 4.2)
    bench.found(2, "throughput, of nodemailer's", ">= 2", ours["rate"] / middle["nodemailer"]["rate"], lambda x: x >= 2)
