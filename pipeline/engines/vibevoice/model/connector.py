"""Connectors, which project a latent into the language model's embedding space."""

import torch

from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.layers import rms_norm
from pipeline.engines.vibevoice.layers.linear import make_linear

EPSILON = 1e-6


class Connector:
    """Two linear layers around an RMS norm: (..., latent) to (..., hidden)."""

    def __init__(self, weights: Weights, root: str) -> None:
        self.first = make_linear(weights(f"{root}linear_1.weight"), weights(f"{root}linear_1.bias"))
        self.norm = weights(f"{root}act.weight")
        self.second = make_linear(weights(f"{root}linear_2.weight"), weights(f"{root}linear_2.bias"))

    def __call__(self, latent: torch.Tensor) -> torch.Tensor:
        return self.second(self._inner(latent))

    def plus(self, latent: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        """Return the projected latent plus a term (..., hidden)."""
        return self.second.plus(self._inner(latent), term)

    def _inner(self, latent: torch.Tensor) -> torch.Tensor:
        return rms_norm.weighted(self.first(latent), self.norm, EPSILON)


def acoustic(weights: Weights) -> Connector:
    return Connector(weights, "model.multi_modal_projector.")


def semantic(weights: Weights) -> Connector:
    return Connector(weights, "model.semantic_connector.")
