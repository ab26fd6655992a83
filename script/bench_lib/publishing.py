"""Publishes and yanks: alone, many at once, in crates with many versions, and while others read."""

import shutil
import subprocess
import threading
import urllib.error
import urllib.request

from .common import fail
from .processes import end, established, start, wait
from .rows import FLOOR, ROWS


def measure(bench, size, servers, peers, floors):
    """`floors` are registries that do nothing else, for the durable writes alone."""
    rows = [row.name for row in ROWS if row.section == "Publishing"]
    if not bench.wants(*rows):
        return
    all_servers = servers + peers
    for server in all_servers:
        bench.warm_up(server)
    for clients, share in ((1, 1), (8, 4), (32, 8)):
        publish_new(bench, size, all_servers + (floors if clients == 1 else []), clients, share)
    second_versions(bench, size, all_servers)
    name = bench.name_of("y")
    bench.measure(size, "yank, 1 client", all_servers, lambda server: bench.yank(server, f"{name}0x0", "1.0.0"),
                  prepare=once(lambda server: bench.publish(server, name, 1, 1)))
    if size:
        # Only generated registries have the crate, and peers are not generated.
        many_versions(bench, size, servers)


def publish_new(bench, size, servers, clients, share):
    count = max(bench.mode.publishes * share, clients)

    def take(server):
        return bench.floor(server) if server.name == FLOOR else bench.publish(server, bench.name_of("p"), clients, count)

    bench.measure(size, f"publish, {clients} client{'s' if clients > 1 else ''}", servers, take)


def second_versions(bench, size, servers):
    prefix = {}

    def first_versions(server):
        prefix[server.name] = bench.name_of("s")
        bench.publish(server, prefix[server.name], 1, bench.mode.publishes)

    bench.measure(size, "publish, second version", servers,
                  lambda server: bench.publish(server, prefix[server.name], 1, bench.mode.publishes, "1.0.1"),
                  prepare=first_versions)


def many_versions(bench, size, servers):
    following = {}

    def publish(server, count):
        if server.name not in following:
            expect_many_versions(server)
        first = following.setdefault(server.name, 3_000)
        following[server.name] += count
        return bench.client("versions", server.url, server.token, "many-versions", first, count)

    # The first publish after an upgrade may cost more.
    bench.measure(size, "publish, version 3,001", servers, lambda server: publish(server, bench.mode.publishes // 2),
                  prepare=lambda server: publish(server, 1))
    bench.measure(size, "yank, 3,000 versions", servers, lambda server: bench.yank(server, "many-versions", "1.0.7"))


def expect_many_versions(server):
    """The client of an older build generates no such crate."""
    url = f"{server.url}/api/v1/crates/many-versions/1.0.7"
    try:
        urllib.request.urlopen(url).close()
    except urllib.error.HTTPError as error:
        fail(f"{url} is answered with {error.code}: this registry was generated without a crate of 3,000 versions; leave out "
             "--baseline, or give a newer --baseline-load")


def once(prepare):
    done = set()

    def prepared(server):
        if server.name not in done:
            done.add(server.name)
            prepare(server)

    return prepared


def beside_clones(bench, size, servers):
    def take(server):
        stop, failed = [], []

        def clone(number):
            target = bench.work / f"clone-{number}"
            command = ["git", "clone", "--quiet", "--bare", f"{server.url}/git/index", str(target)]
            while not stop:
                if subprocess.run(command).returncode != 0:
                    failed.append(number)
                    return
                shutil.rmtree(target)

        cloning = [threading.Thread(target=clone, args=(number,)) for number in range(8)]
        for thread in cloning:
            thread.start()
        try:
            return bench.publish(server, bench.name_of("b"), 1, bench.mode.publishes // 2)
        finally:
            stop.append(True)
            for thread in cloning:
                thread.join()
            if failed:
                fail(f"{server.name} refused clones of its index: see git's messages above")

    # The CPU is mostly that of the clones.
    bench.measure(size, "publish beside 8 clones", servers, take, with_cpu=False)


def beside_readers(bench, size, servers, names):
    connections = bench.mode.readers

    def take(server):
        command = bench.wrk_command(server, names, connections, 600)
        reading = start(command, env=bench.wrk_environment(server), stdout=subprocess.DEVNULL)
        try:
            port = int(server.url.rsplit(":", 1)[1])
            wait(f"{connections} connections of wrk", reading, lambda: established(port) >= connections)
            return bench.publish(server, bench.name_of("r"), 1, bench.mode.publishes // 2)
        finally:
            end(reading)

    bench.measure(size, "publish beside 1,000 readers", servers, take, with_cpu=False)
