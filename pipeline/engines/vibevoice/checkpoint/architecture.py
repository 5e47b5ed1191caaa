"""Dimensions of a checkpoint, read from its `config.json` without torch or transformers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from pipeline.errors import EngineError

Shape = tuple[int, ...]
Config = Mapping[str, Any]

MODEL_TYPE = "vibevoice"


@dataclass(frozen=True, slots=True)
class GeneratedTokens:
    """IDs of the four tokens that the model can generate."""

    audio_start: int
    audio_end: int
    audio: int
    """One frame of audio; in a prompt, one frame of a voice."""
    end: int

    @property
    def legal(self) -> tuple[int, int, int, int]:
        """IDs in ascending order: the lowest wins a tie, as in the whole vocabulary."""
        first, second, third, fourth = sorted((self.audio_start, self.audio_end, self.audio, self.end))
        return first, second, third, fourth


@dataclass(frozen=True, slots=True)
class LanguageConfig:
    """Dimensions of the language model, a Qwen2 decoder."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    epsilon: float
    rope_theta: float
    positions_max: int
    tied: bool
    """True if the LM head is the embedding table."""

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    @property
    def position_values(self) -> int:
        """Elements of one position in the KV cache: a key and a value in every layer."""
        return 2 * self.layers * self.key_heads * self.head_size

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        root, h, kv = "model.language_model.", self.hidden, self.key_heads * self.head_size
        yield f"{root}embed_tokens.weight", (self.vocabulary, h)
        yield f"{root}norm.weight", (h,)
        if not self.tied:
            yield "lm_head.weight", (self.vocabulary, h)
        for layer in range(self.layers):
            at = f"{root}layers.{layer}."
            for part, rows in (("q", h), ("k", kv), ("v", kv)):
                yield f"{at}self_attn.{part}_proj.weight", (rows, h)
                yield f"{at}self_attn.{part}_proj.bias", (rows,)
            yield f"{at}self_attn.o_proj.weight", (h, h)
            yield f"{at}mlp.gate_proj.weight", (self.intermediate, h)
            yield f"{at}mlp.up_proj.weight", (self.intermediate, h)
            yield f"{at}mlp.down_proj.weight", (h, self.intermediate)
            yield f"{at}input_layernorm.weight", (h,)
            yield f"{at}post_attention_layernorm.weight", (h,)


@dataclass(frozen=True, slots=True)
class DiffusionHeadConfig:
    """Dimensions of the diffusion head."""

    hidden: int
    intermediate: int
    layers: int
    latent: int
    epsilon: float
    frequencies: int
    period_max: float

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        root, h, wide = "model.diffusion_head.", self.hidden, self.intermediate
        yield f"{root}noisy_images_proj.weight", (h, self.latent)
        yield f"{root}cond_proj.weight", (h, h)
        yield f"{root}timestep_proj.fc1.weight", (h, self.frequencies)
        yield f"{root}timestep_proj.fc2.weight", (h, h)
        yield f"{root}final_layer.linear_1.weight", (2 * h, h)
        yield f"{root}final_layer.linear_2.weight", (self.latent, h)
        for layer in range(self.layers):
            at = f"{root}layers.{layer}."
            yield f"{at}norm.weight", (h,)
            yield f"{at}linear.weight", (3 * h, h)
            yield f"{at}ffn.gate_proj.weight", (wide, h)
            yield f"{at}ffn.up_proj.weight", (wide, h)
            yield f"{at}ffn.down_proj.weight", (h, wide)


@dataclass(frozen=True, slots=True)
class ConvStackConfig:
    """Dimensions of a streaming convolutional encoder, or (with `upward`) a decoder."""

    root: str
    """Prefix of its tensors."""
    latent: int
    channels: int
    filters: int
    kernel: int
    ratios: tuple[int, ...]
    """Resampling factors, in the encoder's order."""
    depths: tuple[int, ...]
    """Blocks per stage, in the encoder's order; a decoder has them in reverse."""
    expansion: int
    epsilon: float
    upward: bool = False

    @property
    def hop(self) -> int:
        """Samples in a frame."""
        return prod(self.ratios)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels per stage, from the samples to the latents."""
        return tuple(self.filters << stage for stage in range(len(self.depths)))

    def stages(self) -> list[tuple[str, int, int]]:
        """List (prefix of the blocks, number of blocks, channels) in the order of computation."""
        order = list(zip(self.depths, self.widths, strict=True))
        if self.upward:
            order.reverse()
        names = ["stem", *(f"conv_layers.{index}" for index in range(len(self.ratios)))]
        return [
            (f"{self.root}{name}.stage.", depth, width)
            for name, (depth, width) in zip(names, order, strict=True)
        ]

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        first, last = (self.latent, self.channels) if self.upward else (self.channels, self.latent)
        stages = self.stages()
        yield from _convolution(f"{self.root}stem.conv.conv", (stages[0][2], first, self.kernel))
        yield from _convolution(f"{self.root}head.conv", (last, stages[-1][2], self.kernel))
        for index, ratio in enumerate(reversed(self.ratios) if self.upward else self.ratios):
            before, after, at = stages[index][2], stages[index + 1][2], f"{self.root}conv_layers.{index}."
            if self.upward:
                yield f"{at}convtr.convtr.weight", (before, after, 2 * ratio)
                yield f"{at}convtr.convtr.bias", (after,)
            else:
                yield from _convolution(f"{at}conv.conv", (after, before, 2 * ratio))
        for prefix, depth, width in stages:
            for block in range(depth):
                yield from self._block(f"{prefix}{block}.", width)

    def _block(self, at: str, width: int) -> Iterator[tuple[str, Shape]]:
        yield from _convolution(f"{at}mixer.conv", (width, 1, self.kernel))
        for name in ("norm.weight", "ffn_norm.weight", "gamma", "ffn_gamma"):
            yield f"{at}{name}", (width,)
        for name, shape in (
            ("linear1", (self.expansion * width, width)),
            ("linear2", (width, self.expansion * width)),
        ):
            yield f"{at}ffn.{name}.weight", shape
            yield f"{at}ffn.{name}.bias", shape[:1]


@dataclass(frozen=True, slots=True)
class Architecture:
    """Dimensions of a checkpoint."""

    tokens: GeneratedTokens
    language: LanguageConfig
    head: DiffusionHeadConfig
    acoustic_encoder: ConvStackConfig
    acoustic_decoder: ConvStackConfig
    semantic_encoder: ConvStackConfig

    @property
    def hop(self) -> int:
        return self.acoustic_encoder.hop

    def shapes(self) -> dict[str, Shape]:
        """List the tensors of a complete checkpoint, with their shapes."""
        found = dict(self.language.shapes()) | dict(self.head.shapes())
        for stack in (self.acoustic_encoder, self.acoustic_decoder, self.semantic_encoder):
            found |= dict(stack.shapes())
        for root, width in (
            ("multi_modal_projector", self.acoustic_encoder.latent),
            ("semantic_connector", self.semantic_encoder.latent),
        ):
            found |= dict(_connector(f"model.{root}.", width, self.language.hidden))
        return found | {"model.latent_scaling_factor": (), "model.latent_bias_factor": ()}


def read(config: Config) -> Architecture:
    """Read the dimensions from a `config.json`.

    Raises:
        EngineError: another kind of model, or an unsupported variant.
    """
    kind = config.get("model_type")
    if kind != MODEL_TYPE:
        raise EngineError(f"the checkpoint is of model_type {kind!r}, not {MODEL_TYPE!r}")
    try:
        text, head = config["text_config"], config["diffusion_head_config"]
        _refuse_variants(text, head, config["audio_config"], config["semantic_model_config"])
        return Architecture(
            tokens=_tokens(config),
            language=_language(text),
            head=_head(head, config),
            acoustic_encoder=_stack("model.audio_tower.encoder.", config["audio_config"]),
            acoustic_decoder=_stack("model.audio_tower.decoder.", config["audio_config"], upward=True),
            semantic_encoder=_stack("model.semantic_tokenizer_encoder.", config["semantic_model_config"]),
        )
    except KeyError as missing:
        raise EngineError(f"the checkpoint's config.json has no {missing}") from missing


def _tokens(config: Config) -> GeneratedTokens:
    return GeneratedTokens(
        audio_start=config["audio_bos_token_id"],
        audio_end=config["audio_eos_token_id"],
        audio=config["audio_token_id"],
        end=config["eos_token_id"],
    )


def _language(text: Config) -> LanguageConfig:
    rope = text.get("rope_parameters") or text
    return LanguageConfig(
        vocabulary=text["vocab_size"],
        hidden=text["hidden_size"],
        intermediate=text["intermediate_size"],
        layers=text["num_hidden_layers"],
        heads=text["num_attention_heads"],
        key_heads=text["num_key_value_heads"],
        epsilon=text["rms_norm_eps"],
        rope_theta=rope["rope_theta"],
        positions_max=text["max_position_embeddings"],
        tied=text.get("tie_word_embeddings", False),
    )


def _head(head: Config, config: Config) -> DiffusionHeadConfig:
    return DiffusionHeadConfig(
        hidden=config["text_config"]["hidden_size"],
        intermediate=head["intermediate_size"],
        layers=head["num_hidden_layers"],
        latent=config["audio_config"]["hidden_size"],
        epsilon=head["rms_norm_eps"],
        frequencies=head["frequency_embedding_size"],
        period_max=head["diffusion_max_period"],
    )


def _stack(root: str, config: Config, *, upward: bool = False) -> ConvStackConfig:
    return ConvStackConfig(
        root=root,
        latent=config["hidden_size"],
        channels=config["channels"],
        filters=config["num_filters"],
        kernel=config["kernel_size"],
        ratios=tuple(config["downsampling_ratios"]),
        depths=tuple(config["depths"]),
        expansion=config["ffn_expansion"],
        epsilon=config["rms_norm_eps"],
        upward=upward,
    )


def _refuse_variants(text: Config, head: Config, *stacks: Config) -> None:
    """Reject variants that the configuration allows and no published checkpoint uses."""
    rope = (text.get("rope_parameters") or {}).get("rope_type", "default")
    found = {
        "text_config.rope_type": (rope, "default"),
        "text_config.hidden_act": (text["hidden_act"], "silu"),
        "text_config.use_sliding_window": (bool(text.get("use_sliding_window")), False),
        "diffusion_head_config.hidden_act": (head["hidden_act"], "silu"),
        "diffusion_head_config.mlp_bias": (bool(head.get("mlp_bias")), False),
    }
    for stack in stacks:
        found[f"{stack['model_type']}.hidden_act"] = (stack["hidden_act"], "gelu")
        found[f"{stack['model_type']}.channels"] = (stack["channels"], 1)
    for name, (value, known) in found.items():
        if value != known:
            raise EngineError(f"the checkpoint's {name} is {value!r}; only {known!r} is supported")


def _convolution(name: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _connector(root: str, inner: int, outer: int) -> Iterator[tuple[str, Shape]]:
    yield f"{root}linear_1.weight", (outer, inner)
    yield f"{root}linear_1.bias", (outer,)
    yield f"{root}act.weight", (outer,)
    yield f"{root}linear_2.weight", (outer, outer)
    yield f"{root}linear_2.bias", (outer,)
