"""What a publish asks of PostgreSQL, and what it flushes to disk. These are counts, which no other process disturbs."""

import collections
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .common import fail, say
from .processes import PATIENCE, running, serve, start, tree
from .registries import copied

LOGGED = re.compile(r"^\S+ \S+ UTC \[(\d+)\] LOG:  duration: ([\d.]+) ms  (statement|parse|bind|execute)(?: ([^:]+))?: "
                    r"(.*?)(?=^\d{4}-\d\d-\d\d |\Z)", re.MULTILINE | re.DOTALL)
BACKGROUND = re.compile(r"FROM pending_\w+")
# An idle registry looks for work, with fewer statements than this a second (of which each is logged three times).
WINDOW, IDLE = 1, 60
SYNCED = re.compile(r"(?:fsync|fdatasync)\(\d+<([^>]*)>")


def statements(bench, programs, empty):
    if not bench.wants("statements, publish of a new crate", "statements, yank"):
        return
    servers = []
    for name, program in programs.items():
        directory = copied(empty, bench.work / f"statements-{name}")
        # The cluster's command line does not name this setting, so that of its file applies.
        with open(directory / "postgres" / "postgresql.auto.conf", "a") as settings:
            settings.write("log_min_duration_statement = 0\n")
        servers.append(serve(name, program, directory)[0])
    yanked = bench.name_of("z")
    for server in servers:
        # Each connection prepares a statement once.
        bench.publish(server, bench.name_of("w"), 1, 4 * bench.mode.publishes)
        bench.publish(server, yanked, 1, 1)
        bench.yank(server, f"{yanked}0x0", "1.0.0")
    bench.measure(0, "statements, publish of a new crate", servers,
                  lambda server: logged(server, lambda: bench.publish(server, bench.name_of("l"), 1, bench.mode.publishes)))
    bench.measure(0, "statements, yank", servers,
                  lambda server: logged(server, lambda: bench.yank(server, f"{yanked}0x0", "1.0.0")))
    for server in servers:
        server.stop()
        shutil.rmtree(server.directory)


def logged(server, requests):
    """Statements, round trips and PostgreSQL's milliseconds of each request up to its answer, without those of an idle
    registry."""
    log = Log(server.directory / "postgres.log")
    log.settle()
    begin = time.monotonic()
    time.sleep(WINDOW)
    idle, idle_for = counted(log.grown()), time.monotonic() - begin
    begin = time.monotonic()
    figures = requests()
    busy, took = counted(log.grown()), time.monotonic() - begin
    return {key: max(0.0, busy[key] - idle[key] * took / idle_for) / figures["count"] for key in busy}


class Log:
    """The log of PostgreSQL, as it grows."""

    def __init__(self, path):
        self.path, self.offset = path, path.stat().st_size

    def grown(self):
        with open(self.path, errors="replace") as file:
            file.seek(self.offset)
            text = file.read()
            self.offset = file.tell()
        return text

    def settle(self):
        """Waits until the registry is idle."""
        for _ in range(PATIENCE):
            self.grown()
            time.sleep(WINDOW)
            if len(LOGGED.findall(self.grown())) < IDLE * WINDOW:
                return
        fail(f"the registry still works {PATIENCE * WINDOW} s after its last request: {self.path} shows at what")


def counted(log):
    """What the log says. Binding and executing are one message, and so is the parsing of a statement without a name.
    A transaction that takes from a list of what is pending runs in the background, whenever that is."""
    count = collections.Counter(statements=0, round_trips=0, postgres_ms=0, background=0)
    transactions = collections.defaultdict(list)

    def note(transaction):
        executed = sum(what in ("statement", "execute") for _, what, _, _ in transaction)
        if any(BACKGROUND.search(text) for *_, text in transaction):
            count["background"] += executed
            return
        count["statements"] += executed
        count["round_trips"] += executed + sum(what == "parse" and name != "<unnamed>" for _, what, name, _ in transaction)
        count["postgres_ms"] += sum(float(took) for took, *_ in transaction)

    for pid, *entry in LOGGED.findall(log):
        transaction = transactions[pid]
        transaction.append(entry)
        _, what, _, text = entry
        begun = transaction[0][3].startswith("BEGIN")
        if text.startswith(("COMMIT", "ROLLBACK\n")) or (what in ("statement", "execute") and not begun):
            note(transactions.pop(pid))
    for transaction in transactions.values():
        note(transaction)
    return count


def flushes(bench, programs, empty):
    row = "flushes, publish of a new crate"
    if not bench.wants(row):
        return
    if not shutil.which("strace"):
        bench.left_out.add(row)
        say(f"{row}: left out, because strace was not found: on Debian, `apt-get install strace`")
        return
    servers = [serve(name, program, copied(empty, bench.work / f"flushes-{name}"))[0]
               for name, program in programs.items()]
    try:
        for server in servers:
            bench.publish(server, bench.name_of("w"), 1, bench.mode.publishes)
        bench.measure(0, row, servers, lambda server: traced(bench, server))
    except PermissionError as refusal:
        bench.left_out.add(row)
        say(f"{row}: left out, because {refusal}")
    for server in servers:
        server.stop()
        shutil.rmtree(server.directory)


def traced(bench, server):
    output = bench.work / "flushes"
    pids = list(tree(server.pid))
    command = ["strace", "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o", output]
    tracing = start([*command, *[f"-p{pid}" for pid in pids]])
    try:
        wait_for_tracer(tracing, pids)
        figures = bench.publish(server, bench.name_of("f"), 1, bench.mode.publishes)
    finally:
        # strace ends with its signal, which is no failure here.
        if tracing.poll() is None:
            tracing.send_signal(signal.SIGINT)
            tracing.wait()
        running.remove(tracing)
    of = collections.Counter(kind(path, server.directory) for path in SYNCED.findall(output.read_text()))
    return {"flushes": {name: number / figures["count"] for name, number in of.items()}}


def wait_for_tracer(tracing, pids):
    def is_traced(pid):
        try:
            return all("\nTracerPid:\t0\n" not in (task / "status").read_text()
                       for task in Path(f"/proc/{pid}/task").iterdir())
        except (FileNotFoundError, ProcessLookupError):
            return True

    while not all(is_traced(pid) for pid in pids):
        if tracing.poll() is not None:
            raise PermissionError("strace cannot attach to the server here: run this as root, or allow it with "
                                  "`sysctl kernel.yama.ptrace_scope=0`")
        time.sleep(0.01)


def kind(path, data_dir):
    """What a file belongs to, by its place in the data directory."""
    path = os.path.relpath(path.removesuffix("(deleted)"), data_dir)
    if path.startswith("postgres/"):
        return "WAL" if "/pg_wal/" in path else "database"
    return {"index.git": "index", "crates": "crate file"}.get(path.split("/")[0], "other")
