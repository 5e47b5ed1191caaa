"""Decoding of many requests through the slots of a decoder, without a scheduler."""

from collections.abc import Sequence

from pipeline.engines.vibevoice.decoding.decoder import Decoder, DecoderRow
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder, FrameRow
from pipeline.engines.vibevoice.decoding.request import SegmentRequest


def decode_all(
    loop: Decoder | FrameDecoder, requests: Sequence[SegmentRequest]
) -> list[DecoderRow | FrameRow]:
    """Decode all requests, each as soon as a slot is free; returns their rows in the same order."""
    waiting, rows = list(enumerate(requests)), {}
    while waiting or loop.active:
        entering = dict(zip(loop.free, waiting, strict=False))
        del waiting[: len(entering)]
        admitted = loop.admit({slot: one for slot, (_, one) in entering.items()})
        rows.update({number: admitted[slot] for slot, (number, _) in entering.items()})
        loop.step()
        for slot in loop.active:
            if loop.row(slot).done:
                loop.release(slot)
    return [rows[number] for number in range(len(requests))]
