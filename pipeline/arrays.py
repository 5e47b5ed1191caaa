"""Named arrays and samples, which pass between the stages of a segment, and runs within arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]


def runs_of(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Runs of true values, (runs, 2): index of the first one, and the index after the last.

    >>> runs_of(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    return np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Product of one stage: named arrays with metadata, stored as one safetensors file."""

    arrays: Mapping[str, npt.NDArray[np.generic]]
    meta: Mapping[str, str] = field(default_factory=dict)
