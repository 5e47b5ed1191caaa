"""The `adapter_config.json` that peft writes for an adapter, and the variants that are rejected."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TypeVar

from pipeline.engines.vibevoice.checkpoint.architecture import Config
from pipeline.engines.vibevoice.checkpoint.stored_files import read_json
from pipeline.errors import EngineError

T = TypeVar("T")

INITIAL = (None, True, False, "gaussian", "eva", "orthogonal")
"""Ways to initialise an adapter that leave the weights beneath it as they are."""
WITHOUT_EFFECT = {
    *("auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "task_type", "peft_version"),
    *("lora_dropout", "layers_to_transform", "layers_pattern", "exclude_modules"),
    *("loftq_config", "eva_config"),
    *("megatron_core", "qalora_group_size", "runtime_config", "ensure_weight_tying"),
    "fan_in_fan_out",  # peft turns it off for linear layers, and there are no others here
}
"""Entries of `adapter_config.json` without effect on merging."""
READ = {
    *("peft_type", "bias", "init_lora_weights"),
    *("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules"),
}


@dataclass(frozen=True, slots=True)
class LowRank:
    """Entries of an `adapter_config.json` that determine the merge."""

    rank: int
    alpha: float
    root_of_rank: bool
    """Divide by the square root of the rank (rsLoRA, arXiv:2312.03732)."""
    ranks: Mapping[str, int]
    """Ranks of modules that have their own, by pattern."""
    alphas: Mapping[str, float]
    targets: str | tuple[str, ...]
    """A regular expression of the adapted modules, or the ends of their names."""

    def targeted(self, module: str) -> bool:
        if isinstance(self.targets, str):
            return self.targets == "all-linear" or bool(re.fullmatch(self.targets, module))
        return any(module == name or module.endswith(f".{name}") for name in self.targets)

    def rank_of(self, module: str) -> int:
        return _of_pattern(self.ranks, module, self.rank)

    def factor_of(self, module: str) -> float:
        rank = self.rank_of(module)
        return _of_pattern(self.alphas, module, self.alpha) / (sqrt(rank) if self.root_of_rank else rank)


def read_settings(path: Path) -> LowRank:
    """Read an `adapter_config.json`.

    Raises:
        EngineError: it is damaged, or its kind is not supported.
    """
    found = read_json(path)
    _refuse_variants(path, found)
    targets = found.get("target_modules") or ()
    try:
        return LowRank(
            rank=int(found["r"]),
            alpha=float(found["lora_alpha"]),
            root_of_rank=bool(found.get("use_rslora")),
            ranks=found.get("rank_pattern") or {},
            alphas=found.get("alpha_pattern") or {},
            targets=targets if isinstance(targets, str) else tuple(targets),
        )
    except (KeyError, TypeError, ValueError) as reason:
        raise EngineError(f"{path} lacks an entry or has one of the wrong type: {reason}") from reason


def _refuse_variants(path: Path, found: Config) -> None:
    """Reject every variant of peft that is not supported, including unknown entries."""
    if found.get("peft_type") != "LORA":
        raise EngineError(f"{path}: an adapter of type {found.get('peft_type')!r}; only 'LORA' can be merged")
    for name, value in _variants(found):
        raise EngineError(f"{path}: {name} = {value!r} is not supported; train without it")


def _variants(found: Config) -> Iterator[tuple[str, object]]:
    if found.get("bias", "none") != "none":
        yield "bias", found["bias"]
    if found.get("init_lora_weights") not in INITIAL:
        yield "init_lora_weights", found["init_lora_weights"]
    yield from ((name, value) for name, value in found.items() if value and name not in WITHOUT_EFFECT | READ)


def _of_pattern(patterns: Mapping[str, T], module: str, default: T) -> T:
    """Look up the first pattern that matches the end of the module's name, like peft's `get_pattern_key`."""
    return next((patterns[key] for key in patterns if re.match(rf"(.*\.)?({key})$", module)), default)
