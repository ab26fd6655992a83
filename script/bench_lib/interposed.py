"""What interposed.c does in a server: flushes that take as long as on a slower disk, and notes of what happened when."""

import collections
import mmap
import os
import shutil
import struct
import tempfile
from pathlib import Path

from .common import run

FLUSHED, FROM_CLIENT, TO_CLIENT, TO_DATABASE, FROM_DATABASE = range(1, 6)
# As in interposed.c. Times are nanoseconds.
HEAD, NOTE = struct.Struct("4Q"), struct.Struct("2Q4i96s")
CAPACITY = 200_000

Note = collections.namedtuple("Note", "begin end pid thread what descriptor path")


def is_possible():
    return shutil.which("cc") is not None


class Interposed:
    """The library, compiled, and the memory that it shares with this script."""

    def __init__(self, work):
        self.library = Path(work) / "interposed.so"
        run("cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", self.library, Path(__file__).parent / "interposed.c", "-ldl")
        # In memory, so that the disk that is measured has nothing to do with it.
        directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else work
        with tempfile.NamedTemporaryFile(dir=directory, prefix="supercargo-bench-", delete=False) as file:
            self.path = file.name
            file.truncate(HEAD.size + CAPACITY * NOTE.size)
            file.flush()
            self.memory = mmap.mmap(file.fileno(), 0)
        # As root, PostgreSQL runs as another user.
        os.chmod(self.path, 0o666)
        self.library.chmod(0o755)
        self.set(flush_ms=0, is_noting=False)

    def environment(self):
        return {**os.environ, "LD_PRELOAD": str(self.library), "BENCH_INTERPOSED": self.path}

    def set(self, flush_ms, is_noting):
        """From now on; earlier notes are forgotten."""
        HEAD.pack_into(self.memory, 0, int(flush_ms * 1e6), is_noting, 0, CAPACITY)

    def notes(self):
        count = min(HEAD.unpack_from(self.memory)[2], CAPACITY)
        found = [Note(*NOTE.unpack_from(self.memory, HEAD.size + place * NOTE.size)) for place in range(count)]
        found = [note._replace(path=note.path.split(b"\0")[0].decode(errors="replace")) for note in found]
        return sorted(note for note in found if note.end)

    def close(self):
        self.memory.close()
        os.unlink(self.path)
