"""More publishers than the server has room for."""

import re
import subprocess

from .common import fail, run
from .processes import resident_mib

# A user may have some publishes in progress, fewer than one would need here.
USERS = 16


def measure(bench, servers, programs):
    """Each server is of the program at its place."""
    if not bench.wants("publish, saturated", "publish, 2 × saturated", "publish, 4 × saturated"):
        return
    tokens = {server.name: made(server, program) for server, program in zip(servers, programs)}
    for server in servers:
        bench.warm_up(server)
    saturating = {server.name: find(bench, server, tokens) for server in servers}

    def of(factor):
        def take(server):
            clients = saturating[server.name] * factor
            figures = publish(bench, server, clients, tokens)
            return {**figures, "clients": clients, "resident_mib": resident_mib(server.pid)}

        return take

    bench.measure(0, "publish, saturated", servers, of(1))
    bench.measure(0, "publish, 2 × saturated", servers, of(2))
    bench.measure(0, "publish, 4 × saturated", servers, of(4))


def made(server, program):
    """Tokens of new users, separated by commas."""
    users = [f"publisher{number}" for number in range(USERS)]
    text = run(program, "admin", "user", "create", *users, "--token", "--data-dir", server.directory, stdout=subprocess.PIPE,
               stderr=subprocess.DEVNULL).stdout
    found = re.findall(r"^    (\w{40,})$", text, re.MULTILINE)
    if len(found) != USERS:
        fail(f"`{program} admin user create` shows {len(found)} tokens, not {USERS}")
    return ",".join(found)


def find(bench, server, tokens):
    """The smallest number of publishers with which the rate is within 5 % of its peak."""
    # The first publishes of a server are slower, so the smallest number would seem to suffice.
    publish(bench, server, max(bench.mode.publishers), tokens)
    rates = {clients: max(publish(bench, server, clients, tokens)["rate"] for _ in range(2)) for clients in bench.mode.publishers}
    return next(clients for clients, rate in rates.items() if rate >= 0.95 * max(rates.values()))


def publish(bench, server, clients, tokens):
    figures = bench.client("overload", server.url, tokens[server.name], bench.name_of("o"), clients, bench.mode.seconds)
    # A refusal that says when to come back is no error.
    return {**figures, "errors": sum(number for status, number in figures["statuses"].items() if status not in ("200", "503"))}
