"""Encoded audio of a request, block by block."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from pipeline.arrays import Samples
from pipeline.engines.protocol import Profile
from pipeline.jobs.artifacts import ChosenTake
from pipeline.jobs.plans import Plan
from pipeline.stitching.encoders import pcm
from pipeline.streaming.encoders import encoder
from pipeline.streaming.levels import Segment, blocks
from pipeline.streaming.samples import open_samples
from web.service import Service
from web.speech.segments import finished


class AudioStream:
    """Audio of one request. Memory does not grow with the text or with a slow reader."""

    def __init__(self, service: Service, plan: Plan, profile: Profile, stream_format: str) -> None:
        self.service, self.plan, self.profile = service, plan, profile
        self._encoder = encoder(stream_format, profile.sample_rate_hz)
        self._before: Segment | None = None
        self.samples = 0
        """Samples encoded so far."""

    async def blocks(self, task: str) -> AsyncGenerator[bytes, None]:
        """Yield encoded bytes as soon as there are some."""
        away = self.service.away
        async with aclosing(finished(self.service, self.plan, task)) as segments:
            async for chosen in segments:
                pieces = await away(self._pieces, chosen)
                while (piece := await away(next, pieces, None)) is not None:
                    if data := await away(self._encoded, piece):
                        yield data
                self._before = (chosen.segment, chosen.audio)
        if data := await away(self._encoder.finish):
            yield data

    def _pieces(self, chosen: ChosenTake) -> Iterator[Samples]:
        def unread(start: int, count: int) -> Samples:
            raise AssertionError("a gap has no samples")

        key, take = chosen.segment.key, chosen.take
        file = None if chosen.audio is None else open_samples(self.service.jobs.store, key, take or 0)
        return blocks(
            self._before,
            (chosen.segment, chosen.audio),
            unread if file is None else file.read,
            sample_rate_hz=self.profile.sample_rate_hz,
            words_per_s=self.profile.words_per_s,
        )

    def _encoded(self, piece: Samples) -> bytes:
        self.samples += len(piece)
        return self._encoder.encode(pcm(piece))

    def usage(self) -> dict[str, int]:
        """Usage in the convention's terms: input in words, output in the engine's frames."""
        frames = round(self.samples / self.profile.sample_rate_hz * self.profile.frame_rate_hz)
        words = self.plan.words
        return {"input_tokens": words, "output_tokens": frames, "total_tokens": words + frames}
