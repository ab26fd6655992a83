"""What every part of script/bench uses."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("SUPERCARGO_BENCH_DIR", "/var/tmp/supercargo-bench"))


def fail(message):
    sys.exit(f"script/bench: {message}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command; an error of it ends the script with the command's name."""
    command = [str(part) for part in command]
    ended = subprocess.run(command, text=True, **options)
    if ended.returncode != 0:
        fail(f"`{' '.join(command)}` ended with status {ended.returncode}: see its messages above")
    return ended
