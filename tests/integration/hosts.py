"""Hosts on one machine: network namespaces on a bridge, each with its own name and processes.

A host can read the code, wherever it lies; the one place where it can write is a `/tmp` that no other sees.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NETWORK = "10.77.0"
_ENTER = """
name=$0 root=$1; shift
mount --make-rprivate /
mount -o remount,bind,ro /
exec 9< "$root"
for place in /tmp /run /dev/shm; do mount -t tmpfs none $place; done
if [ ! -e "$root" ]; then mkdir -p "$root"; mount --no-canonicalize --bind /proc/self/fd/9 "$root"; fi
exec 9<&-
hostname "$name"
mkdir -p /tmp/home /tmp/here
cd /tmp/here
HOME=/tmp/home exec "$@"
"""


@dataclass
class Host:
    """One host. `name` is its host name."""

    name: str
    address: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """Additional environment of its commands."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """Name of its network namespace, unique per process."""
        return f"{self.name}-{os.getpid()}"

    def command(self, *arguments: str) -> list[str]:
        """Start a command on the host; its children end with it."""
        return [
            *("ip", "netns", "exec", self.namespace),
            *("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-ec", _ENTER, self.name, str(ROOT), *arguments),
        ]

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd="/",
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, stdin: str = "", timeout_s: float = 120) -> str:
        """Run a command; returns its output."""
        done = subprocess.run(
            self.command(*arguments),
            cwd="/",
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def die(self) -> None:
        """Kill all processes at once, as a power failure would, through the namespace's first process."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def _environment(self) -> dict[str, str]:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("VOXCHORD_", "AWS_"))
        }
        return {**clean, "VOXCHORD_STATE": "/tmp/here/state", **self.environment}


@contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """Create hosts that reach only each other; the first has the bridge and address `.1`."""
    made = [Host(name, f"{NETWORK}.{number}") for number, name in enumerate(names, start=1)]
    first, *others = (host.namespace for host in made)
    with ExitStack() as ending:
        for name in (first, *others):
            _ip("netns", "add", name)
            ending.callback(_ip, "netns", "del", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", first, "link", "add", "bridge", "type", "bridge")
        _ip("-n", first, "addr", "add", f"{NETWORK}.1/24", "dev", "bridge")
        _ip("-n", first, "link", "set", "bridge", "up")
        for number, name in enumerate(others, start=2):
            _ip("-n", first, "link", "add", f"to{number}", "type", "veth", "peer", "eth0", "netns", name)
            _ip("-n", first, "link", "set", f"to{number}", "master", "bridge", "up")
            _ip("-n", name, "addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
        for host in made:
            ending.callback(host.die)
        yield made


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)} (root and iproute2 are needed): {done.stderr}"
