"""Reads: of the sparse index and of crate files beside nginx, of the API, and clones beside git's own server."""

import http.client
import shutil
import time

from .common import fail, run
from .processes import Server, serve
from .rows import ORIGIN


def index(bench, size, servers, names):
    some = names[::max(1, len(names) // bench.mode.names)][:bench.mode.names]

    def wrk(lines, connections, **options):
        return lambda server: bench.wrk(server, lines(server), connections, bench.mode.wrk_seconds, **options)

    for connections in (16, 64):
        bench.measure(size, f"GET index, one name, {connections} connections", servers,
                      wrk(lambda server: some[:1], connections))
    bench.measure(size, "GET index, up to 5,000 names", servers, wrk(lambda server: some, 64))
    if not bench.mode.is_subset:
        bench.measure(size, "GET index, 1,000 connections", servers,
                      wrk(lambda server: some, bench.mode.readers, counts_errors=True))
    if len(names) > len(some):
        bench.measure(size, "GET index, all names", servers, wrk(lambda server: names, 64))
    if bench.wants("GET index, 304"):
        tagged = {server.name: tags(server, some) for server in servers}
        bench.measure(size, "GET index, 304", servers, wrk(lambda server: tagged[server.name], 64))
    bench.measure(size, "GET index, 404", servers, wrk(lambda server: ["/index/ab/se/absent-name"], 64, absent=True))
    for row, crate in (("GET crate, 20 kB", "small"), ("GET crate, 1 MB", "large")):
        bench.measure(size, row, servers, wrk(lambda server, crate=crate: [crate_path(server, crate)], 16))


def upstream(bench, size, origin, names):
    """Files of a registry, through another one that has it as its upstream and keeps them."""
    rows = ("GET index through an upstream", "GET crate through an upstream, 20 kB")
    if not bench.wants(*rows):
        return
    options = ["--upstream", f"other=sparse+{origin.url}/index/", "--upstream-fresh", "1h"]
    ours, _ = serve("ours", bench.program, bench.work / "through", options=options)
    origin = Server(ORIGIN, origin.url, origin.pid)
    some = names[::max(1, len(names) // bench.mode.names)][:bench.mode.names]
    crate = "/api/v1/crates/small0x0/1.0.0/download"

    def lines(server, paths):
        return paths if server is origin else [f"/upstream/other{path}" for path in paths]

    try:
        fetch(ours, lines(ours, [*some, crate]))
        bench.measure(size, rows[0], [ours, origin],
                      lambda server: bench.wrk(server, lines(server, some), 64, bench.mode.wrk_seconds))
        bench.measure(size, rows[1], [ours, origin],
                      lambda server: bench.wrk(server, lines(server, [crate]), 16, bench.mode.wrk_seconds))
    finally:
        ours.stop()
        shutil.rmtree(bench.work / "through")


def fetch(server, paths):
    """Requests each path once."""
    connection = http.client.HTTPConnection(server.host)
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            fail(f"{path} was answered with {answer.status}")
    connection.close()


def crate_path(server, crate):
    return f"/{crate}.crate" if server.name == "nginx" else f"/api/v1/crates/{crate}0x0/1.0.0/download"


def tags(server, paths):
    """Paths, each with the ETag of its answer."""
    connection = http.client.HTTPConnection(server.host)
    found = []
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        found.append(f"{path} {answer.headers['etag']}")
    connection.close()
    return found


def api(bench, size, servers, names):
    crates = [path.rsplit("/", 1)[1] for path in names]
    popular = crates[0]
    some = crates[::max(1, len(crates) // 1000)][:1000]
    for row, paths in (
        ("crate page", [f"/api/v1/crates/{name}" for name in some]),
        ("reverse dependencies", [f"/api/v1/crates/{popular}/reverse_dependencies"]),
        ("reverse dependencies, a page of 100", [f"/api/v1/crates/{popular}/reverse_dependencies?per_page=100"]),
        ("keywords", ["/api/v1/keywords?per_page=100"]),
        ("categories", ["/api/v1/categories?per_page=100"]),
        ("crates with a keyword", ["/api/v1/crates?keyword=serde&per_page=100"]),
        ("crates in a category", ["/api/v1/crates?category=algorithms&per_page=100"]),
        ("summary", ["/api/v1/summary"]),
        ("openapi.json", ["/api/openapi.json"]),
        ("search, exact", [f"/api/v1/crates?q={name}" for name in some]),
        ("search, misspelt", [f"/api/v1/crates?q={misspelt(name)}" for name in some]),
    ):
        bench.measure(size, row, servers, lambda server, paths=paths: bench.gets(server, paths))


def misspelt(name):
    return name[:2] + name[3] + name[2] + name[4:]


def clones(bench, size, servers, daemons):
    """Each of `daemons` serves the repository of the server at its place."""

    def take(server):
        repository = "/index.git" if server.name == "git daemon" else "/git/index"
        target = bench.work / "clone"
        begin = time.monotonic()
        run("git", "clone", "--quiet", "--bare", server.url + repository, target)
        took = (time.monotonic() - begin) * 1000
        shutil.rmtree(target)
        return {"count": 1, "median_ms": took}

    bench.measure(size, "git clone", servers + daemons, take)
