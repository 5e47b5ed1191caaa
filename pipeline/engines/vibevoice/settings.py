"""How the engine runs on this machine: nothing here changes what a segment is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Arguments of the engine that are no options of a job."""

    device: str | None = None
    """As torch names it; the first GPU if there is one, else the CPU."""
    slots: int | None = None
    """Segments decoded at once; if not given as many as fit, up to `slots_max`."""
    slots_max: int | None = None
    """Most slots that are taken unasked; if not given 64 on CUDA and 8 elsewhere."""
    memory_bytes: int | None = None
    """How much of the device the engine may take; what is free there if not given."""
    positions: int = 4096
    """Most positions of a segment, its prompt and its frames; a slot's cache is of that size."""
    frames: int = 2048
    """Most frames of a segment; the cache of a slot's negative branch is of that size."""
    prefix_bytes: int = 256 << 20
    """Keys and values of voices that are kept for other segments."""
    voices_bytes: int = 64 << 20
    """Speaker embeddings that are kept."""
    reference_s: float = 30.0
    """A longer reference is cut."""
    own_kernels: bool = True
    """Use this project's own kernels (LLVM on CPUs, Triton on CUDA) where they fit."""
    idle_s: float = 300.0
    """After so long without work the weights and caches are dropped."""
    still_s: float = 600.0
    """After so long without a step the device counts as lost."""
