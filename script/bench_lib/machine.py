"""What a run was measured on."""

import os
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path

from .common import CACHE, ROOT


def machine(program):
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": output("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "supercargo": output(program, "--version"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": f"{platform.system()} {platform.release()}",
        "file_system": output("stat", "-f", "-c", "%T", CACHE),
        "flush_ms": flush_ms(),
        "postgres": postgres(),
        **{name: version(name, option) for name, option in (("git", "--version"), ("nginx", "-v"), ("wrk", "-v"))},
    }


def output(*command):
    try:
        ended = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        return "unknown"
    return ended.stdout.strip().split("\n")[0] or "unknown"


def version(program, option):
    found = re.search(r"\d+(\.\d+)+", output(program, option))
    return found[0] if found else "unknown"


def postgres():
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return version(programs[-1] if programs else "postgres", "--version")


def processor():
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def flush_ms():
    """How long the disk takes for a page that has to be durable: the median of a hundred."""
    file, times = CACHE / "flushed", []
    with open(file, "wb", buffering=0) as written:
        for _ in range(100):
            written.write(bytes(8192))
            begin = time.monotonic()
            os.fdatasync(written.fileno())
            times.append((time.monotonic() - begin) * 1000)
    file.unlink()
    return round(statistics.median(times), 3)
