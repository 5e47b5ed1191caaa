from pathlib import Path

import pytest

from pipeline.cgroup import memory_available_bytes, memory_limit_bytes, own_cgroups

Files = dict[str, str | int]
UNLIMITED_V1 = 9223372036854771712


def machine(root: Path, table: str, files: Files) -> Path:
    """Write a tree with /proc/self/cgroup and the files of /sys/fs/cgroup."""
    tree = {"proc/self/cgroup": table, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}
    for name, text in tree.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n" if text != "" else "")
    return root


def v2(group: str, limit: str | int, used: int = 0, inactive_file: int = 0, active_file: int = 0) -> Files:
    return {
        f"{group}cgroup.controllers": "memory",
        f"{group}memory.max": limit,
        f"{group}memory.current": used,
        f"{group}memory.stat": f"anon 1\ninactive_file {inactive_file}\nactive_file {active_file}",
    }


def v1(group: str, limit: int, used: int = 0, inactive_file: int = 0) -> Files:
    stat = f"inactive_file 1\ntotal_inactive_file {inactive_file}\ntotal_active_file 0"
    return {
        f"memory/{group}memory.limit_in_bytes": limit,
        f"memory/{group}memory.usage_in_bytes": used,
        f"memory/{group}memory.stat": stat,
    }


SERVICE = "system.slice/voxchord.service/"
HOST_V2: Files = {"cgroup.controllers": "memory"}
"""The root group of a host has no limit and no file for one."""


def test_v2_service_on_a_host_has_its_own_limit(tmp_path: Path) -> None:
    files = HOST_V2 | v2("system.slice/", "max") | v2(SERVICE, 24_000, used=9_000)
    root = machine(tmp_path, f"0::/{SERVICE.rstrip('/')}", files)
    assert memory_limit_bytes(root) == 24_000
    assert memory_available_bytes(root) == 15_000
    assert own_cgroups(root).unified == root / "sys/fs/cgroup" / SERVICE


def test_v1_group_has_its_own_limit(tmp_path: Path) -> None:
    files = v1("", UNLIMITED_V1) | v1("batch/", 8_000, used=3_000, inactive_file=1_000)
    root = machine(tmp_path, "4:memory:/batch\n1:cpu,cpuacct:/\n0::/", files)
    assert memory_limit_bytes(root) == 8_000
    assert memory_available_bytes(root) == 6_000
    assert own_cgroups(root).unified is None


@pytest.mark.parametrize(
    ("table", "files"),
    [
        ("0::/", HOST_V2),
        ("0::/a", HOST_V2 | v2("a/", "max", used=5)),
        ("4:memory:/a", v1("", UNLIMITED_V1) | v1("a/", UNLIMITED_V1, used=5)),
        ("", {}),
    ],
    ids=["v2-root", "v2-group", "v1", "no-cgroups"],
)
def test_no_limit_is_none(tmp_path: Path, table: str, files: Files) -> None:
    root = machine(tmp_path, table, files)
    assert memory_limit_bytes(root) is None
    assert memory_available_bytes(root) is None


def test_machine_without_proc_has_no_limit(tmp_path: Path) -> None:
    assert memory_limit_bytes(tmp_path) is None


def test_smaller_limit_of_a_parent_decides_v2(tmp_path: Path) -> None:
    files = HOST_V2 | v2("pod/", 10_000, used=7_000) | v2("pod/worker/", 24_000, used=2_000)
    root = machine(tmp_path, "0::/pod/worker", files)
    assert memory_limit_bytes(root) == 10_000
    assert memory_available_bytes(root) == 3_000


def test_smaller_limit_of_a_parent_decides_v1(tmp_path: Path) -> None:
    files = (
        v1("", UNLIMITED_V1) | v1("pod/", 10_000, used=7_000) | v1("pod/worker/", UNLIMITED_V1, used=2_000)
    )
    root = machine(tmp_path, "4:memory:/pod/worker", files)
    assert memory_limit_bytes(root) == 10_000
    assert memory_available_bytes(root) == 3_000


def test_fuller_parent_decides_over_a_smaller_limit(tmp_path: Path) -> None:
    files = HOST_V2 | v2("pod/", 10_000, used=9_500) | v2("pod/worker/", 4_000, used=2_000)
    root = machine(tmp_path, "0::/pod/worker", files)
    assert memory_limit_bytes(root) == 4_000
    assert memory_available_bytes(root) == 500


def test_container_mount_is_the_group_where_the_path_is_the_hosts(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/kubepods/pod1/c2", v2("", 6_000, used=1_000))
    assert memory_limit_bytes(root) == 6_000
    assert memory_available_bytes(root) == 5_000


def test_pages_of_files_are_available(tmp_path: Path) -> None:
    files = v2("", 6_000, used=5_000, inactive_file=2_500, active_file=1_500)
    assert memory_available_bytes(machine(tmp_path, "0::/", files)) == 5_000


def test_group_over_its_limit_has_nothing_left(tmp_path: Path) -> None:
    assert memory_available_bytes(machine(tmp_path, "0::/", v2("", 1_000, used=1_200))) == 0
