"""Settings of the engine on this machine, none of which is part of a segment's key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine that are not options of a job."""

    device: str | None = None
    """Name of a torch device; by default the first GPU if there is one, else the CPU."""
    slots: int | None = None
    """Segments decoded at once; by default as many as fit, up to `slots_max`."""
    slots_max: int | None = None
    """Most slots by default: 64 on CUDA and 8 elsewhere if not given."""
    memory_bytes: int | None = None
    """Memory of the device that the engine may use; by default what is free."""
    positions: int = 4096
    """Most positions of a segment, its prompt and its frames: the size of a slot's KV cache."""
    frames: int = 2048
    """Most frames of a segment: the size of the KV cache of a slot's negative branch."""
    prefix_bytes: int = 256 << 20
    """Size of the prefix cache, which holds keys and values of voices."""
    voices_bytes: int = 64 << 20
    """Size of the cache of speaker embeddings."""
    reference_s: float = 30.0
    """Seconds to which a longer reference is cut."""
    own_kernels: bool = True
    """Use this project's own kernels (LLVM on CPUs, Triton on CUDA) where they support the shapes."""
    idle_s: float = 300.0
    """Seconds without work after which weights and caches are dropped."""
    stall_s: float = 600.0
    """Seconds without progress after which the device counts as lost."""
