"""Choice of the device that a worker is pinned to, and of its slots, without importing torch."""

from collections.abc import Callable

from pipeline.engines.protocol import Profile
from pipeline.errors import OptionError
from tasks.metering.probes.nvml import Nvml, visible_names

SLOTS_GPU, SLOTS_CPU = 64, 8
"""Segments decoded at once where no number is set: a GPU gains up to 64, a CPU nothing past 8."""


def pinned(wanted: str, visible: str | None) -> str:
    """Value of `CUDA_VISIBLE_DEVICES` for a worker on one device; empty if every device is hidden.

    >>> pinned("1", None), pinned("1", "3,5"), pinned("0", "")
    ('1', '5', '')

    Args:
        wanted: index among the visible devices, or a UUID (`GPU-…`, `MIG-…`), which is taken as it is.
        visible: `CUDA_VISIBLE_DEVICES` of this process, set by a scheduler for example; None if unset.

    Raises:
        OptionError: neither of these, or an index past the last visible device.
    """
    if wanted.startswith(("GPU-", "MIG-")):
        return wanted
    if not wanted.isdecimal():
        raise OptionError("gpu", f"{wanted!r} is neither an index nor a UUID (GPU-…, MIG-…)")
    if visible is None:
        return wanted
    names = visible_names(visible)
    if names and int(wanted) >= len(names):
        raise OptionError("gpu", f"there is no device {wanted}: CUDA_VISIBLE_DEVICES is {visible!r}")
    return names[int(wanted)] if names else ""


def default_slots(profile: Profile, visible: str | None, load: Callable[[], Nvml | None] = Nvml.load) -> int:
    """Segments that a GPU worker decodes at once where no number is set.

    Args:
        visible: `CUDA_VISIBLE_DEVICES` of this process; None if unset.
        load: loads the driver's library.
    """
    if profile.pool == "prefork":
        return 1
    if profile.slots:
        return profile.slots
    if visible is not None and not visible_names(visible):
        return SLOTS_CPU
    nvml = load()
    return SLOTS_GPU if nvml is not None and nvml.ask("nvmlDeviceGetCount") else SLOTS_CPU
