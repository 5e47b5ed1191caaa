"""LoRA adapters of tiny checkpoints, made and merged by peft, in the layout of VibeVoice-finetuning."""

import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import VibeVoiceForConditionalGeneration

from tests.pipeline.engines.vibevoice.original_layout import Head, original_name

LANGUAGE_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HEAD_TARGETS = ["noisy_images_proj", "cond_proj", "gate_proj", "up_proj", "down_proj", "linear"]
Weights = dict[str, torch.Tensor]


def settings(targets: object, **others: Any) -> LoraConfig:
    return LoraConfig(**{"r": 4, "lora_alpha": 16, "target_modules": targets, **others})


def language_model(checkpoint: Path) -> nn.Module:
    """Copy of a checkpoint's language model, which is read once."""
    return copy.deepcopy(_language_model(checkpoint))


@lru_cache(maxsize=2)
def _language_model(checkpoint: Path) -> nn.Module:
    model: nn.Module = VibeVoiceForConditionalGeneration.from_pretrained(checkpoint).model.language_model
    return model


def adapt(model: nn.Module, config: LoraConfig, folder: Path, *, seed: int = 0) -> PeftModel:
    """Wrap a model with an adapter of random numbers, saved in a folder as its training saves it."""
    wrapped = get_peft_model(model, config)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_" in name:
                weight.copy_(0.1 * torch.randn(weight.shape, generator=noise))
    wrapped.save_pretrained(folder)
    return wrapped


def merged(wrapped: PeftModel, prefix: str, *, scale: float = 1.0) -> Weights:
    """Merge with peft; returns the weights by the checkpoint's names, which are `prefix` and the model's."""
    for module in wrapped.modules():
        if hasattr(module, "set_scale"):
            module.set_scale("default", scale)
    return {f"{prefix}{name}": one for name, one in wrapped.merge_and_unload().state_dict().items()}


def adapt_language_model(
    checkpoint: Path, folder: Path, *, scale: float = 1.0, targets: object = None, **others: Any
) -> Weights:
    """Save an adapter of the language model; returns the weights that it changes, as peft merges them."""
    config = settings(targets or LANGUAGE_TARGETS, **others)
    wrapped = adapt(language_model(checkpoint), config, folder)
    return merged(wrapped, "model.language_model.", scale=scale)


def adapt_head(checkpoint: Path, folder: Path, *, scale: float = 1.0) -> Weights:
    """Save an adapter of the diffusion head with the original's names, in the folder `diffusion_head`."""
    wrapped = adapt(Head(checkpoint), settings(HEAD_TARGETS), folder / "diffusion_head", seed=1)
    originals = merged(wrapped, "", scale=scale)
    return {
        name: originals[f"base.{original_name(name).removeprefix('model.prediction_head.')}"]
        for name in load_file(checkpoint / "model.safetensors")
        if name.startswith("model.diffusion_head.")
    }


def replace_connector(checkpoint: Path, folder: Path, kind: str, *, scale: float = 1.0) -> Weights:
    """Save a changed connector whole, as the training pickles it; returns its weights at that scale."""
    base = load_file(checkpoint / "model.safetensors")
    noise = torch.Generator().manual_seed(2)
    root = f"model.{kind}_connector."
    names = {name: original_name(name) for name in base if original_name(name).startswith(root)}
    whole = {name: base[name] + 0.05 * torch.randn(base[name].shape, generator=noise) for name in names}
    (folder / f"{kind}_connector").mkdir(parents=True)
    torch.save(
        {names[name].removeprefix(root): one for name, one in whole.items()},
        folder / f"{kind}_connector" / "pytorch_model.bin",
    )
    return {name: torch.lerp(base[name], one, scale) for name, one in whole.items()}


def replace_weights(checkpoint: Path, weights: Weights) -> None:
    """Write weights in place of those of a checkpoint, in its type."""
    file = checkpoint / "model.safetensors"
    base = load_file(file)
    assert weights.keys() <= base.keys()
    new = {name: weights.get(name, one).to(one.dtype).contiguous() for name, one in base.items()}
    save_file(new, file, {"format": "pt"})
