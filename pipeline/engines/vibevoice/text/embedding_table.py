"""Rows of the embedding table, read from the file where they lie: no torch, no model, and not the whole
table.
"""

import numpy as np
import numpy.typing as npt

from pipeline.engines.vibevoice.checkpoint.files import Checkpoint
from pipeline.engines.vibevoice.checkpoint.stored_files import DTYPES

NAME = "model.language_model.embed_tokens.weight"


def rows(checkpoint: Checkpoint, ids: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.generic], str]:
    """(n, hidden) and the kind of number they are (a key of `DTYPES`)."""
    tensor = checkpoint.tensor(NAME)
    pages, start = tensor.map()
    table = np.frombuffer(pages, DTYPES[tensor.kind], offset=start, count=tensor.shape[0] * tensor.shape[1])
    return table.reshape(tensor.shape)[ids], tensor.kind
