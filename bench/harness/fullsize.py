"""A checkpoint of VibeVoice 1.5B's dimensions with random weights, in bfloat16, 5.4 GB on disk.

The model never ends a segment by itself (see `talkative`), so a segment has the maximum of frames of its
plan.
"""

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pipeline.engines.vibevoice.checkpoint.architecture import Shape, read
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.request import SlotDecoder

if TYPE_CHECKING:
    from transformers import VibeVoiceConfig

BLOCK = 8 << 20
LEVEL = 4.0
WORDS = ("able", "back", "calm", "day", "each", "fog", "good", "hill", "just", "low", "mist", "now")
"""Words that are one token each in the checkpoint's tokenizer, as common words are in Qwen's."""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Add the options of all full-size benches."""
    wanted = argparse.ArgumentParser(description=description)
    wanted.add_argument("--threads", type=int, default=os.cpu_count())
    wanted.add_argument("--folder", type=Path, help="keep the checkpoint here, or use the one that is")
    return wanted


@contextmanager
def checkpoint(saved: Path | None) -> Iterator[Path]:
    """Folder with the checkpoint, written if missing; None for a temporary one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = (saved or Path(scratch)).absolute()
        if not (folder / "config.json").is_file():
            save(folder)
        yield folder


def on_cpu(decoder: SlotDecoder) -> Decoder:
    """The full-size decoder for CPUs."""
    assert isinstance(decoder, Decoder)
    return decoder


def always(decoder: Decoder, frames: int) -> tuple[int, ...]:
    """Forced tokens: that many frames, whatever the scores."""
    return (decoder.tokens.audio,) * frames


def config(ids: tuple[int, int, int, int]) -> "VibeVoiceConfig":
    """Configuration with the published dimensions; `ids`: end, audio start, audio end, audio."""
    from transformers import VibeVoiceConfig

    text = {
        "model_type": "qwen2",
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "max_position_embeddings": 65536,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "tie_word_embeddings": True,
    }
    end, start, stop, audio = ids
    return VibeVoiceConfig(
        text_config=text,
        audio_config={"model_type": "vibevoice_acoustic_tokenizer", "hidden_size": 64},
        semantic_model_config={"model_type": "vibevoice_acoustic_tokenizer_encoder", "hidden_size": 128},
        diffusion_head_config={"num_hidden_layers": 4, "intermediate_size": 4608},
        pad_token_id=end,
        eos_token_id=end,
        audio_bos_token_id=start,
        audio_eos_token_id=stop,
        audio_token_id=audio,
        dtype="bfloat16",
    )


def save(folder: Path) -> Path:
    """Write the checkpoint, one tensor after the other; returns its folder.

    transformers is imported here: a bench that finds its checkpoint measures a process without it.
    """
    from transformers import VibeVoiceAcousticTokenizerFeatureExtractor, VibeVoiceProcessor

    from bench.harness import tiny

    words = tiny.tokenizer(
        (*tiny.CORPUS, tiny.TEMPLATE, *WORDS, *(f" {word}. {word.title()}" for word in WORDS)), 2000
    )
    end, start, stop, audio = words.convert_tokens_to_ids(list(tiny.SPECIAL))
    config((end, start, stop, audio)).save_pretrained(folder)
    settings = {
        "eos_token_id": end,
        "pad_token_id": end,
        "guidance_scale": 1.3,
        "num_diffusion_steps": 10,
        "noise_scheduler_class": "DPMSolverMultistepScheduler",
        "noise_scheduler_config": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"},
    }
    (folder / "generation_config.json").write_text(json.dumps(settings))
    VibeVoiceProcessor(
        VibeVoiceAcousticTokenizerFeatureExtractor(), words, chat_template=tiny.TEMPLATE
    ).save_pretrained(folder)
    shapes = read(json.loads((folder / "config.json").read_text())).shapes()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(_header(shapes))
        for words_of in _tensors(shapes, audio):
            file.write(words_of)
    return folder


def _header(shapes: Mapping[str, Shape]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        size = 2 * prod(shape)
        entries[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _tensors(shapes: Mapping[str, Shape], audio: int) -> Iterator[bytes]:
    noise = torch.randn(BLOCK, generator=torch.Generator().manual_seed(0))
    for number, (name, shape) in enumerate(shapes.items()):
        offset, count = number * 7919 % 4096, prod(shape)
        flat = noise.repeat((count + offset) // BLOCK + 1)[offset : offset + count]
        tensor = (flat * spread(name, shape) + mean(name)).view(shape)
        words = talkative(name, tensor, audio).bfloat16().reshape(-1)
        yield words.view(torch.uint8).numpy().tobytes()


def spread(name: str, shape: Shape) -> float:
    """Standard deviation of a random weight."""
    if len(shape) == 3:
        fan_in = 2 * shape[0] if "convtr" in name else shape[1] * shape[2]
        return 1 / math.sqrt(fan_in)
    if not shape or mean(name):
        return 0.0
    return 0.02 if len(shape) == 2 else 0.01


def mean(name: str) -> float:
    """Mean of a random weight."""
    for end, value in (
        ("norm.weight", 1.0),
        ("act.weight", 1.0),
        ("gamma", 0.1),
        ("latent_scaling_factor", 0.196),
    ):
        if name.endswith(end):
            return value
    return -0.05 if name.endswith("latent_bias_factor") else 0.0


def talkative(name: str, tensor: torch.Tensor, audio: int) -> torch.Tensor:
    """Fix the first value of every state, and let it score the token of a frame highest."""
    if name.endswith(("o_proj.weight", "mlp.down_proj.weight")):
        tensor[0] = 0
    if name.endswith(("projector.linear_2.weight", "connector.linear_2.weight")):
        tensor[0] = 0
    if name.endswith(("projector.linear_2.bias", "connector.linear_2.bias")):
        tensor[0] = LEVEL if "projector" in name else 0.0
    if name.endswith("embed_tokens.weight"):
        tensor[:, 0] = LEVEL
        tensor[audio, 0] = 10 * LEVEL
    return tensor
