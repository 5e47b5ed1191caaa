"""Streaming convolutional stacks: the acoustic decoder, and the acoustic and semantic encoders.

Tensors are channels-last, (rows, time, channels), so that every convolution is a GEMM. Each layer keeps only
the past samples that its next call needs. Equal to transformers' modules, with layer scales and norm weights
folded into the convolutions and linear layers.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import ConvStackConfig
from pipeline.engines.vibevoice.checkpoint.weights import Weights, at_least_float32
from pipeline.engines.vibevoice.layers import rms_norm
from pipeline.engines.vibevoice.layers.linear import make_linear
from pipeline.engines.vibevoice.runtime.fusion import Fuser, NoFusion


class StreamingLayer(Protocol):
    """Layer of a stack, whose streaming state is (past, channels) per row."""

    memory: tuple[int, int]

    def __call__(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        """Compute x (rows, time, in) to (rows, time', out) and update `past` (rows, *memory) in place."""
        ...


class CausalConv:
    """Causal convolution of stride 1: (rows, time, in) to (rows, time, out)."""

    def __init__(self, weights: Weights, name: str) -> None:
        weight = weights(f"{name}.weight")
        self.kernel, inner = weight.shape[2], weight.shape[1]
        self.memory = (self.kernel - 1, inner)
        self.product = make_linear(weight.permute(0, 2, 1).reshape(len(weight), -1), weights(f"{name}.bias"))

    def __call__(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        rows, time, _ = x.shape
        x = _remember(x, past)
        return self.product(x.unfold(1, self.kernel, 1).transpose(2, 3).reshape(rows, time, -1))


class Downsampling:
    """Causal convolution of stride s and width 2s: (rows, time, in) to (rows, time / s, out)."""

    def __init__(self, weights: Weights, name: str, stride: int) -> None:
        weight = weights(f"{name}.weight")
        self.stride = stride
        self.memory = (stride, weight.shape[1])
        self.product = make_linear(weight.permute(0, 2, 1).reshape(len(weight), -1), weights(f"{name}.bias"))

    def __call__(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        rows, time, width = x.shape
        blocks = _remember(x, past).view(rows, time // self.stride + 1, self.stride * width)
        return self.product(torch.cat([blocks[:, :-1], blocks[:, 1:]], -1))


class Upsampling:
    """Causal transposed convolution of stride s and width 2s: (rows, time, in) to (rows, time * s, out).

    An input step contributes to its own s output steps and to the next s; the latter part is the state.
    """

    def __init__(self, weights: Weights, name: str, stride: int) -> None:
        weight, bias = weights(f"{name}.weight"), weights(f"{name}.bias")
        self.stride, self.outer = stride, weight.shape[1]
        self.memory = (stride, self.outer)
        own = bias.repeat(stride)
        self.product = make_linear(
            weight.permute(2, 1, 0).reshape(2 * stride * self.outer, -1),
            torch.cat([own, torch.zeros_like(own)]),
        )

    def __call__(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        rows, time, _ = x.shape
        reach = self.product(x).view(rows, time, 2, self.stride, self.outer)
        late = torch.cat([past.unsqueeze(1), reach[:, :, 1]], 1)
        past.copy_(late[:, -1])
        return (reach[:, :, 0] + late[:, :-1]).view(rows, time * self.stride, self.outer)


class DepthwiseConv:
    """Depthwise convolution: (rows, past + time, channels) to (rows, time, channels).

    oneDNN has a fast kernel for channels-last images, so time is the width of an image of height 1. For a few
    steps, multiplying windows and summing is faster.
    """

    def __init__(self, kernel: torch.Tensor, bias: torch.Tensor) -> None:
        """
        Args:
            kernel: (channels, 1, width).
            bias: (channels,).
        """
        self.width, self.few = kernel.shape[2], 8
        self.image = kernel.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        self.bias = bias
        self.wide_kernel, self.wide_bias = (
            kernel[:, 0].to(at_least_float32(bias.dtype)),
            bias.to(at_least_float32(bias.dtype)),
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_compiling():
            return self._shifted(x)
        if x.shape[1] - self.width < self.few:
            windows = x.to(self.wide_bias.dtype).unfold(1, self.width, 1)
            return ((windows * self.wide_kernel).sum(-1) + self.wide_bias).to(x.dtype)
        image = x.transpose(1, 2).unsqueeze(2)
        return F.conv2d(image, self.image, self.bias, groups=len(self.bias)).squeeze(2).transpose(1, 2)

    def _shifted(self, x: torch.Tensor) -> torch.Tensor:
        """Compute a sum of shifted products, which a compiler fuses with its surroundings."""
        time = x.shape[1] - self.width + 1
        total = self.wide_bias
        for shift in range(self.width):
            total = total + x[:, shift : shift + time].to(total.dtype) * self.wide_kernel[:, shift]
        return total.to(x.dtype)


class ConvNextBlock:
    """ConvNeXt block: a depthwise convolution, then an MLP over channels, both with residual connections.

    The weights of both norms are folded into the weights that follow.
    """

    def __init__(self, weights: Weights, at: str, epsilon: float) -> None:
        norm, scale = weights(f"{at}norm.weight"), weights(f"{at}gamma")
        kernel = weights(f"{at}mixer.conv.weight")
        self.mixer = DepthwiseConv(
            kernel * (norm * scale)[:, None, None], weights(f"{at}mixer.conv.bias") * scale
        )
        self.memory = (kernel.shape[2] - 1, len(kernel))
        self.epsilon = epsilon
        self.wide = make_linear(
            weights(f"{at}ffn.linear1.weight"),
            weights(f"{at}ffn.linear1.bias"),
            before=weights(f"{at}ffn_norm.weight"),
        )
        self.narrow = make_linear(
            weights(f"{at}ffn.linear2.weight"),
            weights(f"{at}ffn.linear2.bias"),
            after=weights(f"{at}ffn_gamma"),
        )

    def __call__(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        rows, time, width = x.shape
        context = past.shape[1]
        heard = x.new_empty(rows, context + time, width)
        heard[:, :context] = past
        rms_norm.plain(x, self.epsilon, out=heard[:, context:])
        past.copy_(heard[:, -context:])
        x = self.mixer(heard) + x
        return self.narrow.plus(self.wide.activated(rms_norm.plain(x, self.epsilon), "gelu"), x)

    def fits_one_kernel(self, x: torch.Tensor) -> bool:
        """Return True if our Triton kernel supports x (rows, time, channels)."""
        from pipeline.engines.vibevoice.kernels import triton_conv_block

        return triton_conv_block.supports(x)

    def in_one_kernel(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        """Compute the block with one Triton kernel."""
        from pipeline.engines.vibevoice.kernels import triton_conv_block

        wide, narrow = self.wide, self.narrow
        if wide.bias is None or narrow.bias is None:
            raise TypeError("a ConvNeXt block's linear layers need a bias")
        parts = (wide.weight, wide.bias), (narrow.weight, narrow.bias)
        kernel, bias = self.mixer.wide_kernel, self.mixer.wide_bias
        return triton_conv_block.conv_block(x.contiguous(), past, kernel, bias, *parts, self.epsilon)


def _remember(x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    """Prepend the past to x, and keep the end of the result as the new past."""
    joined = torch.cat([past, x], 1)
    past.copy_(joined[:, -past.shape[1] :])
    return joined


class StreamingStack:
    """Encoder or decoder stack. Its streaming state is made by `memories` and passed to every call."""

    def __init__(self, weights: Weights, stack: ConvStackConfig) -> None:
        self.device, self.dtype = weights.device, weights.dtype
        self.layers: list[StreamingLayer] = [CausalConv(weights, f"{stack.root}stem.conv.conv")]
        ratios = stack.ratios[::-1] if stack.upward else stack.ratios
        for index, (prefix, depth, _) in enumerate(stack.stages()):
            if index:
                self.layers.append(self._resampling(weights, stack, index - 1, ratios[index - 1]))
            self.layers += [
                ConvNextBlock(weights, f"{prefix}{block}.", stack.epsilon) for block in range(depth)
            ]
        self.layers.append(CausalConv(weights, f"{stack.root}head.conv"))

    @staticmethod
    def _resampling(weights: Weights, stack: ConvStackConfig, index: int, ratio: int) -> StreamingLayer:
        at = f"{stack.root}conv_layers.{index}."
        if stack.upward:
            return Upsampling(weights, f"{at}convtr.convtr", ratio)
        return Downsampling(weights, f"{at}conv.conv", ratio)

    def memories(self, rows: int) -> list[torch.Tensor]:
        """Make the state before the first sample, silence: one (rows, past, channels) per layer."""
        return [
            torch.zeros(rows, *layer.memory, dtype=self.dtype, device=self.device) for layer in self.layers
        ]

    def __call__(
        self, x: torch.Tensor, memories: Sequence[torch.Tensor], fused: Fuser | None = None
    ) -> torch.Tensor:
        """Run the stack: x (rows, time, in) to (rows, time * hop or time / hop, out).

        Args:
            memories: the state, updated in place.
        """
        fused = fused or NoFusion()
        for layer, memory in zip(self.layers, memories, strict=True):
            if fused.own_kernels and isinstance(layer, ConvNextBlock) and layer.fits_one_kernel(x):
                x = layer.in_one_kernel(x, memory)
            else:
                x = fused(run_layer)(layer, x, memory)
        return x


def run_layer(layer: StreamingLayer, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    """Run a layer of a stack: a region that a `Fuser` can compile."""
    return layer(x, past)
