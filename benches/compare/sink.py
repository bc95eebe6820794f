"""Postfix's smtp-sink, which counts what it takes, and in runs without a clock writes it down."""

import os, re, socket, subprocess, time

from measure import Wrong, ended, start


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Sink:
    """A context: the sink runs within it. `dump`: each mail is written down. `pipelining`: whether it is offered."""

    def __init__(self, bench, dump=False, pipelining=True):
        self.port = free_port()
        self.counts = f"{bench.folder}/sink"
        self.dump = f"{bench.folder}/dump/mails" if dump else None
        self.options = [] if pipelining else ["-p"]
        if os.getuid() == 0:
            self.options += ["-u", "nobody"]
        if dump:
            os.makedirs(f"{bench.folder}/dump", exist_ok=True)
            os.chmod(f"{bench.folder}/dump", 0o777)
            self.options += ["-D", self.dump]

    def __enter__(self):
        if self.dump and os.path.exists(self.dump):
            os.remove(self.dump)
        with open(self.counts, "wb") as output:
            command = ["smtp-sink", "-c", *self.options, f"127.0.0.1:{self.port}", "256"]
            self.process = start(command, stdout=output, stdin=subprocess.DEVNULL)
        self.await_it()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = used.ru_utime + used.ru_stime
        ended(self.process.pid)

    def await_it(self):
        for _ in range(100):
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.05)
        raise Wrong("smtp-sink does not answer")

    def mails(self):
        """How many it has taken until now."""
        with open(self.counts, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 200))
            counts = re.findall(rb"mesg=(\d+)\s", file.read())
        return int(counts[-1]) if counts else 0

    def took(self, mails):
        """That it has taken exactly so many."""
        if self.mails() != mails:
            raise Wrong(f"smtp-sink has taken {self.mails()} mails in place of {mails}")

    def dumped(self):
        """Recipient and mail as it came, with this system's ends of lines, in the order in which they were taken."""
        with open(self.dump, "rb") as file:
            parts = re.split(rb"^X-Client-Addr: .*\n", file.read(), flags=re.M)[1:]
        for part in parts:
            # The sink's own lines end with its three lines of Received.
            head, mail = re.split(rb"^Received: from .*\n\tby smtp-sink .*\n\t.*\n", part, maxsplit=1, flags=re.M)
            recipients = re.findall(rb"^X-Rcpt-Args: <([^>]*)>", head, flags=re.M)
            if len(recipients) != 1:
                raise Wrong(f"a mail to {recipients}")
            yield recipients[0].decode(), mail.removesuffix(b"\n")
