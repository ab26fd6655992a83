"""Flame graphs: where the CPU goes while a registry takes publishes or answers reads."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from .common import ROOT, fail, run, say
from .processes import end, running, start, tree

INFERNO = "0.12.8"
# Samples a second. The stack that is kept for each is unwound later.
FREQUENCY, STACK = 499, 16_384
# Of the width; narrower frames are left out.
NARROWEST = 0.3
CONNECTIONS = 64


def draw(bench, server, names, directory):
    """Writes publish.svg and read.svg into a directory."""
    if not shutil.which("perf"):
        fail("perf was not found: install it, on Debian with `apt-get install linux-perf`")
    inferno = tools()
    directory.mkdir(parents=True, exist_ok=True)
    seconds = max(1, round(2 * bench.mode.seconds))
    some = names[::max(1, len(names) // bench.mode.names)][:bench.mode.names]
    bench.warm_up(server)
    # Files are read from the repository once.
    bench.wrk(server, some, CONNECTIONS, seconds)

    def publishes(stop):
        while not stop.is_set():
            bench.publish(server, bench.name_of("g"), 8, 4 * bench.mode.publishes)

    def reads(stop):
        bench.wrk(server, some, CONNECTIONS, seconds + 2)
        stop.wait()

    for what, title, load in (("publish", "8 clients publish new crates", publishes),
                              ("read", f"{CONNECTIONS} connections read the sparse index", reads)):
        recorded = record(bench, server, load, seconds)
        graph(inferno, recorded, directory / f"{what}.svg", f"supercargo: {title}, with its PostgreSQL")
        recorded.unlink()


def tools():
    """Where inferno's programs are; installed once for this working copy."""
    if shutil.which("inferno-flamegraph") and shutil.which("inferno-collapse-perf"):
        return Path(shutil.which("inferno-flamegraph")).parent
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "inferno"
    if not (target / "bin" / "inferno-flamegraph").exists():
        say(f"installing inferno into {target}, once")
        run("cargo", "install", "--quiet", "--locked", "--version", INFERNO, "--target-dir", target / "build", "--root",
            target, "inferno")
    return target / "bin"


def record(bench, server, load, seconds):
    """What perf saw of all processes of a server while it was under load."""
    output, stop = bench.work / "perf.data", threading.Event()
    loading = threading.Thread(target=load, args=(stop,))
    loading.start()
    try:
        pids = ",".join(map(str, tree(server.pid)))
        recording = start(["perf", "record", "--quiet", "-F", FREQUENCY, "--call-graph", f"dwarf,{STACK}", "-p", pids,
                           "-o", output, "--", "sleep", seconds])
        recording.wait()
        running.remove(recording)
        if recording.returncode != 0:
            fail("perf could not record: run this as root, or allow it with `sysctl kernel.perf_event_paranoid=1`")
    finally:
        stop.set()
        loading.join()
    return output


def graph(inferno, recorded, svg, title):
    say(f"drawing {svg}")
    # Looking up inlined functions takes minutes and changes little.
    script = subprocess.Popen(["perf", "script", "--no-inline", "-i", recorded], stdout=subprocess.PIPE)
    collapse = subprocess.Popen([inferno / "inferno-collapse-perf", "--skip-after", "start_thread"], stdin=script.stdout,
                                stdout=subprocess.PIPE)
    script.stdout.close()
    with open(svg, "wb") as file:
        run(inferno / "inferno-flamegraph", "--minwidth", str(NARROWEST), "--title", title, "--colors", "rust", "--hash",
            stdin=collapse.stdout, stdout=file)
    if script.wait() != 0 or collapse.wait() != 0:
        fail("perf's record could not be read: see its messages above")
    svg.write_text(still(svg.read_text()))
    say(f"{svg}: {svg.stat().st_size / 1000:.0f} kB")


def still(svg):
    """The picture without inferno's program, which pages that show it do not run, and without the program's buttons."""
    svg = re.sub(r"<script.*?</script>", "", svg, flags=re.DOTALL).replace(' onload="init(evt)"', "")
    svg = re.sub(r'<text id="(details|unzoom|search|matched)".*?</text>', "", svg)
    # Without the program nothing shortens the names that do not fit.
    return re.sub(r' fg:[xw]="\d+"', "", svg)
