"""Tiny checkpoints of the real classes with random weights, saved as real ones are, tokenizer and processor
included.

`python -m bench.harness.tiny FOLDER` makes one. Every dimension is small but none is left out: a frame is
3,200 samples long here too.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    Qwen2TokenizerFast,
    VibeVoiceAcousticTokenizerFeatureExtractor,
    VibeVoiceConfig,
    VibeVoiceForConditionalGeneration,
    VibeVoiceProcessor,
)

SPECIAL = ("<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>")
CORPUS = (
    "Transform the text provided by various speakers into speech output.",
    "Speaker 0: Hello there. Text input:",
)

# Renders what the template of the published checkpoints renders, for turns that carry a voice on their first
# line.
TEMPLATE = """\
 Transform the text provided by various speakers into speech output, utilizing the distinct voice of each \
respective speaker.{{ "\n" }}
{%- set items = messages | map(attribute="content") | sum(start=[]) %}
{%- if items | selectattr("type", "equalto", "audio") | list %}{{ " Voice input:\n" }}
{%- for message in messages if message["content"] | selectattr("type", "equalto", "audio") | list %}
{{- " Speaker " ~ message["role"] ~ ":<|vision_start|><|vision_pad|><|vision_end|>\n" }}
{%- endfor %}
{%- endif %}
{{- " Text input:\n" }}
{%- for message in messages %}
{%- for item in message["content"] | selectattr("type", "equalto", "text") %}
{{- " Speaker " ~ message["role"] ~ ": " ~ item["text"] ~ "\n" }}
{%- endfor %}
{%- endfor %}
{{- " Speech output:\n<|vision_start|>" }}"""

LEVEL = 10.0
"""Of the first number of every state of a talkative model."""
CONVOLUTIONS = {
    "num_filters": 2,
    "downsampling_ratios": [2, 2, 4, 5, 5, 8],
    "depths": [1, 1, 1, 1, 1, 1, 2],
    "layer_scale_init_value": 0.5,
    "initializer_range": 0.1,
}


def tokenizer(corpus: Sequence[str] = CORPUS, size: int = 300) -> Qwen2TokenizerFast:
    """Qwen2's byte-level BPE with a few merges, and the special tokens of the prompt.

    Args:
        size: of the vocabulary at most; with enough, each word of the corpus is a token.
    """
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=letters, special_tokens=[], show_progress=False
    )
    raw.train_from_iterator(corpus, trainer)
    trained = json.loads(raw.to_str())["model"]
    words = Qwen2TokenizerFast(vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]])
    words.add_tokens([AddedToken(token, special=True) for token in SPECIAL[1:]], special_tokens=True)
    return words


def config(words: Qwen2TokenizerFast, *, tied: bool) -> VibeVoiceConfig:
    end, start, stop, audio = words.convert_tokens_to_ids(list(SPECIAL))
    text = {
        "model_type": "qwen2",
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(words),
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "tie_word_embeddings": tied,
    }
    return VibeVoiceConfig(
        text_config=text,
        audio_config={"model_type": "vibevoice_acoustic_tokenizer", "hidden_size": 16, **CONVOLUTIONS},
        semantic_model_config={
            "model_type": "vibevoice_acoustic_tokenizer_encoder",
            "hidden_size": 24,
            **CONVOLUTIONS,
        },
        diffusion_head_config={"num_hidden_layers": 2, "intermediate_size": 128},
        pad_token_id=end,
        eos_token_id=end,
        audio_bos_token_id=start,
        audio_eos_token_id=stop,
        audio_token_id=audio,
    )


@torch.no_grad()
def enliven(model: VibeVoiceForConditionalGeneration, seed: int) -> None:
    """Fill the weights so that every term matters, and rounding is not blown up by the feedback of frames."""
    noise = torch.Generator().manual_seed(seed)

    def normal(shape: torch.Size) -> torch.Tensor:
        return torch.randn(shape, generator=noise)

    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            weight.add_((0.1 if "norm" in name else 0.05) * normal(weight.shape))
        elif weight.dim() > 1:
            fan_in = 2 * weight.shape[0] if "convtr" in name else weight[0].numel()
            weight.copy_(normal(weight.shape) * (0.5 if "embed_tokens" in name else fan_in**-0.5))
    for connector in (model.model.multi_modal_projector, model.model.semantic_connector):
        connector.linear_2.weight.mul_(0.2)
    model.model.audio_tower.decoder.head.conv.weight.mul_(0.1)
    model.model.latent_scaling_factor.fill_(0.7)
    model.model.latent_bias_factor.fill_(-0.1)


@torch.no_grad()
def make_talkative(model: VibeVoiceForConditionalGeneration) -> None:
    """Let the model choose another frame whatever it hears: a segment then ends at its most frames.

    The first number of every state is kept at one value, and scores the token of a frame above the others.
    """
    inner = model.model
    for layer in inner.language_model.layers:
        layer.self_attn.o_proj.weight[0] = 0
        layer.mlp.down_proj.weight[0] = 0
    for connector, value in ((inner.multi_modal_projector, LEVEL), (inner.semantic_connector, 0.0)):
        connector.linear_2.weight[0] = 0
        connector.linear_2.bias[0] = value
    inner.language_model.embed_tokens.weight[:, 0] = LEVEL
    inner.language_model.norm.weight[0] = 1
    model.lm_head.weight[model.config.audio_token_id, 0] = 10 * LEVEL


def save(
    folder: Path,
    *,
    seed: int = 0,
    tied: bool = True,
    talkative: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a checkpoint; returns its folder.

    Args:
        talkative: the model never ends a segment by itself.
    """
    words = tokenizer()
    torch.manual_seed(seed)
    model = VibeVoiceForConditionalGeneration(config(words, tied=tied))
    enliven(model, seed + 1)
    if talkative:
        make_talkative(model)
    settings = model.generation_config
    settings._from_model_config = False
    settings.noise_scheduler_class = "DPMSolverMultistepScheduler"
    settings.noise_scheduler_config = {
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": "v_prediction",
    }
    settings.guidance_scale, settings.num_diffusion_steps = 1.3, 10
    settings.pad_token_id = settings.eos_token_id = model.config.eos_token_id
    model.to(dtype).save_pretrained(folder)
    ears = VibeVoiceAcousticTokenizerFeatureExtractor(pad_to_multiple_of=model.config.audio_config.hop_length)
    VibeVoiceProcessor(ears, words, chat_template=TEMPLATE).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    save(Path(sys.argv[1]))
