"""GPU use of an attempt: torch's allocator statistics, and the driver's counters through NVML.

Measured only in a process that uses a device: torch has initialised CUDA, or the worker is pinned to a device
(`CUDA_VISIBLE_DEVICES`). This module never imports torch, and a process without a device pays nothing.

torch's peaks are exact and per process, in any container, but exclude the CUDA context and other libraries.
NVML sees the device, and this process only if the driver's process IDs are ours (not in most containers).
Each figure names its method. A figure that cannot be obtained is None, never 0.
"""

import os
import sys
import time
from typing import Any

from tasks.metering.probes.nvml import Nvml, visible_names

Row = dict[str, Any]

_REASONS = {
    0x4: "power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "hw_power_brake",
}
"""Bits of NVML's clocks event reasons that mean throttling."""


class Gpu:
    """The device of this process.

    Args:
        nvml: the driver's library; None if there is none.
        visible: the process' devices, in the form of `CUDA_VISIBLE_DEVICES`.
    """

    def __init__(self, nvml: Nvml | None, visible: str | None) -> None:
        self.nvml = nvml
        self._visible = visible_names(visible or "")
        self._handle: Any = None
        self._static: Row | None = None

    @classmethod
    def probe(cls) -> "Gpu":
        """Read the environment; the driver is loaded when a device is used."""
        return cls(None, os.environ.get("CUDA_VISIBLE_DEVICES"))

    def begin(self, *, alone: bool) -> "GpuRun | None":
        """Start measuring an attempt; None in a process without a device."""
        if not self._visible and _torch() is None:
            return None
        self._open()
        return GpuRun(self, alone=alone)

    def describe(self) -> list[Row] | None:
        """Static facts of the device, for the process' row; None without a device."""
        if not self._visible:
            return None
        self._open()
        return [self.static()] if self._handle is not None else None

    @property
    def handle(self) -> Any:
        return self._handle

    def static(self) -> Row:
        """Static facts: name and UUID of the device, driver and CUDA versions."""
        if self._static is None:
            self._static = self._identify()
        return dict(self._static)

    def _open(self) -> None:
        if self.nvml is None:
            self.nvml = Nvml.load()
        if self._handle is None and self.nvml is not None:
            self._handle = self._find(self.nvml)
            self._static = None

    def _find(self, nvml: Nvml) -> Any:
        torch = _torch()
        if torch is not None:
            uuid = getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), "uuid", None)
            for kind in ("GPU", "MIG") if uuid is not None else ():
                handle = nvml.device(f"{kind}-{uuid}")
                if handle is not None:
                    return handle
        return nvml.device(self._visible[0] if self._visible else "0")

    def _identify(self) -> Row:
        torch, nvml, handle = _torch(), self.nvml, self._handle
        row: Row = {"gpu_count": len(self._visible) or None}
        if torch is not None:
            device = torch.cuda.current_device()
            row |= {"gpu_name": torch.cuda.get_device_name(device), "cuda_version": torch.version.cuda}
            row["gpu_count"] = torch.cuda.device_count()
        if nvml is None or handle is None:
            return row
        memory = nvml.ask("nvmlDeviceGetMemoryInfo", handle)
        cuda = nvml.ask("nvmlSystemGetCudaDriverVersion")
        driver = f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None
        mig = nvml.ask("nvmlDeviceIsMigDeviceHandle", handle)
        return row | {
            "gpu_count": row["gpu_count"] or nvml.ask("nvmlDeviceGetCount"),
            "gpu_uuid": nvml.ask("nvmlDeviceGetUUID", handle),
            "gpu_name": nvml.ask("nvmlDeviceGetName", handle) or row.get("gpu_name"),
            "gpu_mig": getattr(mig, "value", mig),  # the only one that pynvml leaves in ctypes' wrapping
            "driver_version": nvml.ask("nvmlSystemGetDriverVersion"),
            "cuda_version": row.get("cuda_version") or driver,
            "gpu_mem_total_bytes": memory.total if memory is not None else None,
        }


class GpuRun:
    """Measurement of one attempt's use of the device."""

    def __init__(self, gpu: Gpu, *, alone: bool) -> None:
        self._gpu = gpu
        self._began_us = int(time.time() * 1e6)
        self._samples: list[Row] = []
        self._torch_start = _TorchStart(alone=alone)
        self._first = self.read()
        self._energy_mj = self._ask("nvmlDeviceGetTotalEnergyConsumption")

    def sample(self, now: Row | None = None) -> Row:
        """Add a reading of the device, a new one unless given; returns the columns of `task_sample`."""
        now = self.read() if now is None else now
        self._samples.append(now)
        return {
            "gpu_util_pct": now.get("util"),
            "gpu_mem_bytes": now.get("used"),
            "gpu_power_w": now.get("power"),
        }

    def end(self, run_s: float, part: float) -> Row:
        """Stop measuring; returns columns of `task_run`.

        Args:
            part: the attempt's share of the time, 1 if it ran alone in the process. Additive figures are
                divided by it, so that the sum over attempts is the device's.
        """
        seen = [self._first, *self._samples, self.read()]
        row = self._gpu.static() | self._torch_start.end([sample.get("allocated") for sample in seen])
        if self._gpu.handle is None:
            return row
        row |= self._memory(seen)
        row |= self._use(seen, run_s * part)
        row |= self._energy(seen, run_s, part, others=row["gpu_cotenants_max"])
        return row

    def _ask(self, function: str, *arguments: Any) -> Any:
        nvml, handle = self._gpu.nvml, self._gpu.handle
        return nvml.ask(function, handle, *arguments) if nvml is not None and handle is not None else None

    def read(self) -> Row:
        """Read the device once, for all attempts of the process: bytes, percent, watts, degrees."""
        row: Row = {"allocated": _allocated()}
        if self._gpu.handle is None:
            return row
        memory, rates = self._ask("nvmlDeviceGetMemoryInfo"), self._ask("nvmlDeviceGetUtilizationRates")
        power = self._ask("nvmlDeviceGetPowerUsage")
        row |= self._processes()
        return row | {
            "used": memory.used if memory is not None else None,
            "util": float(rates.gpu) if rates is not None else None,
            "membw": float(rates.memory) if rates is not None else None,
            "power": power / 1000 if power is not None else None,
            "temperature": self._ask("nvmlDeviceGetTemperature", 0),
            "reasons": self._ask("nvmlDeviceGetCurrentClocksEventReasons"),
        }

    def _processes(self) -> Row:
        """Memory of this process and the number of other processes on the device.

        In a container the driver lists the host's process IDs, and our own is one of the unknown ones.
        """
        listed = self._ask("nvmlDeviceGetComputeRunningProcesses")
        if listed is None:
            return {}
        own = [process for process in listed if process.pid == os.getpid()]
        return {
            "own": own[0].usedGpuMemory if own else None,
            "others": max(0, len(listed) - 1) if own or _torch() is not None else len(listed),
        }

    def _memory(self, seen: list[Row]) -> Row:
        used = _known(seen, "used")
        own = _known(seen, "own")
        first = self._first.get("used")
        row: Row = {"gpu_mem_device_peak_bytes": max(used, default=None)}
        if own:
            return row | {"gpu_mem_proc_peak_bytes": max(own), "gpu_mem_method": "nvml_pid"}
        if used and first is not None:
            return row | {
                "gpu_mem_proc_peak_bytes": max(0, max(used) - first),
                "gpu_mem_method": "device_delta",
            }
        return row

    def _use(self, seen: list[Row], own_s: float) -> Row:
        util = self._driver_samples() or _known(seen, "util")
        membw, power = _known(seen, "membw"), _known(seen, "power")
        reasons = 0
        for mask in _known(seen, "reasons"):
            reasons |= int(mask)
        return {
            "gpu_util_mean_pct": _mean(util),
            "gpu_util_max_pct": max(util, default=None),
            "gpu_active_s": sum(util) / len(util) / 100 * own_s if util else None,
            "gpu_membw_mean_pct": _mean(membw),
            "gpu_sm_proc_pct": self._own_use(),
            "gpu_power_mean_w": _mean(power),
            "gpu_temp_max_c": max(_known(seen, "temperature"), default=None),
            "gpu_throttle_reasons": ",".join(name for bit, name in _REASONS.items() if reasons & bit) or None,
            "gpu_cotenants_max": max(_known(seen, "others"), default=None),
        }

    def _driver_samples(self) -> list[float]:
        """Utilisation samples that the driver took since the start, at a finer interval than ours."""
        found = self._ask("nvmlDeviceGetSamples", 2, self._began_us)  # 2: NVML_GPU_UTILIZATION_SAMPLES
        return [float(each.sampleValue.uiVal) for each in found[1]] if found else []

    def _own_use(self) -> float | None:
        listed = self._ask("nvmlDeviceGetProcessUtilization", self._began_us)
        own = [float(each.smUtil) for each in listed or () if each.pid == os.getpid()]
        return _mean(own)

    def _energy(self, seen: list[Row], run_s: float, part: float, *, others: int | None) -> Row:
        """Energy of the device, from its counter or else from its mean power."""
        scope = "device_shared" if others != 0 else "device_exclusive" if part == 1 else "share_by_time"
        now = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        if now is not None and self._energy_mj is not None and now >= self._energy_mj:
            joules = (now - self._energy_mj) / 1000 * part
            return {"gpu_energy_j": joules, "energy_method": "nvml_counter", "energy_scope": scope}
        power = _mean(_known(seen, "power"))
        if power is None:
            return {}
        return {"gpu_energy_j": power * run_s * part, "energy_method": "nvml_power", "energy_scope": scope}


class _TorchStart:
    """torch's allocator statistics at the start; peaks are reset if no other attempt uses them."""

    def __init__(self, *, alone: bool) -> None:
        torch = _torch()
        self._began = torch is not None
        self._reset = alone and torch is not None
        if torch is None:
            self._start: Row = {}
            return
        if self._reset:
            torch.cuda.reset_peak_memory_stats()
        self._start = torch.cuda.memory_stats()

    def end(self, sampled: list[int | None]) -> Row:
        """Peaks since the start; the largest sample if they were not reset and have not risen."""
        torch = _torch()
        if torch is None:
            return {}
        now = torch.cuda.memory_stats()

        def value(name: str) -> int:
            return int(now.get(name, 0))

        def grown(name: str) -> int:
            return value(name) - int(self._start.get(name, 0))

        exact = self._reset or not self._began
        allocated: int | None = value("allocated_bytes.all.peak")
        if not exact and grown("allocated_bytes.all.peak") == 0:
            allocated = max((size for size in sampled if size is not None), default=None)
        reserved_known = exact or grown("reserved_bytes.all.peak") > 0
        return {
            "gpu_mem_alloc_peak_bytes": allocated,
            "gpu_mem_reserved_peak_bytes": value("reserved_bytes.all.peak") if reserved_known else None,
            "gpu_mem_start_bytes": int(self._start.get("allocated_bytes.all.current", 0)),
            "gpu_alloc_retries": grown("num_alloc_retries"),
            "gpu_ooms": grown("num_ooms"),
        }


def device() -> str | None:
    """Device that torch computes on in this process: `cpu`, or `cuda:` with the device's index or UUID in
    `CUDA_VISIBLE_DEVICES`, since torch counts a pinned worker's only device from 0. None while undecided.
    """
    torch = _torch()
    if torch is not None:
        number = torch.cuda.current_device()
        names = visible_names(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        return f"cuda:{names[number] if number < len(names) else number}"
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    available = getattr(cuda, "is_available", None)  # torch may be being imported by another thread
    return "cpu" if available is not None and not available() else None


def _torch() -> Any:
    """The torch module, if this process has loaded it and initialised CUDA."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return torch if cuda is not None and cuda.is_initialized() else None


def _allocated() -> int | None:
    torch = _torch()
    return int(torch.cuda.memory_allocated()) if torch is not None else None


def _known(seen: list[Row], name: str) -> list[Any]:
    return [sample[name] for sample in seen if sample.get(name) is not None]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
