"""Registries of any size, generated once and kept."""

import hashlib
import shutil
import subprocess
import urllib.request
from pathlib import Path

from .common import CACHE, ROOT, run, say
from .processes import serve

# Part of the names of kept registries: another number generates them anew.
FORMAT = 2


def generated(size, program, load, is_baseline=False):
    """A stopped registry with this many crates and its static files, generated at the first call.

    A registry does not start with a program that lacks one of its migrations. So the baseline has its own, and a new
    migration generates them anew.
    """
    if is_baseline:
        made_by = Path(program).read_bytes()
    else:
        made_by = "\n".join(sorted(migration.name for migration in (ROOT / "migrations").iterdir())).encode()
    kept = CACHE / f"{FORMAT}-{size}-{hashlib.sha256(made_by).hexdigest()[:12]}"
    if (kept / "done").exists():
        return kept
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    kept.chmod(0o711)
    say(f"generating {size:,} crates in {kept}, once for {program}")
    # It warns of versions whose crate files it cannot analyse.
    server, _ = serve("new", program, kept / "data", log="error")
    try:
        run(load, "populate", kept / "data", size, kept / "files")
        for crate, size_of_file in (("small", 20_000), ("large", 1_000_000)):
            run(load, "publish", server.url, server.token, crate, "1.0.0", 1, 1, size_of_file, stdout=subprocess.DEVNULL)
            with urllib.request.urlopen(f"{server.url}/api/v1/crates/{crate}0x0/1.0.0/download") as answer:
                (kept / "files" / f"{crate}.crate").write_bytes(answer.read())
    finally:
        server.stop()
    (kept / "done").touch()
    return kept


def copied(kept, directory):
    run("cp", "-a", "--reflink=auto", kept / "data", directory)
    return directory
