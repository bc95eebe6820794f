"""Runs a program and says what it took, and what every row of the benchmark shares: medians, the disk, the findings."""

import atexit, dataclasses, os, signal, statistics, subprocess, sys, time

started = set()


@dataclasses.dataclass
class Bench:
    """Where everything is, and how much of it is measured."""

    root: str
    folder: str
    program: str
    quick: bool
    findings: list = dataclasses.field(default_factory=list)

    @property
    def runs(self):
        return 1 if self.quick else int(os.environ.get("RUNS", 5))

    def number(self, full, quick):
        return quick if self.quick else full

    def run(self, command, platform, happened=None, silent=False):
        return run(command, platform.folder, platform.env, happened, silent)

    def found(self, row, what, wanted, value, holds=lambda value: True, unit=""):
        """A line of the last table. `holds` is what is wanted, as a condition on the number."""
        number = f"{value:.3g}" if value < 100 else f"{value:.0f}"
        self.findings.append((row, what, wanted, number + unit, holds(value)))


@dataclasses.dataclass
class Run:
    """What one run took; of CPU time user and system."""

    seconds: float
    cpu: float
    peak: float
    # Seconds until what was waited for had happened.
    until: float = 0.0
    # CPU time of the mail server meanwhile, which shares the cores.
    server: float = 0.0


class Wrong(Exception):
    """A result that is not what it must be: all numbers are worthless then."""


def start(command, **options):
    """A process of its own group, that ends with this one at the latest."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    started.add(process.pid)
    return process


def ended(pid):
    started.discard(pid)


def run(command, cwd, env, happened=None, silent=False, logs=None):
    """Runs a program to its end. GNU time starts it, since wait4 tells a process's peak with that of its starter in it;
    its own millisecond of CPU time is counted with the program's."""
    log, peak = f"{logs or cwd}.log", f"{logs or cwd}.peak"
    began = time.perf_counter()
    with open(log, "wb") as output:
        timed = ["/usr/bin/time", "-q", "-f", "%M", "-o", peak, *command]
        process = start(timed, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    until = await_it(process.pid, began, happened) if happened else 0.0
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    ended(process.pid)
    said = read(log)
    if process.returncode or (silent and said):
        raise Wrong(f"{' '.join(command)} ended with {process.returncode} and said: {said[:2000]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, int(read(peak)) / 1024, until)


def await_it(pid, began, happened):
    """The seconds until it had happened, looked for each millisecond while the process runs; 0 when it never did."""
    while not happened():
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return time.perf_counter() - began if happened() else 0.0
        time.sleep(0.001)
    return time.perf_counter() - began


def cpu_of(command, cwd, env):
    """CPU and elapsed milliseconds of a short run, without GNU time's share."""
    began = time.perf_counter()
    with open(os.devnull, "wb") as nothing:
        process = start(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=nothing)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    ended(process.pid)
    if process.returncode:
        raise Wrong(f"{' '.join(command)} ended with {process.returncode}")
    return 1000 * (usage.ru_utime + usage.ru_stime), 1000 * elapsed


def read(path):
    with open(path, errors="replace") as file:
        return file.read().strip()


def median(runs, of):
    return statistics.median(of(run) for run in runs)


def spread(values, digits=0):
    """The median, the lowest and the highest."""
    values = list(values)
    middle = f"{statistics.median(values):.{digits}f}"
    return f"{middle:>8} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def in_turn(names, runs, measured):
    """`measured(name)`, so often for each name, taking turns: what the machine does besides hits all alike."""
    found = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            found[name].append(measured(name))
    return found


def fsync(folder, turns=200):
    """The median milliseconds until a small append is on the disk."""
    times = []
    file = os.open(f"{folder}/fsync", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(turns):
        os.write(file, bytes(4096))
        began = time.perf_counter()
        os.fdatasync(file)
        times.append(1000 * (time.perf_counter() - began))
    os.close(file)
    return statistics.median(times)


@atexit.register
def stop_all():
    for pid in started:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: sys.exit(128 + number))
