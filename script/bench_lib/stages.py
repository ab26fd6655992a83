"""Where the time of a publish goes, and what it costs on a disk that is slow to flush. Both from notes of a server's own
flushes and messages (interposed.c), without a line of the server's code."""

import collections
import shutil
import statistics
from pathlib import Path

from .common import fail, say
from .interposed import TO_CLIENT, TO_DATABASE, FLUSHED, FROM_CLIENT, FROM_DATABASE, Interposed, is_possible
from .processes import serve
from .registries import copied
from .rows import FLUSH_MS, SLOW_FLUSH, STAGES, STAGES_ROW

# Threads whose work a publish waits for. The threads that flush a pack's files have ended when they are looked up.
FOREGROUND = {"web", "crate-store", "worker-index", None}


def measure(bench, programs, empty):
    if not bench.wants(STAGES_ROW, SLOW_FLUSH):
        return
    if not is_possible():
        bench.left_out |= {STAGES_ROW, SLOW_FLUSH}
        return say(f"{STAGES_ROW}, {SLOW_FLUSH}: left out, because cc was not found: on Debian, `apt-get install gcc`")
    servers, memories = [], {}
    try:
        for name, program in programs.items():
            work = bench.work / f"stages-{name}"
            work.mkdir()
            work.chmod(0o711)
            memories[name] = Interposed(work)
            servers.append(serve(name, program, copied(empty, work / "data"), environment=memories[name].environment())[0])
            bench.warm_up(servers[-1])
        bench.measure(0, STAGES_ROW, servers, lambda server: stages(bench, server, memories[server.name]))
        bench.measure(0, SLOW_FLUSH, servers, lambda server: slow(bench, server, memories[server.name]))
    finally:
        for server in servers:
            server.stop()
            shutil.rmtree(server.directory)
        for memory in memories.values():
            memory.close()


def noted(bench, server, memory, flush_ms):
    """Figures of publishes by one client, and each of them as `Publish`."""
    memory.set(flush_ms, is_noting=True)
    figures = bench.publish(server, bench.name_of("n"), 1, bench.mode.publishes)
    found = publishes(server, memory.notes())
    memory.set(0, is_noting=False)
    if 2 * len(found) < figures["count"]:
        fail(f"of {figures['count']} publishes of {server.name}, only {len(found)} show the flushes of a crate file, of a "
             "commit and of the index in this order: script/bench_lib/stages.py expects them so")
    return figures, found


def slow(bench, server, memory):
    figures, found = noted(bench, server, memory, FLUSH_MS)
    return {**figures, "in_a_row": statistics.median(in_a_row(publish.flushes) for publish in found)}


def stages(bench, server, memory):
    figures, found = noted(bench, server, memory, 0)
    # Means, so that the parts come to the whole; without the slowest and fastest tenth, which others disturbed.
    found = sorted(found, key=lambda publish: publish.end - publish.begin)
    found = found[len(found) // 10:len(found) - len(found) // 10]
    means = {key: statistics.mean(publish.stages()[key] for publish in found) for key in found[0].stages()}
    return {"count": figures["count"], "stages": means}


# ---- From notes to publishes


Interval = collections.namedtuple("Interval", "begin end")


class Publish:
    """One publish: when it began and ended, its flushes, and its round trips to PostgreSQL."""

    def __init__(self, begin, end, flushes, trips):
        self.begin, self.end = begin, end
        self.trips = [trip for trip in trips if begin <= trip.begin and trip.end <= end]
        # One of the database counts if a round trip waits for it: others are in the background.
        self.flushes = [flush for flush in flushes if begin <= flush.begin and flush.end <= end and (
            of(flush) != "postgres" or any(trip.begin <= flush.begin and flush.end <= trip.end for trip in self.trips))]

    def bounds(self):
        """Where the stages end; None if the flushes are not in the order that is expected."""
        files, index = self.of("crates"), self.of("index.git")
        if not files or not index:
            return None
        stored, written = max(flush.end for flush in files), min(flush.begin for flush in index)
        commits = [flush for flush in self.of("postgres") if stored <= flush.begin and flush.end <= written]
        if not commits:
            return None
        commit = commits[0]
        return [self.begin, stored, commit.begin, commit.end, written, max(flush.end for flush in index), self.end]

    def of(self, part):
        return [flush for flush in self.flushes if of(flush) == part]

    def stages(self):
        """Milliseconds of each stage, of these in flushes and in round trips that do not wait for one, and the number of
        both."""
        bounds, figures = self.bounds(), {}
        for stage, begin, end in zip(STAGES, bounds, bounds[1:]):
            disk = covered(self.flushes, begin, end)
            figures[f"{stage}/all"] = (end - begin) / 1e6
            figures[f"{stage}/disk"] = disk / 1e6
            figures[f"{stage}/postgres"] = (covered(self.flushes + self.trips, begin, end) - disk) / 1e6
            figures[f"{stage}/flushes"] = sum(begin < flush.end <= end for flush in self.flushes)
            figures[f"{stage}/trips"] = sum(begin < trip.end <= end for trip in self.trips)
        return figures


def of(flush):
    """What a flushed file belongs to: a part of the data directory."""
    return next((part for part in ("postgres", "index.git", "crates") if f"/{part}/" in f"{flush.path}/"), "other")


def covered(intervals, begin, end):
    """How much of a time these intervals cover together."""
    total, reached = 0, begin
    for interval in sorted(intervals):
        first, last = max(interval.begin, reached), min(interval.end, end)
        if last > first:
            total, reached = total + last - first, last
    return total


def in_a_row(flushes):
    """The longest row of flushes of which each begins after the one before."""
    count, reached = 0, 0
    for flush in sorted(flushes, key=lambda flush: flush.end):
        if flush.begin >= reached:
            count, reached = count + 1, flush.end
    return count


def publishes(server, notes):
    """The requests of one client that came one after the other, as far as their stages are known."""
    names = {(note.pid, note.thread): name_of(note.pid, note.thread) for note in notes}
    ours = [note for note in notes if note.pid == server.pid and names[note.pid, note.thread] in FOREGROUND]
    flushes = [note for note in notes if note.what == FLUSHED and (note.pid != server.pid or note in set(ours))]
    trips = round_trips(ours)
    found, begin = [], None
    for note in ours:
        if note.what == FROM_CLIENT and begin is None:
            begin = note.begin
        elif note.what == TO_CLIENT and begin is not None:
            found.append(Publish(begin, note.end, flushes, trips))
            begin = None
    return [publish for publish in found if publish.bounds()]


def round_trips(notes):
    """From a message to PostgreSQL to the last of what comes back."""
    trips, open_trips = [], {}
    for note in notes:
        sent, received = open_trips.get(note.descriptor, (None, None))
        if note.what == TO_DATABASE and received:
            trips.append(Interval(sent, received))
            open_trips[note.descriptor] = (note.begin, None)
        elif note.what == TO_DATABASE:
            open_trips[note.descriptor] = (sent or note.begin, None)
        elif note.what == FROM_DATABASE and sent:
            open_trips[note.descriptor] = (sent, note.end)
    trips += [Interval(sent, received) for sent, received in open_trips.values() if received]
    return trips


def name_of(pid, thread):
    try:
        return Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
