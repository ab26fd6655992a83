"""More publishers than the server has room for."""

from .processes import resident_mib


def measure(bench, servers):
    if not bench.wants("publish, saturated", "publish, 2 × saturated", "publish, 4 × saturated"):
        return
    for server in servers:
        bench.warm_up(server)
    saturating = {server.name: find(bench, server) for server in servers}

    def of(factor):
        def take(server):
            clients = saturating[server.name] * factor
            figures = publish(bench, server, clients)
            return {**figures, "clients": clients, "resident_mib": resident_mib(server.pid)}

        return take

    bench.measure(0, "publish, saturated", servers, of(1))
    bench.measure(0, "publish, 2 × saturated", servers, of(2))
    bench.measure(0, "publish, 4 × saturated", servers, of(4))


def find(bench, server):
    """The smallest number of publishers with which the rate is within 5 % of its peak."""
    rates = {clients: publish(bench, server, clients)["rate"] for clients in bench.mode.publishers}
    return next(clients for clients, rate in rates.items() if rate >= 0.95 * max(rates.values()))


def publish(bench, server, clients):
    figures = bench.client("overload", server.url, server.token, bench.name_of("o"), clients, bench.mode.seconds)
    # A refusal that says when to come back is no error.
    return {**figures, "errors": sum(number for status, number in figures["statuses"].items() if status not in ("200", "503"))}
