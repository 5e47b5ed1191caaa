"""Audio files for tests of recordings."""

import io

import numpy as np
import numpy.typing as npt
import soundfile

RATE_HZ = 24_000


def file(
    samples: npt.NDArray[np.float32],
    rate_hz: int = RATE_HZ,
    container: str = "WAV",
    subtype: str | None = None,
) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format=container, subtype=subtype)
    return buffer.getvalue()
