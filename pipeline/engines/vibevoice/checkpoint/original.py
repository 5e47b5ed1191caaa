"""Conversion of the original layout (Microsoft's) to tensor names and `config.json` of transformers.

Follows transformers' own conversion
(`models/vibevoice/convert_vibevoice_to_hf.py` of transformers at commit 001abfd), with the
names of release 5.23. Adapters that were trained on the original layout bear its names.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.engines.vibevoice.checkpoint.architecture import MODEL_TYPE, Config
from pipeline.engines.vibevoice.checkpoint.stored_files import read_json
from pipeline.errors import EngineError

RENAMED = (
    (r"\bsemantic_tokenizer\.encoder\.", "semantic_tokenizer_encoder."),
    (r"\bacoustic_tokenizer\.", "audio_tower."),
    (r"\b(?:down|up)sample_layers\.0\.0\.", "stem."),
    (r"\bstages\.0\.", "stem.stage."),
    (r"\bmixer\.conv\.conv\.conv\.", "mixer.conv."),
    (r"\bhead\.conv\.conv\.", "head.conv."),
    (r"\bt_embedder\.mlp\.0\.", "timestep_proj.fc1."),
    (r"\bt_embedder\.mlp\.2\.", "timestep_proj.fc2."),
    (r"\bfinal_layer\.adaLN_modulation\.1\.", "final_layer.linear_1."),
    (r"\bfinal_layer\.linear\.", "final_layer.linear_2."),
    (r"\badaLN_modulation\.1\.", "linear."),
    (r"\bprediction_head\.", "diffusion_head."),
    (r"_connector\.fc1\.", "_connector.linear_1."),
    (r"_connector\.norm\.", "_connector.act."),
    (r"_connector\.fc2\.", "_connector.linear_2."),
    (r"\bacoustic_connector\.", "multi_modal_projector."),
    (r"\bspeech_(scaling|bias)_factor$", r"latent_\1_factor"),
)
RESAMPLED = re.compile(r"\b(?:down|up)sample_layers\.(\d+)\.0\.")
STAGE = re.compile(r"(encoder|decoder)\.stages\.(\d+)\.")
TOKENS = {
    "audio_bos_token_id": ("<|vision_start|>", 151652),
    "audio_eos_token_id": ("<|vision_end|>", 151653),
    "audio_token_id": ("<|vision_pad|>", 151654),
    "eos_token_id": ("<|endoftext|>", 151643),
}
"""Tokens of the model, and their IDs in the tokenizer of Qwen2.5."""
CONSTANT = {
    "causal": True,
    "conv_bias": True,
    "conv_norm": "none",
    "disable_last_norm": True,
    "layernorm": "RMSNorm",
    "layernorm_elementwise_affine": True,
    "mixer_layer": "depthwise_conv",
    "pad_mode": "constant",
}
"""Variants that the original's convolutions allow and no published checkpoint uses."""
GENERATION: Mapping[str, Any] = {
    "noise_scheduler_class": "DPMSolverMultistepScheduler",
    "noise_scheduler_config": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"},
}
"""The settings of generation that transformers' conversion writes."""


def rename(name: str) -> str:
    """Convert the name of a tensor to transformers' layout; a name in that layout is unchanged.

    >>> rename("model.acoustic_tokenizer.decoder.stages.3.0.mixer.conv.conv.conv.bias")
    'model.audio_tower.decoder.conv_layers.2.stage.0.mixer.conv.bias'
    >>> rename("model.prediction_head.layers.1.adaLN_modulation.1.weight")
    'model.diffusion_head.layers.1.linear.weight'
    >>> rename("model.semantic_connector.linear_1.bias")
    'model.semantic_connector.linear_1.bias'
    """
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    name = RESAMPLED.sub(lambda found: f"conv_layers.{int(found[1]) - 1}.", name)
    return STAGE.sub(lambda found: f"{found[1]}.conv_layers.{int(found[2]) - 1}.stage.", name)


def is_original(config: Config) -> bool:
    """Tell the original `config.json` from that of transformers."""
    return "decoder_config" in config and "acoustic_tokenizer_config" in config


def convert(config: Config, folder: Path) -> dict[str, Any]:
    """Convert an original `config.json` to that of transformers.

    Raises:
        EngineError: an entry is missing, or a variant that no published checkpoint has.
    """
    if config.get("model_type") != MODEL_TYPE:
        raise EngineError(
            f"the checkpoint in {folder} is of model_type {config.get('model_type')!r}, not {MODEL_TYPE!r}: "
            "the models for streaming and for recognition are others"
        )
    try:
        return {
            "model_type": MODEL_TYPE,
            "text_config": _language(config),
            "diffusion_head_config": _head(config["diffusion_head_config"]),
            "audio_config": _acoustic(config["acoustic_tokenizer_config"]),
            "semantic_model_config": _stack(config["semantic_tokenizer_config"]),
            **_tokens(folder),
        }
    except KeyError as missing:
        raise EngineError(f"the original config.json in {folder} has no {missing}") from missing


def advice(folder: Path) -> str:
    """Advise how to get the tokenizer, which the original layout lacks."""
    path = folder / "preprocessor_config.json"
    settings = read_json(path) if path.is_file() else {}
    language = settings.get("language_model_pretrained_name") or "Qwen/Qwen2.5-1.5B"
    return (
        f"the original layout comes without it: run `hf download {language} tokenizer.json --local-dir "
        f"{folder}`, or use the converted vibevoice/VibeVoice-1.5B-hf or vibevoice/VibeVoice-7B-hf"
    )


def _language(config: Config) -> Config:
    text = config["decoder_config"]
    scaling = text.get("rope_scaling") or {}
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    tied = text.get("tie_word_embeddings", False) and config.get("tie_word_embeddings", True)
    rope = {"rope_type": kind, "rope_theta": text["rope_theta"]}
    return {**text, "tie_word_embeddings": tied, "rope_parameters": rope}


def _head(head: Config) -> Config:
    _refuse("diffusion_head_config.prediction_type", head.get("prediction_type"), "v_prediction")
    _refuse("diffusion_head_config.ddpm_beta_schedule", head.get("ddpm_beta_schedule"), "cosine")
    return {
        "num_hidden_layers": head["head_layers"],
        "intermediate_size": int(head["hidden_size"] * head["head_ffn_ratio"]),
        "rms_norm_eps": head["rms_norm_eps"],
        "hidden_act": "silu",
        "frequency_embedding_size": 256,
        "diffusion_max_period": 10_000,
    }


def _acoustic(stack: Config) -> Config:
    depths = _depths(stack["encoder_depths"])
    for name, mirrored in (
        ("decoder_ratios", stack["encoder_ratios"]),
        ("decoder_n_filters", stack["encoder_n_filters"]),
    ):
        _refuse(f"acoustic_tokenizer_config.{name}", stack.get(name), mirrored)
    if stack.get("decoder_depths") is not None:
        _refuse("acoustic_tokenizer_config.decoder_depths", _depths(stack["decoder_depths"]), depths[::-1])
    return _stack(stack)


def _stack(stack: Config) -> Config:
    for name, known in CONSTANT.items():
        _refuse(f"{stack.get('model_type')}.{name}", stack.get(name), known)
    return {
        "model_type": stack.get("model_type"),
        "hidden_size": stack["vae_dim"],
        "channels": stack["channels"],
        "num_filters": stack["encoder_n_filters"],
        "kernel_size": 7,
        "downsampling_ratios": stack["encoder_ratios"][::-1],
        "depths": _depths(stack["encoder_depths"]),
        "ffn_expansion": 4,
        "rms_norm_eps": stack["layernorm_eps"],
        "hidden_act": "gelu",
    }


def _depths(value: str | list[int]) -> list[int]:
    return [int(depth) for depth in value.split("-")] if isinstance(value, str) else list(value)


def _refuse(name: str, value: object, known: object) -> None:
    """Reject a variant; a missing entry has the original's default, which is supported."""
    if value not in (None, known):
        raise EngineError(f"the checkpoint's {name} is {value!r}; only {known!r} is supported")


def _tokens(folder: Path) -> dict[str, int]:
    path = folder / "tokenizer.json"
    added = read_json(path).get("added_tokens", []) if path.is_file() else []
    ids = {token["content"]: token["id"] for token in added}
    return {name: ids.get(token, known) for name, (token, known) in TOKENS.items()}
