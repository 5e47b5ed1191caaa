"""Tiny checkpoints in the layout that Microsoft published."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

NAMES: tuple[tuple[str, str], ...] = (
    (r"^model\.audio_tower\.", "model.acoustic_tokenizer."),
    (r"^model\.semantic_tokenizer_encoder\.", "model.semantic_tokenizer.encoder."),
    (r"encoder\.stem\.conv\.", "encoder.downsample_layers.0.0.conv."),
    (r"decoder\.stem\.conv\.", "decoder.upsample_layers.0.0.conv."),
    (r"\.stem\.stage\.", ".stages.0."),
    (r"\.mixer\.conv\.", ".mixer.conv.conv.conv."),
    (r"coder\.head\.conv\.", "coder.head.conv.conv."),
    (r"^model\.multi_modal_projector\.", "model.acoustic_connector."),
    (r"_connector\.linear_(\d)\.", r"_connector.fc\1."),
    (r"_connector\.act\.", "_connector.norm."),
    (r"^model\.latent_(\w+)_factor$", r"model.speech_\1_factor"),
    (r"^(model\.diffusion_head\.layers\.\d+)\.linear\.", r"\1.adaLN_modulation.1."),
    (r"final_layer\.linear_1\.", "final_layer.adaLN_modulation.1."),
    (r"final_layer\.linear_2\.", "final_layer.linear."),
    (r"timestep_proj\.fc1\.", "t_embedder.mlp.0."),
    (r"timestep_proj\.fc2\.", "t_embedder.mlp.2."),
    (r"^model\.diffusion_head\.", "model.prediction_head."),
)
SHIFTED = (
    (r"\.conv_layers\.(\d+)\.conv\.", ".downsample_layers.{}.0.conv."),
    (r"\.conv_layers\.(\d+)\.convtr\.", ".upsample_layers.{}.0.convtr."),
    (r"\.conv_layers\.(\d+)\.stage\.", ".stages.{}."),
)


def original_name(name: str) -> str:
    """Convert transformers' name of a tensor to the original's."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    for pattern, template in SHIFTED:
        if found := re.search(pattern, name):
            name = name.replace(found[0], template.format(int(found[1]) + 1))
    return name


def save_original(checkpoint: Path, folder: Path) -> Path:
    """Write a checkpoint of transformers in the original layout, with its tokenizer; returns the folder."""
    folder.mkdir()
    weights = {original_name(name): one for name, one in load_file(checkpoint / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    config = original_config(json.loads((checkpoint / "config.json").read_text()))
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(checkpoint / "tokenizer.json", folder)
    settings = {"sampling_rate": 24000, "normalize_audio": True, "target_dB_FS": -25, "eps": 1e-6}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"audio_processor": settings, "language_model_pretrained_name": "Qwen/Qwen2.5-7B"})
    )
    return folder


def original_config(config: dict[str, Any]) -> dict[str, Any]:
    """Convert transformers' `config.json` to the original's."""
    text, head = config["text_config"], config["diffusion_head_config"]
    return {
        "model_type": "vibevoice",
        "decoder_config": {
            **{key: value for key, value in text.items() if key != "rope_parameters"},
            "rope_theta": text["rope_parameters"]["rope_theta"],
            "rope_scaling": None,
        },
        "diffusion_head_config": {
            "hidden_size": head["hidden_size"],
            "head_layers": head["num_hidden_layers"],
            "head_ffn_ratio": head["intermediate_size"] / head["hidden_size"],
            "rms_norm_eps": head["rms_norm_eps"],
            "prediction_type": "v_prediction",
            "ddpm_beta_schedule": "cosine",
        },
        "acoustic_tokenizer_config": {
            **_stack(config["audio_config"], "acoustic"),
            "decoder_ratios": config["audio_config"]["downsampling_ratios"][::-1],
            "decoder_n_filters": config["audio_config"]["num_filters"],
            "decoder_depths": None,
        },
        "semantic_tokenizer_config": _stack(config["semantic_model_config"], "semantic"),
    }


def _stack(stack: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "model_type": f"vibevoice_{kind}_tokenizer",
        "vae_dim": stack["hidden_size"],
        "channels": stack["channels"],
        "encoder_n_filters": stack["num_filters"],
        "encoder_ratios": stack["downsampling_ratios"][::-1],
        "encoder_depths": "-".join(map(str, stack["depths"])),
        "layernorm_eps": stack["rms_norm_eps"],
        "layernorm": "RMSNorm",
        "mixer_layer": "depthwise_conv",
        "conv_bias": True,
        "causal": True,
    }


class Head(nn.Module):
    """Modules of the original's diffusion head, below the wrapper of its training (`base`)."""

    def __init__(self, checkpoint: Path) -> None:
        super().__init__()
        self.base = nn.Module()
        root = "model.prediction_head."
        for name, weight in load_file(checkpoint / "model.safetensors").items():
            original = original_name(name)
            if original.startswith(root):
                self._add(original.removeprefix(root).removesuffix(".weight"), weight)

    def _add(self, path: str, weight: torch.Tensor) -> None:
        *parents, last = path.split(".")
        inside = self.base
        for parent in parents:
            if parent not in inside._modules:
                inside.add_module(parent, nn.Module())
            inside = inside.get_submodule(parent)
        module: nn.Module = nn.Module() if weight.dim() == 1 else _linear(weight)
        module.weight = nn.Parameter(weight)
        inside.add_module(last, module)


def _linear(weight: torch.Tensor) -> nn.Linear:
    outer, inner = weight.shape
    return nn.Linear(inner, outer, bias=False)
