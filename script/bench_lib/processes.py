"""Servers: starting them, stopping all of them, and the CPU and memory that they use."""

import collections
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .common import fail

TICKS = os.sysconf("SC_CLK_TCK")
# Long enough for the slowest start, and for a stop that completes its requests.
PATIENCE = 120

running = []


# ---- CPU and memory


def stat(pid):
    """Name, parent, own CPU and that of ended children of a process; None if it is gone."""
    try:
        name, fields = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = fields.split()
    return name, int(fields[1]), cpu_clock(int(pid)), (int(fields[13]) + int(fields[14])) / TICKS


def cpu_clock(pid):
    """Seconds of CPU of a process with all its threads, to the nanosecond. /proc has ticks of 10 ms."""
    try:
        # The clock that clock_getcpuclockid(3) would give.
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def tree(root):
    """The processes from `root` downwards, as `stat` tells of them."""
    found = {int(entry): stat(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    found = {pid: one for pid, one in found.items() if one}
    pids, grown = {root}, True
    while grown:
        more = {pid for pid, one in found.items() if one[1] in pids} - pids
        grown = bool(more)
        pids |= more
    return {pid: found[pid] for pid in pids if pid in found}


def cpu(root):
    """Seconds of CPU of a process and everything below it, by program. What ended below supercargo was git."""
    used = collections.Counter()
    for name, _, own, ended in tree(root).values():
        used[name] += own
        used["git" if name == "supercargo" else name] += ended
    return used


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


# ---- Servers


class Server:
    """A server that is measured: its URL, and the process whose CPU counts."""

    def __init__(self, name, url, pid, token=None, child=None, directory=None):
        self.name, self.url, self.pid, self.token, self.child = name, url, pid, token, child
        self.directory = directory
        self.host = url.split("//", 1)[1]

    def stop(self):
        if self.child:
            end(self.child)


def start(command, **options):
    """Starts a process that `stop_all` ends. It does not get the terminal's Ctrl-C, so that it ends in order."""
    child = subprocess.Popen([str(part) for part in command], start_new_session=True, **options)
    running.append(child)
    return child


def end(child):
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child in running:
        running.remove(child)


def stop_all():
    for child in list(running):
        end(child)


def serve(name, program, data_dir, log="warn", environment=None, options=()):
    """Starts `serve`, and tells how long that took in milliseconds."""
    begin = time.monotonic()
    child = start([program, "serve", "--listen", "127.0.0.1:0", "--log", log, "--rate-limit", "none",
                   "--upload-allowance", "0", "--max-connections", "4096", "--max-connections-per-address", "4096",
                   # Which would begin soon after the start, and count as CPU of requests.
                   "--verify-interval", "0s", "--data-dir", data_dir, *options], stdout=subprocess.DEVNULL, env=environment)
    file = Path(data_dir) / "url"
    wait(f"`{program} serve` in {data_dir}", child, file.exists)
    took = (time.monotonic() - begin) * 1000
    token = (Path(data_dir) / "admin-token").read_text().strip()
    return Server(name, file.read_text().strip(), child.pid, token, child, Path(data_dir)), took


def nginx(directory, files):
    """nginx with static files; it runs as root if this script does, so that it can read them."""
    port = free_port()
    configuration = Path(directory) / "nginx.conf"
    configuration.write_text(f"""daemon off; pid {directory}/nginx.pid; error_log stderr error; worker_processes auto;
events {{ worker_connections 4096; }}
http {{
    access_log off; log_not_found off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    server {{ listen 127.0.0.1:{port} backlog=4096; root {files}; }}
}}
""")
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    child = start(["nginx", "-p", directory, "-c", configuration, *user])
    wait("nginx", child, lambda: listens(port))
    return Server("nginx", f"http://127.0.0.1:{port}", child.pid, child=child)


def git_daemon(data_dir):
    """git's own server on the index of a registry."""
    port = free_port()
    child = start(["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}",
                   f"--base-path={data_dir}", data_dir], stderr=subprocess.DEVNULL)
    wait("git daemon", child, lambda: listens(port))
    return Server("git daemon", f"git://127.0.0.1:{port}", child.pid, child=child)


def wait(what, child, is_ready):
    deadline = time.monotonic() + PATIENCE
    while not is_ready():
        if child.poll() is not None:
            fail(f"{what} ended with status {child.returncode}: see its messages above")
        if time.monotonic() > deadline:
            fail(f"{what} was not ready after {PATIENCE} s")
        time.sleep(0.001)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def established(port):
    """How many connections a server has accepted on this port of 127.0.0.1."""
    local = f"0100007F:{port:04X}"
    fields = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(field[1] == local and field[3] == "01" for field in fields)
