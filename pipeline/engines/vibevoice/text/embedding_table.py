"""Rows of the embedding table, memory-mapped: without torch, and without reading the whole table."""

import numpy as np
import numpy.typing as npt

from pipeline.engines.vibevoice.checkpoint.files import Checkpoint
from pipeline.engines.vibevoice.dtypes import BY_STORED_NAME

NAME = "model.language_model.embed_tokens.weight"


def rows(checkpoint: Checkpoint, ids: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.generic], str]:
    """Read the rows (n, hidden) of token IDs (n,); also returns their type, as safetensors name it."""
    tensor = checkpoint.tensor(NAME)
    pages, start = tensor.map()
    dtype = BY_STORED_NAME[tensor.kind].array_dtype
    table = np.frombuffer(pages, dtype, offset=start, count=tensor.shape[0] * tensor.shape[1])
    return table.reshape(tensor.shape)[ids], tensor.kind
