"""Keys and values of voices that were read before, so that segments with the same speakers read them once."""

import hashlib
from collections import OrderedDict

import torch


class Prefixes:
    """The most recently used pieces of prompts, bounded by bytes.

    A piece is known by its own vectors and by all that came before it, since its keys and values depend on
    both.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max, self.size_bytes = bytes_max, 0
        self.pieces: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    @staticmethod
    def key(before: bytes, piece: torch.Tensor) -> bytes:
        """The key of a piece (positions, hidden) after what has the key `before` (empty at the start)."""
        return hashlib.sha256(before + piece.cpu().contiguous().view(torch.uint8).numpy().tobytes()).digest()

    def get(self, key: bytes) -> torch.Tensor | None:
        if key in self.pieces:
            self.pieces.move_to_end(key)
        return self.pieces.get(key)

    def put(self, key: bytes, pairs: torch.Tensor) -> None:
        """Keep a piece's keys and values; the longest unused go. One larger than the bound is not kept."""
        if pairs.nbytes > self.bytes_max or key in self.pieces:
            return
        self.pieces[key] = pairs
        self.size_bytes += pairs.nbytes
        while self.size_bytes > self.bytes_max:
            _, oldest = self.pieces.popitem(last=False)
            self.size_bytes -= oldest.nbytes
