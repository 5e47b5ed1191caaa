"""The prompt that the checkpoint's processor makes, with one placeholder per speaker, and its tokens."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from pipeline.engines.protocol import SegmentText
from pipeline.errors import EngineError

START, END, VOICE = "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"
INSTRUCTION = (
    " Transform the text provided by various speakers into speech output, "
    "utilizing the distinct voice of each respective speaker.\n"
)

Ids = npt.NDArray[np.int32]


def render(segment: SegmentText) -> str:
    """Render the prompt as text, with one token per voice; decoding inserts one position per voice frame.

    >>> from pipeline.engines.protocol import Line
    >>> print(render(SegmentText((Line(0, "Hello."), Line(1, "Hi.")), speakers=2, seed=0)))
     Transform the text provided by various speakers into speech output, utilizing the distinct voice of each\
 respective speaker.
     Voice input:
     Speaker 0:<|vision_start|><|vision_pad|><|vision_end|>
     Speaker 1:<|vision_start|><|vision_pad|><|vision_end|>
     Text input:
     Speaker 0: Hello.
     Speaker 1: Hi.
     Speech output:
    <|vision_start|>
    """
    voices = (f" Speaker {slot}:{START}{VOICE}{END}\n" for slot in range(segment.speakers))
    lines = (f" Speaker {line.slot}: {line.text}\n" for line in segment.lines)
    return "".join(
        (INSTRUCTION, " Voice input:\n", *voices, " Text input:\n", *lines, f" Speech output:\n{START}")
    )


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the checkpoint's tokenizer, without transformers.

    Raises:
        EngineError: there is none, or it lacks the tokens of the prompt.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise EngineError(f"the checkpoint in {folder} has no tokenizer.json")
    tokenizer = Tokenizer.from_file(str(path))
    for token in (START, END, VOICE):
        if tokenizer.token_to_id(token) is None:
            raise EngineError(f"the tokenizer in {folder} has no {token}: it is not VibeVoice's")
    return tokenizer


def encode(tokenizer: Tokenizer, segment: SegmentText) -> Ids:
    """Tokenize the rendered prompt as IDs (n,)."""
    return np.array(tokenizer.encode(render(segment), add_special_tokens=False).ids, np.int32)


def control_tokens(tokenizer: Tokenizer) -> tuple[str, ...]:
    """List the tokens that the model would interpret instead of speaking."""
    return tuple(token.content for token in tokenizer.get_added_tokens_decoder().values())
