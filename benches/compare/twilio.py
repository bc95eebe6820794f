"""A stand-in for Twilio that takes every message, after a while."""

import asyncio, json, re, time, urllib.parse

from server import Server

SID = "AC0123456789abcdef0123456789abcdef"
PATH = f"/2010-04-01/Accounts/{SID}/Messages"


def answer(number, form):
    """What Twilio shows of a message it has just taken."""
    sid, now = f"SM{number:032x}", time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    return {
        "sid": sid, "account_sid": SID, "api_version": "2010-04-01", "messaging_service_sid": None, "to": form["To"],
        "from": form["From"], "body": form.get("Body"), "direction": "outbound-api", "num_segments": "1", "num_media": "0",
        "price": None, "price_unit": None, "status": "queued", "error_code": None, "error_message": None,
        "date_created": now, "date_updated": now, "date_sent": None, "uri": f"{PATH}/{sid}.json",
        "subresource_uris": {"media": f"{PATH}/{sid}/Media.json"},
    }


class Connection(asyncio.Protocol):
    delay = 0.0
    # Of each message: when it was asked for, and its recipient.
    connections, taken = 0, []

    def connection_made(self, transport):
        self.transport, self.input = transport, b""
        Connection.connections += 1

    def data_received(self, data):
        self.input += data
        head, end, rest = self.input.partition(b"\r\n\r\n")
        length = re.search(rb"^content-length: *(\d+)", head, flags=re.I | re.M)
        length = int(length[1]) if length else 0
        if end and len(rest) >= length:
            self.input = rest[length:]
            self.request(head.decode(), rest[:length].decode())

    def request(self, head, body):
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        if method == "POST" and target == f"{PATH}.json":
            form = dict(urllib.parse.parse_qsl(body))
            Connection.taken.append((time.perf_counter(), form["To"]))
            status, found = "201 CREATED", answer(len(Connection.taken), form)
        elif method == "GET" and target.startswith(f"{PATH}.json"):
            status, found = "200 OK", {"messages": [], "next_page_uri": None}
        else:
            status, found = "404 NOT FOUND", {"code": 20404, "message": f"{target} was not found", "status": 404}
        asyncio.get_running_loop().call_later(Connection.delay, self.respond, status, json.dumps(found).encode())

    def respond(self, status, body):
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


def stand_in(delay):
    Connection.delay, Connection.connections, Connection.taken = delay, 0, []
    return Server(Connection, lambda: {"connections": Connection.connections, "taken": Connection.taken})
