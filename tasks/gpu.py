"""What an attempt used of a GPU. Filled in with NVML and torch; None where there is no device."""

from typing import Any


class GpuRun:
    def sample(self) -> dict[str, Any]:
        return {}

    def end(self, run_s: float, *, alone: bool) -> dict[str, Any]:
        return {}


class Gpu:
    @classmethod
    def probe(cls) -> "Gpu | None":
        return None

    def begin(self, *, alone: bool) -> GpuRun | None:
        return None

    def describe(self) -> list[dict[str, Any]]:
        return []
