"""Voice activity by Silero's detector, whose ONNX file is in faster-whisper's wheel."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Samples
from pipeline.checking.full import packages

SAMPLE_RATE_HZ = 16_000
PACKAGE = "faster-whisper"
WINDOW = 512
"""Samples of a window: 32 ms."""
WINDOW_S = WINDOW / SAMPLE_RATE_HZ
_CONTEXT = 64
_STATE = 128
_CHUNK = 4096
"""Windows that are computed at once."""


def model_file() -> Path:
    """File of the detector.

    Raises:
        MissingPackageError: the package is not installed.
    """
    return packages.files_of(packages.need(PACKAGE, "faster_whisper") / "assets", {".onnx"})[0]


def probabilities(samples: Samples) -> npt.NDArray[np.float32]:
    """Probability of speech per window of 32 ms.

    Args:
        samples: (n,), mono, at 16 kHz.
    """
    padded = np.pad(samples.astype(np.float32), (_CONTEXT, -len(samples) % WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + WINDOW)[::WINDOW]
    h = c = np.zeros((1, 1, _STATE), np.float32)
    found = []
    for start in range(0, len(windows), _CHUNK):
        chunk = np.ascontiguousarray(windows[start : start + _CHUNK])
        output, h, c = _session().run(None, {"input": chunk, "h": h, "c": c})
        found.append(output.reshape(-1))
    return np.concatenate(found) if found else np.zeros(0, np.float32)


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model_file()), options, providers=["CPUExecutionProvider"])
