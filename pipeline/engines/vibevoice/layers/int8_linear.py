"""The language model's products with weights of eight bits, for devices that have no room for sixteen.

Each output has a scale of its own; what goes in and comes out stays in bfloat16. Half the memory, and on two
CPU cores twice as fast for one or two rows, but slower from eight rows on: so off unless asked for.
"""

import torch

from pipeline.engines.vibevoice.layers.linear import Linear

LEVELS = 127


class Int8Linear(Linear):
    """x (..., inner) to (..., outer), within about 1 % of the original."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__(weight, bias)
        wide = weight.float()
        scale = wide.abs().amax(1).clamp_(min=1e-8) / LEVELS
        self.weight = (wide / scale[:, None]).round_().to(torch.int8)
        self.scale = scale.to(weight.dtype)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(-1, self.inner)
        y: torch.Tensor = torch.ops.aten._weight_int8pack_mm(rows, self.weight, self.scale)
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], self.outer)
