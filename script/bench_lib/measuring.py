"""Rounds in which servers take turns, and the clients that ask them."""

import json
import os
import re
import statistics
import subprocess
from pathlib import Path

from .common import fail, run, say
from .processes import cpu
from .report import line_of
from .rows import BY_NAME

# What wrk sends: one of the lines of a file, at random. A line is a path, and perhaps an ETag that the client has.
WRK_SCRIPT = """
local lines = {}
local seed = 0
function setup(thread) thread:set("seed", seed); seed = seed + 1 end
function init()
    math.randomseed(seed + 1)
    for line in io.lines(os.getenv("BENCH_REQUESTS")) do
        local path, tag = line:match("^(%S+)%s*(.*)$")
        lines[#lines + 1] = wrk.format("GET", path, tag ~= "" and {["Host"] = wrk.headers["Host"], ["If-None-Match"] = tag} or nil)
    end
end
function request() return lines[math.random(#lines)] end
"""


class Bench:
    """What a run measures with, and the figures so far."""

    def __init__(self, arguments, mode, program, load, work):
        self.arguments, self.mode, self.program, self.load, self.work = arguments, mode, program, load, Path(work)
        self.rounds = arguments.rounds or mode.rounds
        self.peers = [name for name, *_ in arguments.peer]
        self.figures = []
        # Why rows have no figures.
        self.failures = {}
        # Rows that this machine cannot measure.
        self.left_out = set()
        self.script = self.work / "requests.lua"
        self.script.write_text(WRK_SCRIPT)
        self.serial = 0

    def wants(self, *names):
        """Whether one of these rows is measured; an unknown one is a mistake in the script."""
        return any(words in name or words == BY_NAME[name].section for name in names for words in self.arguments.only or [""])

    def measure(self, size, name, servers, take, prepare=None, with_cpu=True):
        """Takes a figure of each server in turn, in rounds. `take` gives a dictionary of numbers; `prepare` runs before
        the CPU counts."""
        if not self.wants(name):
            return
        try:
            taken = self.taken(servers, take, prepare, with_cpu)
        except SystemExit as failure:
            # A row that fails does not cost the others their figures. A signal does.
            if not isinstance(failure.code, str):
                raise
            self.failures[f"{name}, {size:,} crates"] = failure.code
            return say(f"{name}, {size:,} crates: {failure.code}")
        self.figures.append({"crates": size, "name": name,
                             "servers": {server: median(rounds) for server, rounds in taken.items()}})
        say(line_of(self.figures[-1]))

    def taken(self, servers, take, prepare, with_cpu):
        """What `take` gives, of each server and round."""
        taken = {server.name: [] for server in servers}
        for number in range(self.rounds):
            # The first of a round has the coldest caches.
            for server in servers[number % len(servers):] + servers[:number % len(servers)]:
                if prepare:
                    prepare(server)
                before = cpu(server.pid)
                one = take(server)
                if with_cpu and one.get("count"):
                    used = {name: seconds * 1e6 / one["count"] for name, seconds in (cpu(server.pid) - before).items()}
                    one.update(cpu_us=sum(used.values()), cpu_us_of=used)
                taken[server.name].append(one)
        return taken

    def name_of(self, what):
        """A prefix for names of crates that nobody has used."""
        self.serial += 1
        return f"{what}{os.getpid()}r{self.serial}c"

    # ---- Clients

    def client(self, *arguments):
        return json.loads(run(self.load, *arguments, stdout=subprocess.PIPE).stdout)

    def publish(self, server, prefix, clients, count, version="1.0.0"):
        return self.client("publish", server.url, server.token, prefix, version, clients, count, 0)

    def floor(self, server):
        """The durable writes of publishes alone, without a server: its CPU would not count."""
        figures = self.client("floor", server.directory, self.name_of("f"), self.mode.publishes)
        return {metric: value for metric, value in figures.items() if metric != "count"}

    def warm_up(self, server):
        """Each connection to PostgreSQL prepares statements and reads catalogs once, and its first plans are others."""
        name = self.name_of("w")
        for clients in (32, 1):
            self.publish(server, f"{name}{clients}x", clients, 4 * self.mode.publishes)
        self.yank(server, f"{name}1x0x0", "1.0.0")

    def yank(self, server, name, version):
        return self.client("yank", server.url, server.token, name, version, self.mode.publishes)

    def gets(self, server, paths):
        """One client reads these paths in turn."""
        return self.client("get", server.url, self.listed(server, paths), self.mode.seconds)

    def listed(self, server, lines):
        file = self.work / f"requests-{server.name}"
        file.write_text("\n".join(lines) + "\n")
        return file

    def wrk(self, server, lines, connections, seconds, absent=False, counts_errors=False):
        """wrk takes some of these requests at random, as fast as it can; `absent` if all are answered 404. Errors are
        counted, or end the row."""
        out = run(*self.wrk_command(server, lines, connections, seconds), stdout=subprocess.PIPE,
                  env=self.wrk_environment(server)).stdout
        count = int(re.search(r"(\d+) requests in", out)[1])
        broken = re.search(r"Socket errors: (.*)", out)
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        refused = int(refused[1]) if refused else 0
        errors = sum(map(int, re.findall(r"\d+", broken[1] if broken else ""))) + refused - (count if absent else 0)
        if errors and not counts_errors:
            fail(f"{server.name} answered {lines[0].split()[0]} and its like unexpectedly:\n{out}")
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        return {"count": count, "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
                "p99_ms": float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]],
                **({"errors": errors} if counts_errors else {})}

    def wrk_command(self, server, lines, connections, seconds):
        self.listed(server, lines)
        return ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", self.script, server.url]

    def wrk_environment(self, server):
        return {**os.environ, "BENCH_REQUESTS": str(self.work / f"requests-{server.name}")}


def median(rounds):
    """The median of each number. Of groups of numbers too; statuses are counted together."""
    result = {}
    for key, value in rounds[0].items():
        values = [one[key] for one in rounds if key in one]
        if key == "statuses":
            result[key] = {status: sum(one.get(status, 0) for one in values) for status in sorted(set().union(*values))}
        elif isinstance(value, dict):
            result[key] = {part: statistics.median(one.get(part, 0) for one in values)
                           for part in sorted(set().union(*values))}
        else:
            result[key] = statistics.median(values)
    return result
