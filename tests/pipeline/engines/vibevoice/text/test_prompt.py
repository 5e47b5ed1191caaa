"""The prompt equals that of transformers' processor."""

from pathlib import Path

import numpy as np
import pytest
from transformers import VibeVoiceProcessor

from pipeline.engines.protocol import Line, SegmentText
from pipeline.engines.vibevoice.text import prompt
from pipeline.errors import EngineError

LINES = (
    Line(0, "Hello there."),
    Line(1, "Hi — “quoted”, naïve 晚安!"),
    Line(0, "Bye.\tNow."),
    Line(2, "Speaker 1: no"),
)


def test_token_ids_equal_those_of_the_processor(checkpoint: Path) -> None:
    processor = VibeVoiceProcessor.from_pretrained(checkpoint)
    voiced: set[int] = set()
    chat = []
    for line in LINES:
        content: list[dict[str, object]] = [{"type": "text", "text": line.text}]
        if line.slot not in voiced:
            content.append({"type": "audio", "audio": np.full(2000, 0.1, np.float32)})
        voiced.add(line.slot)
        chat.append({"role": str(line.slot), "content": content})
    how = {"sampling_rate": 24_000}
    expected = processor.apply_chat_template(chat, tokenize=True, return_dict=True, processor_kwargs=how)
    made = prompt.encode(prompt.load_tokenizer(checkpoint), SegmentText(LINES, speakers=3, seed=0))
    assert made.tolist() == np.ravel(expected["input_ids"]).tolist()


def test_a_missing_tokenizer_is_reported_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no tokenizer\.json"):
        prompt.load_tokenizer(tmp_path)
