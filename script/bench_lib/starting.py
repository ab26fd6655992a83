"""Starts of a server."""

import shutil

from .processes import serve


def measure(bench, programs):
    """The first start in an empty directory, and later ones in that."""
    if not bench.wants("first start", "later start"):
        return
    servers = [Idle(name) for name in programs]
    directories = {name: bench.work / f"start-{name}" for name in programs}

    def start(server):
        started, took = serve(server.name, programs[server.name], directories[server.name])
        started.stop()
        return {"median_ms": took}

    def empty(server):
        shutil.rmtree(directories[server.name], ignore_errors=True)

    bench.measure(0, "first start", servers, start, prepare=empty)
    for server in servers:
        start(server)
    bench.measure(0, "later start", servers, start)
    for server in servers:
        empty(server)


def of_copies(bench, size, programs, directories):
    """Later starts with this many crates."""
    def start(server):
        started, took = serve(server.name, programs[server.name], directories[server.name])
        started.stop()
        return {"median_ms": took}

    if bench.wants("later start"):
        servers = [Idle(name) for name in programs]
        for server in servers:
            # Migrations run here, and the files come into memory.
            start(server)
        bench.measure(size, "later start", servers, start)


class Idle:
    """A server that does not run yet: there is no process whose CPU counts."""

    pid = 0

    def __init__(self, name):
        self.name = name
