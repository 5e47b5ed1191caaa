"""Int8 weight-only linear layer of the language model, for devices without room for 16-bit weights.

Weights are quantised per output channel; activations stay in bfloat16. This halves the memory. On two CPU
cores it is twice as fast for one or two rows and slower from eight rows on, so it is off by default.
"""

import torch

from pipeline.engines.vibevoice.layers.linear import Linear
from pipeline.engines.vibevoice.runtime import torch_internals

LEVELS = 127


class Int8Linear(Linear):
    """Linear layer with int8 weights: x (..., inner) to (..., outer), within about 1 % of the original."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__(weight, bias)
        wide = weight.float()
        scale = wide.abs().amax(1).clamp_(min=1e-8) / LEVELS
        self.weight = (wide / scale[:, None]).round_().to(torch.int8)
        self.scale = scale.to(weight.dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(-1, self.inner)
        y = torch_internals.linear_int8(rows, self.weight, self.scale)
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], self.outer)
