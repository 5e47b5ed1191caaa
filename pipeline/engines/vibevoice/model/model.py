"""The parts of the model that speak, with their weights: all that a decode worker loads."""

import torch

from pipeline.engines.vibevoice.checkpoint.weights import Weights, wide
from pipeline.engines.vibevoice.layers.linear import LinearFactory, make_linear
from pipeline.engines.vibevoice.model import connector
from pipeline.engines.vibevoice.model.diffusion_head import Sampler
from pipeline.engines.vibevoice.model.language_model import ROOT, LanguageModel
from pipeline.engines.vibevoice.model.streaming_conv import Stream


class Model:
    """Of the embedding table it holds four rows, of the acoustic encoder nothing."""

    def __init__(self, weights: Weights, positions: int, linear: LinearFactory = make_linear) -> None:
        """
        Args:
            positions: the longest past that will be asked for.
            linear: how the language model's products are computed.
        """
        architecture, generation = weights.checkpoint.architecture, weights.checkpoint.generation
        self.dtype, self.device = weights.dtype, weights.device
        self.tokens, self.latent, self.hop = architecture.tokens, architecture.head.latent, architecture.hop
        self.language = LanguageModel(weights, architecture.language, positions, linear)
        schedule = generation.get("noise_scheduler_config") or {}
        self.sampler = Sampler(weights, architecture.head, schedule)
        self.speech = Stream(weights, architecture.acoustic_decoder)
        self.listener = Stream(weights, architecture.semantic_encoder)
        self.acoustic, self.semantic = connector.acoustic(weights), connector.semantic(weights)
        legal, table = list(self.tokens.legal), f"{ROOT}embed_tokens.weight"
        self.embeddings = weights.rows(table, legal)
        self.scores = weights.rows(table if architecture.language.tied else "lm_head.weight", legal).to(
            wide(self.dtype)
        )
        self.scale = weights("model.latent_scaling_factor").clone()
        self.shift = weights("model.latent_bias_factor").clone()

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """states (rows, hidden) to the scores of the legal tokens (rows, 4), each row by itself."""
        return (states[:, None].to(wide(self.dtype)) * self.scores).sum(-1)

    def unscaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents as the acoustic decoder takes them."""
        return latents / self.scale - self.shift
