"""The parts of the network that decoding needs, with their weights."""

import torch

from pipeline.engines.vibevoice.checkpoint.weights import Weights, at_least_float32
from pipeline.engines.vibevoice.layers.linear import LinearFactory, make_linear
from pipeline.engines.vibevoice.model import connector
from pipeline.engines.vibevoice.model.diffusion_head import DiffusionSampler
from pipeline.engines.vibevoice.model.language_model import ROOT, LanguageModel
from pipeline.engines.vibevoice.model.streaming_conv import StreamingStack


class Model:
    """Network of the diffusion stage. It holds four rows of the embedding table, and no acoustic encoder."""

    def __init__(self, weights: Weights, positions: int, linear: LinearFactory = make_linear) -> None:
        """
        Args:
            positions: most positions of a row.
            linear: makes the language model's linear layers.
        """
        architecture, generation = weights.checkpoint.architecture, weights.checkpoint.generation
        self.dtype, self.device = weights.dtype, weights.device
        self.tokens, self.latent, self.hop = architecture.tokens, architecture.head.latent, architecture.hop
        self.language = LanguageModel(weights, architecture.language, positions, linear)
        schedule = generation.get("noise_scheduler_config") or {}
        self.sampler = DiffusionSampler(weights, architecture.head, schedule)
        self.acoustic_decoder = StreamingStack(weights, architecture.acoustic_decoder)
        self.semantic_encoder = StreamingStack(weights, architecture.semantic_encoder)
        self.acoustic_connector, self.semantic_connector = (
            connector.acoustic(weights),
            connector.semantic(weights),
        )
        legal, table = list(self.tokens.legal), f"{ROOT}embed_tokens.weight"
        self.embeddings = weights.rows(table, legal)
        self.scores = weights.rows(table if architecture.language.tied else "lm_head.weight", legal).to(
            at_least_float32(self.dtype)
        )
        self.scale = weights("model.latent_scaling_factor").clone()
        self.shift = weights("model.latent_bias_factor").clone()

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """Compute logits (rows, 4) of the legal tokens from states (rows, hidden), independently per row."""
        return (states[:, None].to(at_least_float32(self.dtype)) * self.scores).sum(-1)

    def unscaled(self, latents: torch.Tensor) -> torch.Tensor:
        """Undo the scaling of latents for the acoustic decoder."""
        return latents / self.scale - self.shift
