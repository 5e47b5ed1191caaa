"""Tests of pinned devices, worker names, queues and slots, with a stub of NVML."""

import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.engines.registry import Engines
from pipeline.errors import OptionError
from tasks.metering.probes.nvml import Nvml
from tasks.settings import Settings
from tasks.worker import commands, devices

THREADS = Engines().load("vibevoice").profile
PREFORK = replace(THREADS, pool="prefork")
MIG = "MIG-7b3a1c5e-0000-0000-0000-000000000000"


def driver(count: int) -> Nvml:
    """Driver stub with that many devices."""
    module: Any = SimpleNamespace(NVMLError=LookupError, nvmlDeviceGetCount=lambda: count)
    return Nvml(module)


def no_driver() -> Nvml | None:
    return None


@pytest.mark.parametrize(
    ("wanted", "visible", "device"),
    [
        ("2", None, "2"),
        ("0", "3,5", "3"),
        ("1", "3, 5", "5"),
        ("1", f"GPU-1f0c,{MIG}", MIG),
        ("GPU-1f0c", "3,5", "GPU-1f0c"),
        (MIG, None, MIG),
        ("0", "", ""),
        ("1", "-1", ""),
    ],
)
def test_pinning_selects_from_visible_devices(wanted: str, visible: str | None, device: str) -> None:
    assert devices.pinned(wanted, visible) == device


@pytest.mark.parametrize(
    ("wanted", "visible"), [("2", "3,5"), ("-1", None), ("cuda:0", None), ("1", "3,-1,5")]
)
def test_pinning_rejects_a_device_that_is_not_there(wanted: str, visible: str | None) -> None:
    with pytest.raises(OptionError, match="gpu"):
        devices.pinned(wanted, visible)


@pytest.mark.parametrize(
    ("wanted", "visible", "title", "device"),
    [
        ("0", None, "gpu0", "0"),
        ("0", "3", "gpu3", "3"),
        ("0", "", "gpu0", "0"),
        (MIG, None, f"gpu-{MIG}", MIG),
        ("MIG-GPU-1f0c/1/0", None, "gpu-MIG-GPU-1f0c-1-0", "MIG-GPU-1f0c/1/0"),
    ],
)
def test_names_and_queues_belong_to_the_device(
    wanted: str, visible: str | None, title: str, device: str
) -> None:
    spec = commands.gpu(wanted, THREADS, 8, visible)
    assert spec.name == title
    assert spec.queues[-1] == f"gpu.{socket.gethostname()}.{device}"
    assert commands.environment(spec, Settings())["CUDA_VISIBLE_DEVICES"] == ("" if visible == "" else device)


def test_gpu_workers_have_64_slots_and_waiting_threads() -> None:
    slots = devices.default_slots(THREADS, None, lambda: driver(8))
    assert commands.gpu("0", THREADS, slots).concurrency == 64 + commands.WAITING
    assert commands.local(THREADS, 2, slots)[-1].concurrency == 64 + commands.WAITING


def test_workers_without_a_gpu_have_8_slots() -> None:
    assert devices.default_slots(THREADS, None, no_driver) == 8
    assert devices.default_slots(THREADS, None, lambda: driver(0)) == 8
    assert devices.default_slots(THREADS, "", lambda: driver(8)) == 8
    assert devices.default_slots(PREFORK, None, lambda: driver(8)) == 1


def test_compiled_kernels_are_stored_where_the_environment_says_or_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setenv("TRITON_CACHE_DIR", "/elsewhere")
    settings = Settings(state=tmp_path)
    on_gpu = commands.environment(commands.gpu("0", THREADS, 1, visible="0"), settings)
    assert on_gpu["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "kernels" / "inductor")
    assert on_gpu["TRITON_CACHE_DIR"] == "/elsewhere"
    assert "TORCHINDUCTOR_CACHE_DIR" not in commands.environment(commands.cpu(1), settings)
