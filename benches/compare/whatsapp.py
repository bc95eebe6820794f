"""WhatsApp to a stand-in for Twilio on this machine: bound by its answers, which take 50 ms, and bound by the pace."""

import collections, statistics

from database import platform_due
from measure import Wrong
from twilio import SID, stand_in

REPLY = 0.05
OPT_IN = "UPDATE user_profiles SET whatsapp_opt_in = 1;"


def measured(bench, messages, connections, rate):
    """When each message came, in seconds after the first, and the number of connections the stand-in saw."""
    twilio = stand_in(REPLY)
    platform = platform_due(
        bench, messages, TWILIO_SID=SID, TWILIO_AUTH_TOKEN="0123456789abcdef0123456789abcdef",
        TWILIO_WHATSAPP_FROM="+6281234567890", TWILIO_API_BASE=f"http://127.0.0.1:{twilio.port}",
        TWILIO_CONNECTIONS=connections, TWILIO_MAX_PER_SECOND=rate,
    )
    platform.shell(OPT_IN)
    run = bench.run([bench.program, "send", "--channel", "whatsapp"], platform, silent=True)
    seen = twilio.stop()
    expected = sorted(f"whatsapp:+62812{10000000 + n}" for n in range(1, messages + 1))
    if sorted(to for _, to in seen["taken"]) != expected:
        raise Wrong(f"{len(seen['taken'])} messages are not those to the {messages} participants")
    states = platform.rows("SELECT status, attempts, count(*) FROM session_reminder_deliveries GROUP BY 1, 2")
    if states != [("sent", 1, messages)]:
        raise Wrong(f"the ledger has {states} in place of {messages} sent at the first attempt")
    times = [came for came, _ in seen["taken"]]
    return [came - times[0] for came in times], seen["connections"], run


def most_in(times, window):
    """The most messages that came within so many seconds."""
    most, recent = 0, collections.deque()
    for came in times:
        recent.append(came)
        while came - recent[0] > window:
            recent.popleft()
        most = max(most, len(recent))
    return most


def latency_bound(bench):
    messages, connections = bench.number(3000, 320), 16
    found = [measured(bench, messages, connections, 1000) for _ in range(bench.runs)]
    # The first of each connection come together, and the last do.
    shares = [(messages - connections) / times[-1] / (connections / REPLY) for times, _, _ in found]
    share = statistics.median(shares)
    opened = max(opened for _, opened, _ in found)
    cpu = statistics.median(1000 * run.cpu / messages for _, _, run in found)
    print(f"{messages} messages, {connections} connections, each answer after {1000 * REPLY:.0f} ms")
    rate, extremes = share * connections / REPLY, f"({min(shares):.3f} to {max(shares):.3f})"
    print(f"  {rate:.0f} messages/s, {share:.3f} {extremes} of connections ÷ reply time")
    print(f"  {opened} connections opened; {cpu:.2f} ms CPU a message")
    bench.found(3, "messages/s, of connections ÷ reply time", ">= 0.9", share, lambda x: x >= 0.9)
    bench.found(3, "connections opened, of 16", "<= 16", opened, lambda x: x <= connections)


def paced(bench):
    rate, messages = 40, bench.number(800, 120)
    found = [measured(bench, messages, 8, rate) for _ in range(bench.runs)]
    most = max(most_in(times, 0.1) for times, _, _ in found)
    drift = statistics.median(times[-1] / ((messages - 1) / rate) for times, _, _ in found)
    print(f"{messages} messages at {rate} a second: {drift:.4f} of the time that takes, at most {most} within 100 ms")
    # Five at equal distances are within 100 ms with both ends; one more may have been late.
    bench.found(3, "most messages in 100 ms, at 40 a second", "<= 6", most, lambda x: x <= 6)
    bench.found(3, "time, of (messages - 1) ÷ rate", "1", drift, lambda x: abs(x - 1) <= 0.01)


def whatsapp(bench):
    latency_bound(bench)
    paced(bench)
