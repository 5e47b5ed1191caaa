"""Tests of GPU measurement with a stub of NVML, since the tests run without a GPU."""

import os
import sys
from ctypes import c_uint
from types import SimpleNamespace
from typing import Any

import pytest

from db.schema import task_run
from tasks.metering.probes.gpu import Gpu, GpuRun, device
from tasks.metering.probes.nvml import Nvml

GIB = 1 << 30


class NVMLError(Exception):
    pass


class Driver:
    """Stub of the module `pynvml`: one H100 with the given answers; it refuses all other calls."""

    NVMLError = NVMLError

    def __init__(self, **refused: bool) -> None:
        self.refused = refused
        self.energy_mj = 5_000_000
        self.used = 2 * GIB
        self.processes = [SimpleNamespace(pid=os.getpid(), usedGpuMemory=GIB)]

    def _answer(self, name: str, value: Any) -> Any:
        if self.refused.get(name):
            raise NVMLError(3)  # not supported
        return value

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return self._answer("handle", f"device {index}")  # type: ignore[no-any-return]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return f"device {uuid}"

    def nvmlDeviceGetCount(self) -> int:
        return 8

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return "GPU-1f0c5a52-0000-0000-0000-000000000000"

    def nvmlDeviceGetName(self, handle: str) -> str:
        return "NVIDIA H100 80GB HBM3"

    def nvmlDeviceIsMigDeviceHandle(self, handle: str) -> c_uint:
        return c_uint(0)  # as pynvml answers

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.86.15"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12080

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:
        return self._answer(
            "memory", SimpleNamespace(total=80 * GIB, used=self.used, free=80 * GIB - self.used)
        )

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:
        return self._answer("rates", SimpleNamespace(gpu=50, memory=20))

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return self._answer("power", 400_000)  # type: ignore[no-any-return]

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:
        return 61

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:
        return 0x4 | 0x1

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        self.energy_mj += 100_000
        return self._answer("energy", self.energy_mj)  # type: ignore[no-any-return]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[Any]:
        return self._answer("processes", self.processes)  # type: ignore[no-any-return]

    def nvmlDeviceGetSamples(self, handle: str, kind: int, since_us: int) -> Any:
        values = [SimpleNamespace(sampleValue=SimpleNamespace(uiVal=value)) for value in (0, 80, 100)]
        return self._answer("samples", (1, values))

    def nvmlDeviceGetProcessUtilization(self, handle: str, since_us: int) -> list[Any]:
        answer = [SimpleNamespace(pid=os.getpid(), smUtil=70), SimpleNamespace(pid=1, smUtil=5)]
        return self._answer("process_use", answer)  # type: ignore[no-any-return]


def begin(driver: Driver, visible: str = "0") -> GpuRun:
    run = Gpu(Nvml(driver), visible).begin(alone=True)
    assert run is not None
    return run


def test_driver_figures_become_columns() -> None:
    driver = Driver()
    run = begin(driver)
    driver.used = 6 * GIB
    driver.processes[0].usedGpuMemory = 5 * GIB
    assert run.sample() == {"gpu_util_pct": 50.0, "gpu_mem_bytes": 6 * GIB, "gpu_power_w": 400.0}
    driver.used = 3 * GIB
    driver.processes[0].usedGpuMemory = 2 * GIB
    row = run.end(2.0, 1)
    assert row.keys() <= set(task_run.columns.keys())
    assert {name: value for name, value in row.items() if value is not None} == {
        "gpu_count": 1,
        "gpu_uuid": "GPU-1f0c5a52-0000-0000-0000-000000000000",
        "gpu_name": "NVIDIA H100 80GB HBM3",
        "gpu_mig": 0,
        "driver_version": "570.86.15",
        "cuda_version": "12.8",
        "gpu_mem_total_bytes": 80 * GIB,
        "gpu_mem_device_peak_bytes": 6 * GIB,
        "gpu_mem_proc_peak_bytes": 5 * GIB,
        "gpu_mem_method": "nvml_pid",
        "gpu_util_mean_pct": 60.0,
        "gpu_util_max_pct": 100.0,
        "gpu_active_s": pytest.approx(1.2),
        "gpu_membw_mean_pct": 20.0,
        "gpu_sm_proc_pct": 70.0,
        "gpu_power_mean_w": 400.0,
        "gpu_temp_max_c": 61,
        "gpu_throttle_reasons": "power_cap",
        "gpu_cotenants_max": 0,
        "gpu_energy_j": 100.0,
        "energy_method": "nvml_counter",
        "energy_scope": "device_exclusive",
    }


def test_device_growth_replaces_process_memory_in_containers() -> None:
    driver = Driver()
    driver.processes = [SimpleNamespace(pid=1, usedGpuMemory=GIB), SimpleNamespace(pid=2, usedGpuMemory=None)]
    run = begin(driver)
    driver.used = 7 * GIB
    run.sample()
    row = run.end(1.0, 1)
    assert (row["gpu_mem_proc_peak_bytes"], row["gpu_mem_method"]) == (5 * GIB, "device_delta")
    assert row["energy_scope"] == "device_shared"


def test_overlapping_attempts_divide_additive_figures() -> None:
    row = begin(Driver()).end(2.0, 0.5)
    assert (row["gpu_energy_j"], row["energy_scope"]) == (50.0, "share_by_time")
    assert row["gpu_active_s"] == pytest.approx(0.6)
    assert row["gpu_util_mean_pct"] == 60.0


def test_refused_driver_figures_are_null() -> None:
    refused = ("memory", "rates", "power", "energy", "processes", "samples", "process_use")
    run = begin(Driver(**dict.fromkeys(refused, True)))
    run.sample()
    row = run.end(1.0, 1)
    unknown = {
        "gpu_mem_total_bytes",
        "gpu_mem_device_peak_bytes",
        "gpu_mem_proc_peak_bytes",
        "gpu_util_mean_pct",
        "gpu_active_s",
        "gpu_sm_proc_pct",
        "gpu_power_mean_w",
        "gpu_energy_j",
        "gpu_cotenants_max",
    }
    assert {row.get(name) for name in unknown} == {None}
    assert row["gpu_name"] == "NVIDIA H100 80GB HBM3"


def test_energy_without_a_counter_is_mean_power_times_time() -> None:
    row = begin(Driver(energy=True)).end(2.0, 1)
    assert (row["gpu_energy_j"], row["energy_method"]) == (800.0, "nvml_power")


def test_own_samples_replace_missing_driver_samples() -> None:
    row = begin(Driver(samples=True)).end(2.0, 1)
    assert (row["gpu_util_mean_pct"], row["gpu_active_s"]) == (50.0, pytest.approx(1.0))


def test_devices_are_found_by_index_and_uuid() -> None:
    for visible, handle in (("3,4", "device 3"), ("MIG-77", "device MIG-77")):
        gpu = Gpu(Nvml(Driver()), visible)
        gpu.begin(alone=True)
        assert gpu.handle == handle


@pytest.mark.parametrize("visible", [None, "", "-1"])
def test_processes_without_a_device_measure_none(visible: str | None) -> None:
    gpu = Gpu(Nvml(Driver()), visible)
    assert gpu.begin(alone=True) is None
    assert gpu.describe() is None


def test_pinned_processes_without_a_driver_measure_nothing() -> None:
    run = Gpu(None, "0").begin(alone=True)
    assert run is not None
    row = run.end(1.0, 1)
    assert {name: value for name, value in row.items() if value is not None} == {"gpu_count": 1}


class Cuda:
    """Stub of `torch.cuda`: an allocator with given figures."""

    def __init__(self) -> None:
        self.current = self.peak = GIB
        self.resets = 0
        self.initialized = self.available = True

    def is_initialized(self) -> bool:
        return self.initialized

    def is_available(self) -> bool:
        return self.available

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def get_device_name(self, device: int) -> str:
        return "NVIDIA H100 80GB HBM3"

    def get_device_properties(self, device: int) -> Any:
        return SimpleNamespace(uuid="1f0c5a52-0000-0000-0000-000000000000")

    def reset_peak_memory_stats(self) -> None:
        self.resets += 1
        self.peak = self.current

    def memory_allocated(self) -> int:
        return self.current

    def memory_stats(self) -> dict[str, int]:
        return {
            "allocated_bytes.all.current": self.current,
            "allocated_bytes.all.peak": self.peak,
            "reserved_bytes.all.peak": self.peak + GIB,
            "num_alloc_retries": 2,
            "num_ooms": 0,
        }

    def hold(self, size: int) -> None:
        self.current = size
        self.peak = max(self.peak, size)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    cuda = Cuda()
    torch = SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="12.8"))
    monkeypatch.setitem(sys.modules, "torch", torch)
    return cuda


def test_stages_report_the_device_of_torch(cuda: Cuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert device() == "cuda:0"
    cuda.initialized = False
    assert device() is None, "it has not begun"
    cuda.available = False
    assert device() == "cpu"
    monkeypatch.delitem(sys.modules, "torch")
    assert device() is None


def test_torch_peaks_belong_to_the_attempt(cuda: Cuda) -> None:
    gpu = Gpu(Nvml(Driver()), None)
    cuda.hold(9 * GIB)
    cuda.hold(GIB)
    run = gpu.begin(alone=True)
    assert run is not None
    cuda.hold(4 * GIB)
    cuda.hold(GIB)
    row = run.end(1.0, 1)
    assert gpu.handle == "device GPU-1f0c5a52-0000-0000-0000-000000000000"
    assert (row["gpu_mem_alloc_peak_bytes"], row["gpu_mem_start_bytes"]) == (4 * GIB, GIB)
    assert row["gpu_mem_reserved_peak_bytes"] == 5 * GIB
    assert (row["gpu_alloc_retries"], row["gpu_ooms"]) == (0, 0)


def test_peaks_of_overlapping_attempts_are_not_reset(cuda: Cuda) -> None:
    cuda.hold(9 * GIB)
    cuda.hold(GIB)
    run = Gpu(Nvml(Driver()), None).begin(alone=False)
    assert run is not None
    cuda.hold(4 * GIB)
    run.sample()
    cuda.hold(GIB)
    assert cuda.resets == 0
    row = run.end(1.0, 0.5)
    assert (row["gpu_mem_alloc_peak_bytes"], row["gpu_mem_reserved_peak_bytes"]) == (4 * GIB, None)


@pytest.mark.parametrize(
    ("visible", "name"), [("3", "cuda:3"), ("5,6", "cuda:5"), ("GPU-1f0c", "cuda:GPU-1f0c"), ("", "cuda:0")]
)
def test_pinned_workers_name_their_own_device(
    cuda: Cuda, monkeypatch: pytest.MonkeyPatch, visible: str, name: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device() == name


def test_mig_slices_are_found_by_uuid(cuda: Cuda) -> None:
    class Sliced(Driver):
        def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
            if not uuid.startswith("MIG-"):
                raise NVMLError(6)  # not found
            return f"device {uuid}"

    gpu = Gpu(Nvml(Sliced()), "0")
    assert gpu.begin(alone=True) is not None
    assert gpu.handle == "device MIG-1f0c5a52-0000-0000-0000-000000000000"
