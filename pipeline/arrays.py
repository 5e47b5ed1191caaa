"""Named arrays and samples, which pass between the stages of a segment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Arrays:
    """Product of one stage: named arrays with metadata, stored as one safetensors file."""

    arrays: Mapping[str, npt.NDArray[np.generic]]
    meta: Mapping[str, str] = field(default_factory=dict)
