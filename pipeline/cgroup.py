"""Cgroups of this process, version 2 or 1: their folders, and the memory that they allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
_MOUNT = Path("sys/fs/cgroup")
_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes the largest multiple of a page for a group without a limit."""


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Folders of the groups that this process is in; None for a hierarchy that is not mounted.

    A machine with both versions has its controllers in version 1, so `unified` is None there.
    """

    unified: Path | None
    memory: Path | None
    cpu: Path | None
    mounts: tuple[Path, ...]


def own_cgroups(root: Path = ROOT) -> Cgroups:
    """Find the groups of this process in /proc and /sys below `root`."""
    table = root / "proc/self/cgroup"
    lines = table.read_text().splitlines() if table.is_file() else []
    groups = {
        kind: path for _id, kinds, path in (line.split(":", 2) for line in lines) for kind in kinds.split(",")
    }
    mount = root / _MOUNT
    unified = _folder(mount, groups.get("", "/"), "cgroup.controllers")
    memory = _folder(mount / "memory", groups.get("memory", "/"), "memory.limit_in_bytes")
    cpu = _folder(mount / "cpu", groups.get("cpu", "/"), "cpu.stat")
    return Cgroups(unified, memory, cpu, (mount, mount / "memory"))


def memory_limit_bytes(root: Path = ROOT) -> int | None:
    """Smallest memory limit of the process' group and the groups around it; None without a limit."""
    return min((limit for _, limit in _limited(own_cgroups(root))), default=None)


def memory_available_bytes(root: Path = ROOT) -> int | None:
    """Memory that the process' group and the groups around it can still give; None without a limit.

    File pages count as available: the kernel drops them before it kills a process for memory.
    """
    rooms = (limit - _unreclaimable_bytes(group) for group, limit in _limited(own_cgroups(root)))
    return min((max(0, room) for room in rooms), default=None)


def _limited(cgroups: Cgroups) -> Iterator[tuple[Path, int]]:
    """Groups with a memory limit, from the process' own outwards, and the limits in bytes."""
    group = cgroups.unified or cgroups.memory
    while group is not None:
        name = "memory.max" if cgroups.unified else "memory.limit_in_bytes"
        limit = _number(group / name)
        if limit is not None and limit < _UNLIMITED_BYTES:
            yield group, limit
        group = None if group in cgroups.mounts else group.parent


def _unreclaimable_bytes(group: Path) -> int:
    """Memory in use by a group and the groups in it, without the pages of files."""
    for usage, prefix in (("memory.current", ""), ("memory.usage_in_bytes", "total_")):
        used = _number(group / usage)
        if used is not None:
            words = (line.split() for line in (group / "memory.stat").read_text().splitlines())
            pages = {name: int(value) for name, value in words}
            return used - pages[f"{prefix}inactive_file"] - pages[f"{prefix}active_file"]
    return 0


def _number(file: Path) -> int | None:
    """Number in a file; None for the word "max" and where the kernel has no such file."""
    text = file.read_text().strip() if file.is_file() else "max"
    return None if text == "max" else int(text)


def _folder(mount: Path, group: str, witness: str) -> Path | None:
    """Folder of the group. In a container its path is often the host's, and the mount is the group."""
    for path in (mount / group.strip("/"), mount):
        if (path / witness).exists():
            return path
    return None
