"""A TCP proxy that lets each reply of a mail server arrive so much later, as a long wire does: whatever is underway stays
underway at the same time. It also notes when each connection's mails go by, by their RCPT commands."""

import asyncio, collections, socket, time

from server import Server


class Client(asyncio.Protocol):
    """One connection of a client, with the one to the mail server that belongs to it."""

    mail_server, delay = None, 0.0
    connections, chunks, waited = [], 0, 0.0

    def connection_made(self, transport):
        self.transport, self.last = transport, b""
        self.mails, self.first, self.latest = 0, 0.0, 0.0
        self.underway = collections.deque()
        Client.connections.append(self)
        # To this machine: it takes no time.
        server = socket.create_connection(("127.0.0.1", Client.mail_server))
        server.setblocking(False)
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(loop.create_connection(lambda: Upstream(self), sock=server))

    def data_received(self, data):
        # The server speaks first, so it is there.
        self.upstream.write(data)
        text = (self.last + data).upper()
        mails, self.last = text.count(b"RCPT TO"), text[-6:]
        if mails:
            self.mails, self.latest = self.mails + mails, time.perf_counter()
            self.first = self.first or self.latest

    def reply(self, data):
        self.underway.append((time.perf_counter(), data))
        asyncio.get_running_loop().call_later(Client.delay, self.arrive)

    def arrive(self):
        """The oldest reply that is underway: timers of the same moment may come in any order."""
        came, data = self.underway.popleft()
        if data is None:
            return self.transport.close()
        Client.chunks += 1
        Client.waited += time.perf_counter() - came
        self.transport.write(data)

    def connection_lost(self, _):
        if hasattr(self, "upstream"):
            self.upstream.close()


class Upstream(asyncio.Protocol):
    def __init__(self, client):
        self.client = client

    def connection_made(self, transport):
        self.client.upstream = transport

    def data_received(self, data):
        self.client.reply(data)

    def connection_lost(self, _):
        self.client.reply(None)


def steady(connection):
    """Seconds from one mail of a connection to the next, on average."""
    return (connection.latest - connection.first) / (connection.mails - 1)


def result():
    connections = [connection for connection in Client.connections if connection.mails]
    return {
        "connections": len(connections),
        "mails": sum(connection.mails for connection in connections),
        "steady": [steady(connection) for connection in connections if connection.mails > 1],
        "waited": Client.waited / max(1, Client.chunks),
    }


def delaying(mail_server, delay):
    Client.mail_server, Client.delay = mail_server, delay
    return Server(Client, result)
