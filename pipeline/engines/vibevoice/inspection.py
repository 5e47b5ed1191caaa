"""Inspection of a checkpoint: completeness, and fit to this machine, without loading it."""

from dataclasses import dataclass, replace

from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import Checkpoint, open_checkpoint
from pipeline.engines.vibevoice.checkpoint.merging import Merge
from pipeline.engines.vibevoice.device import Device
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.errors import EngineError


@dataclass(frozen=True, slots=True)
class Report:
    """Facts of a checkpoint. Sizes are None if it can't be read."""

    model: str
    problems: tuple[str, ...]
    """Problems that prevent its use, one sentence each."""
    folder: str | None = None
    converted: bool = False
    """Set where it is in the original layout on disk."""
    adapter: str | None = None
    """Folder of the LoRA adapter."""
    adapter_scale: float | None = None
    adapted: int | None = None
    """Weights that the adapter changes."""
    revision: str | None = None
    parameters: int | None = None
    checkpoint_bytes: int | None = None
    device: str | None = None
    dtype: str | None = None
    """Type that the device computes in."""
    decoder_bytes: int | None = None
    """Weights of the diffusion stage, as the device holds them."""
    speaker_bytes: int | None = None
    """Weights of the speaker stage."""
    slot_bytes: int | None = None
    """KV caches and streaming state of one slot."""
    free_bytes: int | None = None
    """Free memory of the device."""
    slots: int | None = None
    """Slots that fit, at least one."""

    @property
    def usable(self) -> bool:
        return not self.problems


def inspect_checkpoint(model: str, settings: EngineSettings | None = None) -> Report:
    """Inspect a checkpoint, in a folder or on the hub, and the device that would run it.

    Args:
        model: a folder, or an ID on the hub; see `checkpoint.source`.
    """
    try:
        checkpoint = open_checkpoint(model)
        problems = checkpoint.problems()
        merge = _merge(checkpoint) if not problems else None
    except EngineError as reason:
        return Report(model, (str(reason),))
    report = _report(model, checkpoint, tuple(problems), Device(checkpoint, settings or EngineSettings()))
    if merge is None or checkpoint.adapter is None:
        return report
    folder, scale = str(checkpoint.adapter.folder), checkpoint.adapter.scale
    return replace(report, adapter=folder, adapter_scale=scale, adapted=len(merge.changes))


def _merge(checkpoint: Checkpoint) -> Merge | None:
    """Prepare the merge of the checkpoint's adapter, if it has one.

    Raises:
        EngineError: the adapter does not fit the checkpoint.
    """
    adapter = checkpoint.adapter
    return None if adapter is None else Merge(adapter, checkpoint.architecture.shapes())


def _report(model: str, checkpoint: Checkpoint, problems: tuple[str, ...], device: Device) -> Report:
    precision, free = device.precision("auto", quantized=False), device.free_bytes()
    weights, slot = device.decoder_bytes(precision), device.slot_bytes(precision)
    if not problems and free < weights + slot + footprint.RESERVE_BYTES:
        needed = (weights + slot + footprint.RESERVE_BYTES) / 1e9
        problems = (f"needs {needed:.1f} GB with one slot, but {free / 1e9:.1f} GB are free",)
    return Report(
        model=model,
        problems=problems,
        folder=str(checkpoint.folder),
        converted=checkpoint.converted,
        revision=checkpoint.revision() if not problems else None,
        parameters=sum(footprint.count(tensor.shape) for tensor in checkpoint.tensors.values()),
        checkpoint_bytes=sum(tensor.size_bytes for tensor in checkpoint.tensors.values()),
        device=str(device.device),
        dtype=str(precision.dtype).removeprefix("torch."),
        decoder_bytes=weights,
        speaker_bytes=device.speaker_bytes(precision),
        slot_bytes=slot,
        free_bytes=free,
        slots=device.slots(precision),
    )
