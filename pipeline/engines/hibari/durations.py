"""Durations of phonemes, which hibari's network computes and does not return, and with them times of words.

The ONNX file gets one more output, the frames per phoneme ID. The sound stays the same to the bit. Tokens of
the front end say which phonemes belong to which word.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import hibari
    import onnxruntime

SOUND = ("lh", "theta", "ln", "lr", "phi", "f0")
"""Outputs of the network as shipped."""
FRAMES = "/Clip_output_0"
"""Output of the node that rounds and limits durations (hibari-tts 0.2.1), in pairs of spectral frames."""
_GRAPH, _OUTPUT, _NAME = 7, 12, 1
"""Fields of ModelProto, GraphProto and ValueInfoProto in ONNX's protobuf schema."""
_ERRORS = 3
"""onnxruntime's level of logging that leaves out warnings."""
_NO_WORD = -1
_PUNCTUATION = frozenset(';:,.!?—…"“”()¡¿ ')

Words = tuple[tuple[int, int], ...]
"""First sample of each word, and the one after its last."""


def with_durations(model: bytes) -> bytes:
    """Add the durations to the outputs of a serialised model; concatenated protobuf messages are merged."""
    return model + _field(_GRAPH, _field(_OUTPUT, _field(_NAME, FRAMES.encode())))


def load() -> "hibari.Hibari":
    """Load the voice with durations, with one thread.

    Its own methods that return sound do not know the further output; `Hibari` in `engine` asks by name.
    """
    import hibari
    from hibari.voices import DEFAULT, voice_path

    model = hibari.Hibari(model=_identity(), threads=1, g2p=front_end())
    model.sess = _session(with_durations(Path(voice_path(DEFAULT)).read_bytes()))
    return model


def _identity() -> bytes:
    """Serialised network of one node, for a constructor that takes no session: the voice is loaded once.

    Fields are those of ONNX's protobuf schema: `x: float` is the input, `y` the output, of opset 17.
    """
    node = _field(1, b"x") + _field(2, b"y") + _field(4, b"Identity")
    given = _field(_NAME, b"x") + _field(2, _field(1, b"\x08\x01"))
    returned = _field(_NAME, b"y")
    graph = _field(1, node) + _field(2, b"identity") + _field(11, given) + _field(_OUTPUT, returned)
    return b"\x08\x08" + _field(8, b"\x10\x11") + _field(_GRAPH, graph)


def _session(model: bytes) -> "onnxruntime.InferenceSession":
    """Load a network with one thread and without onnxruntime's memory arena.

    The arena retains the blocks of the longest sentence, and more for each other length: 62 MB. Without it
    the network is as fast and its output the same to the bit.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@cache
def front_end() -> Any:
    """Load the front end, with its dictionaries, once per process."""
    from hibari.g2p import G2P

    class Recording(G2P):  # type: ignore[misc]
        """Front end that retains the tokens of what it has read."""

        def __init__(self) -> None:
            super().__init__()
            self.read: list[Any] = []

        def phonemize_tokens(self, tokens: list[Any]) -> list[Any]:
            found: list[Any] = super().phonemize_tokens(tokens)
            self.read += found
            return found

    return Recording()


def phonemes(model: "hibari.Hibari", sentence: str) -> Iterator[tuple[list[int], list[int]]]:
    """Yield IDs of each chunk of a sentence, and the word (split at white space) of each ID or -1."""
    model.g2p.read.clear()
    chunks = model.phonemize(sentence)
    of_symbols = _words_of_symbols(model.g2p.read, sentence.split())
    for chunk in chunks:
        words = [_NO_WORD]  # the pad before
        for symbol in chunk:
            word = _NO_WORD if symbol.isspace() else next(of_symbols, _NO_WORD)
            if symbol in model.vocab:
                words.append(_NO_WORD if symbol in _PUNCTUATION else word)
        yield model.ids(chunk), [*words, _NO_WORD]


def _words_of_symbols(tokens: Sequence[Any], written: Sequence[str]) -> Iterator[int]:
    """Yield the written word of each phoneme symbol, without white space."""
    spoken = "".join(token.text + token.whitespace for token in tokens).split()
    place = _places(written, spoken)
    word, inside = 0, False
    for token in tokens:
        for symbol in token.phonemes or "":
            if not symbol.isspace():
                yield place[min(word, len(place) - 1)] if place else _NO_WORD
        inside = inside or bool(token.text.strip())
        if token.whitespace and inside:
            word, inside = word + 1, False


def _places(written: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """Written word of each spoken one, where the front end writes numbers and abbreviations out.

    >>> _places(["In", "2015,", "yes."], ["In", "twenty", "fifteen,", "yes."])
    [0, 1, 1, 2]
    >>> _places(["$4", "million", "for"], ["4", "million", "dollars", "for"])
    [0, 1, 1, 2]
    """
    place = []
    for _, i1, i2, j1, j2 in SequenceMatcher(None, written, spoken, autojunk=False).get_opcodes():
        for j in range(j1, j2):
            at = i1 + (j - j1) * (i2 - i1) // (j2 - j1) if i2 > i1 else i1 - 1
            place.append(min(max(at, 0), len(written) - 1))
    return place


def word_samples(
    words: Sequence[int], frames: npt.NDArray[np.float32], samples: int, start: int, count: int
) -> dict[int, tuple[int, int]]:
    """Samples of the words of one chunk.

    Args:
        words: word of each ID.
        frames: duration of each ID, in any unit.
        samples: length of the chunk.
        start: first sample of the chunk.
        count: number of words.
    """
    ends = np.cumsum(frames, dtype=np.float64)
    scale = samples / max(float(ends[-1]), 1.0)
    found: dict[int, tuple[int, int]] = {}
    for word, length, end in zip(words, frames.tolist(), ends.tolist(), strict=True):
        if 0 <= word < count:
            first, _ = found.get(word, (start + round((end - length) * scale), 0))
            found[word] = first, start + round(end * scale)
    return found


def in_order(found: dict[int, tuple[int, int]], count: int) -> Words:
    """All words in order; those without phonemes are empty, behind the word before."""
    words, last = [], 0
    for word in range(count):
        start, end = found.get(word, (last, last))
        words.append((max(start, last), max(end, last)))
        last = words[-1][1]
    return tuple(words)


def _field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field of a protobuf message."""
    length, size = b"", len(content)
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return bytes([number << 3 | 2]) + length + content
