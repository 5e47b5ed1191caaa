"""Prefix cache: keys and values of voices, shared by segments that begin with the same speakers."""

import hashlib

import torch
from cachetools import LRUCache


class PrefixCache:
    """LRU cache of the keys and values of prompt pieces, bounded by bytes.

    A piece is identified by a hash of its own embeddings and all before it, since its keys and values depend
    on both.
    """

    def __init__(self, bytes_max: int) -> None:
        self.pieces: LRUCache[bytes, torch.Tensor] = LRUCache(bytes_max, getsizeof=lambda pairs: pairs.nbytes)

    @property
    def size_bytes(self) -> int:
        return int(self.pieces.currsize)

    @staticmethod
    def key(before: bytes, piece: torch.Tensor) -> bytes:
        """Compute the key of a piece (positions, hidden) from that of its prefix (empty at the start)."""
        return hashlib.sha256(before + piece.cpu().contiguous().view(torch.uint8).numpy().tobytes()).digest()

    def get(self, key: bytes) -> torch.Tensor | None:
        """Look up a piece's keys and values."""
        return self.pieces.get(key)

    def put(self, key: bytes, pairs: torch.Tensor) -> None:
        """Store a piece's keys and values, unless they are too large, and evict the least recently used."""
        if pairs.nbytes <= self.pieces.maxsize and key not in self.pieces:
            self.pieces[key] = pairs
