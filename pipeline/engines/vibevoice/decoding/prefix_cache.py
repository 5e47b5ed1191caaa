"""Prefix cache: keys and values of voices, shared by segments that begin with the same speakers."""

import hashlib
from collections import OrderedDict

import torch


class PrefixCache:
    """LRU cache of the keys and values of prompt pieces, bounded by bytes.

    A piece is identified by a hash of its own embeddings and all before it, since its keys and values depend
    on both.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max, self.size_bytes = bytes_max, 0
        self.pieces: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    @staticmethod
    def key(before: bytes, piece: torch.Tensor) -> bytes:
        """Compute the key of a piece (positions, hidden) from that of its prefix (empty at the start)."""
        return hashlib.sha256(before + piece.cpu().contiguous().view(torch.uint8).numpy().tobytes()).digest()

    def get(self, key: bytes) -> torch.Tensor | None:
        """Look up a piece's keys and values."""
        if key in self.pieces:
            self.pieces.move_to_end(key)
        return self.pieces.get(key)

    def put(self, key: bytes, pairs: torch.Tensor) -> None:
        """Store a piece's keys and values, unless they are too large, and evict the least recently used."""
        if pairs.nbytes > self.bytes_max or key in self.pieces:
            return
        self.pieces[key] = pairs
        self.size_bytes += pairs.nbytes
        while self.size_bytes > self.bytes_max:
            _, oldest = self.pieces.popitem(last=False)
            self.size_bytes -= oldest.nbytes
