"""One measure of benches/hosts.sh, which says what the columns mean: starts a mail server and so many processes, waits for
their ends, and prints a line of the table. Ends with 1 when a mail is missing or a process complains.

Arguments: the program, the temporary folder, the back end, the number of processes, of participants, the process id of
the database server (0 = none), the seconds that one process took (0 = not known). The working folder has the .env.
"""

import asyncio, json, os, resource, signal, socket, sys, time

program, folder, back_end, count, participants, server, alone = sys.argv[1:]
count, participants = int(count), int(participants)
REPLY = 0.05
TICKS = os.sysconf("SC_CLK_TCK")
# Seconds in which the database's processes for the connections end.
ENDING = 0.3


class Connection(asyncio.Protocol):
    """Answers each command, and each body, so long after it came."""

    taken, replies, waited = [], 0, 0.0

    def connection_made(self, transport):
        self.transport, self.input, self.in_body = transport, b"", False
        self.transport.write(b"220 mail.example.org\r\n")

    def data_received(self, data):
        self.input += data
        if self.input.endswith(b"\r\n.\r\n" if self.in_body else b"\r\n"):
            command, self.input = self.input, b""
            asyncio.get_running_loop().call_later(REPLY, self.answer, command, time.perf_counter())

    def answer(self, command, came):
        Connection.replies += 1
        Connection.waited += time.perf_counter() - came
        self.transport.write(self.reply(command))
        if command == b"QUIT\r\n":
            self.transport.close()

    def reply(self, command):
        if self.in_body:
            self.in_body = False
            Connection.taken.append(self.recipient)
            return b"250 taken\r\n"
        if command.startswith(b"RCPT TO:<"):
            self.recipient = command[9:command.index(b">")].decode()
        self.in_body = command == b"DATA\r\n"
        return {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(command[:4], b"250 mail.example.org\r\n")


async def serve(listener):
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await asyncio.get_running_loop().create_server(Connection, sock=listener)
    await ended.wait()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"taken": Connection.taken, "ms": 1000 * Connection.waited / max(Connection.replies, 1),
            "cpu": used.ru_utime + used.ru_stime}


class MailServer:
    def __init__(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listener.getsockname()[1]
        self.result, result = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with open(result, "w") as file:
                json.dump(asyncio.run(serve(listener)), file)
            os._exit(0)
        os.close(result)

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        with open(self.result) as file:
            found = json.load(file)
        os.waitpid(self.pid, 0)
        return found


def stat(pid):
    """Of /proc/<pid>/stat (proc(5)): the parent and the ticks of CPU time, of the process and of its children that ended."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return fields[1], sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))


def database_cpu():
    """Seconds, of the server's first process and all it has started."""
    if server == "0":
        return 0.0
    _, own, of_ended = stat(server)
    ticks = own + of_ended
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent, own, of_ended = stat(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += own + of_ended if parent == server else 0
    return ticks / TICKS


def machine_cpu():
    """Seconds that all cores were not idle; without the time of guests, which is in that of users."""
    with open("/proc/stat") as file:
        ticks = list(map(int, file.readline().split()[1:9]))
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS


def start(number, port):
    state = f"{folder}/host-{number}"
    os.makedirs(state, exist_ok=True)
    surroundings = {"PATH": os.environ["PATH"], "HOME": state, "STATE_DIRECTORY": state, "MAIL_PORT": str(port)}
    output = (os.POSIX_SPAWN_OPEN, 1, f"{state}/output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.posix_spawn(program, [program, "send"], surroundings, file_actions=[output, (os.POSIX_SPAWN_DUP2, 1, 2)])


def run(port):
    """Lets the processes work: how they ended, the seconds, and the CPU time of these, of the database and of all."""
    machine, database, began = machine_cpu(), database_cpu(), time.perf_counter()
    ends = [os.wait4(pid, 0) for pid in [start(number, port) for number in range(count)]]
    seconds = time.perf_counter() - began
    time.sleep(ENDING)
    programs = sum(used.ru_utime + used.ru_stime for _, _, used in ends)
    return [end[1] for end in ends], seconds, programs, database_cpu() - database, machine_cpu() - machine


def faults(taken, statuses):
    for number, status in enumerate(statuses):
        with open(f"{folder}/host-{number}/output") as file:
            text = file.read().strip()
        if status or text:
            yield f"process {number + 1} ended with {os.waitstatus_to_exitcode(status)} and said: {text[:1000] or 'nothing'}"
    missing = {f"p{n}@example.org" for n in range(1, participants + 1)} - set(taken)
    if missing or len(taken) != participants:
        yield f"{len(taken)} mails instead of {participants}, {len(missing)} people got none"


mails = MailServer()
try:
    statuses, seconds, programs, database, machine = run(mails.port)
finally:
    found = mails.stop()
each, alone = 1000 / participants, seconds if count == 1 else float(alone)
others = (machine - programs - database - found["cpu"]) / (seconds + ENDING)
print(
    f"{back_end:<10} {count:>9} {seconds:>8.1f} {participants / seconds:>8.1f}",
    f"{alone / seconds:>9.2f}" if alone else f"{'-':>9}",
    f"{programs * each:>11.2f}",
    f"{'-':>12}" if server == "0" else f"{database * each:>12.2f}",
    f"{found['ms']:>9.1f} {100 * found['cpu'] / seconds:>10.0f} % {100 * others:>6.0f} %",
    flush=True,
)
with open(f"{folder}/seconds", "w") as file:
    file.write(str(seconds))
wrong = list(faults(found["taken"], statuses))
print(*(f"  wrong: {fault}" for fault in wrong), sep="\n", end="\n" if wrong else "")
sys.exit(bool(wrong))
