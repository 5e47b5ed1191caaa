"""The wire contract: task names and their queues. Other apps send `voxchord.render` to `voxchord`."""

QUEUES: dict[str, tuple[str, ...]] = {
    "voxchord": (
        "voxchord.render",
        "voxchord.retry",
        "voxchord.reconcile",
        "voxchord.retake",
        "voxchord.diff",
    ),
    "cpu.text": ("voxchord.text",),
    "cpu.semantic": ("voxchord.semantic",),
    "cpu.verify": ("voxchord.verify",),
    "cpu.stitch": ("voxchord.stitch", "voxchord.pick"),
    "gpu.speaker": ("voxchord.speaker",),
    "gpu.diffusion": ("voxchord.diffusion",),
}

INTAKE = ("voxchord",)
CPU = ("cpu.stitch", "cpu.verify", "cpu.semantic", "cpu.text")
GPU = ("gpu.diffusion", "gpu.speaker")
VERIFY_ON_GPU = "gpu.speaker"
"""Queue of `voxchord.verify` where the recogniser runs on a GPU: that of short work, beside the decodes."""

PRIORITY_STEPS = (0, 3, 6, 9)
"""Priority steps. On Redis the lowest number is served first, and each step is a separate list."""


def priority(index: int, *, first: int = 4) -> int:
    """Priority of a segment by its position: the first segments of a job highest, then falling steps.

    A short job that arrives behind ten thousand segments of a book overtakes all but a few of them.

    >>> [priority(index) for index in (0, 3, 4, 15, 16, 63, 64, 9999)]
    [0, 0, 3, 3, 6, 6, 9, 9]

    Args:
        first: number of segments with the highest priority.
    """
    for step, below in zip(PRIORITY_STEPS, (first, 16, 64), strict=False):
        if index < below:
            return step
    return PRIORITY_STEPS[-1]


def device_queue(device: str) -> str:
    """Queue of one device, `gpu.<host>.<n>`."""
    return f"gpu.{device}"
