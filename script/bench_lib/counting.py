"""What a publish asks of PostgreSQL, and what it flushes to disk. These are counts, which no other process disturbs."""

import collections
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .common import say
from .processes import running, serve, start, tree

LOGGED = re.compile(r"LOG:  duration: ([\d.]+) ms  (statement|parse|bind|execute)(?: ([^:]+))?: ")
SYNCED = re.compile(r"(?:fsync|fdatasync)\(\d+<([^>]*)>")


def statements(bench, programs):
    if not bench.wants("statements, publish of a new crate", "statements, yank"):
        return
    servers = []
    for name, program in programs.items():
        directory = bench.work / f"statements-{name}"
        # The cluster's own settings do not name this one, so that of its file applies.
        serve(name, program, directory)[0].stop()
        with open(directory / "postgres" / "postgresql.auto.conf", "a") as settings:
            settings.write("log_min_duration_statement = 0\n")
        server, _ = serve(name, program, directory)
        servers.append(server)
        # Each connection prepares a statement once.
        bench.publish(server, bench.name_of("w"), 1, 4 * bench.mode.publishes)

    def publish(server):
        prefix = bench.name_of("l")
        return logged(bench, server, lambda: bench.publish(server, prefix, 1, bench.mode.publishes))

    yanked = bench.name_of("z")
    bench.measure(0, "statements, publish of a new crate", servers, publish, with_cpu=False)
    for server in servers:
        bench.publish(server, yanked, 1, 1)
        bench.yank(server, f"{yanked}0x0", "1.0.0")
    bench.measure(0, "statements, yank", servers,
                  lambda server: logged(bench, server, lambda: bench.yank(server, f"{yanked}0x0", "1.0.0")),
                  with_cpu=False)
    for server in servers:
        server.stop()
        shutil.rmtree(server.directory)


def logged(bench, server, requests):
    """Statements, round trips and PostgreSQL's milliseconds of each request."""
    log = server.directory / "postgres.log"

    def of(action):
        begin, offset = time.monotonic(), log.stat().st_size
        result = action()
        took = time.monotonic() - begin
        with open(log, errors="replace") as file:
            file.seek(offset)
            return result, took, counted(file.read())

    _, idle_for, idle = of(lambda: time.sleep(bench.mode.seconds))
    figures, took, busy = of(requests)
    return {key: max(0.0, busy[key] - idle[key] * took / idle_for) / figures["count"] for key in busy}


def counted(log):
    """What the log says. Binding and executing are one message, and so is the parsing of a statement without a name."""
    found = LOGGED.findall(log)
    executed = sum(what in ("statement", "execute") for _, what, _ in found)
    prepared = sum(what == "parse" and name != "<unnamed>" for _, what, name in found)
    return {"statements": executed, "round_trips": executed + prepared,
            "postgres_ms": sum(float(took) for took, _, _ in found)}


def flushes(bench, programs):
    row = "flushes, publish of a new crate"
    if not bench.wants(row):
        return
    if not shutil.which("strace"):
        say(f"{row}: left out, because strace was not found: on Debian, `apt-get install strace`")
        return
    servers = [serve(name, program, bench.work / f"flushes-{name}")[0] for name, program in programs.items()]
    try:
        for server in servers:
            bench.publish(server, bench.name_of("w"), 1, bench.mode.publishes)
        bench.measure(0, row, servers, lambda server: traced(bench, server), with_cpu=False)
    except PermissionError as refusal:
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
