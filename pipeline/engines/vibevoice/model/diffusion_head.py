"""From the language model's two opinions to a latent: the diffusion head and its solver.

DPM-Solver++ (arXiv:2211.01095, algorithm 2, midpoint) on v-prediction is linear in the sample and the last
two predictions; its coefficients, and all else that depends only on the step, are computed once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import Head
from pipeline.engines.vibevoice.checkpoint.weights import Weights, wide
from pipeline.engines.vibevoice.layers import rms_norm
from pipeline.engines.vibevoice.layers.linear import fastest
from pipeline.engines.vibevoice.model import noise_schedule


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a number of steps fixes."""

    steps: tuple[noise_schedule.Step, ...]
    times: torch.Tensor
    """(steps, hidden): the embedded time of each step."""


class Layer:
    """A gated perceptron between an adaptive norm and an adaptive gate."""

    def __init__(self, weights: Weights, at: str) -> None:
        self.norm = weights(f"{at}norm.weight")
        self.adapt = fastest(weights(f"{at}linear.weight"))
        self.gate = fastest(weights(f"{at}ffn.gate_proj.weight"))
        self.up = fastest(weights(f"{at}ffn.up_proj.weight"))
        self.down = fastest(weights(f"{at}ffn.down_proj.weight"))

    def modulation(self, condition: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """condition (steps, rows, hidden) to shift, scale and gate, of the same shape; the norm's weight is
        in the scale.
        """
        shift, scale, gate = self.adapt(condition).chunk(3, -1)
        return shift, (1 + scale) * self.norm, gate

    def inner(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.up.times(x, self.gate.activated(x, "silu")))


class Sampler:
    """The head with its solver."""

    def __init__(self, weights: Weights, head: Head, schedule: Mapping[str, Any]) -> None:
        root = "model.diffusion_head."
        self.weights, self.head, self.settings = weights, head, schedule
        self.noisy = fastest(weights(f"{root}noisy_images_proj.weight"))
        self.condition = fastest(weights(f"{root}cond_proj.weight"))
        self.layers = [Layer(weights, f"{root}layers.{index}.") for index in range(head.layers)]
        self.last_adapt = fastest(weights(f"{root}final_layer.linear_1.weight"))
        self.last = fastest(weights(f"{root}final_layer.linear_2.weight"))
        self.schedules: dict[int, Schedule] = {}

    def __call__(
        self,
        positive: torch.Tensor,
        negative: torch.Tensor,
        start: torch.Tensor,
        guidance: torch.Tensor,
        steps: int,
    ) -> torch.Tensor:
        """Denoise one frame of each row.

        Args:
            positive: (rows, hidden), the language model's state after the whole prompt.
            negative: (rows, hidden), its state after nothing but the sound so far.
            start: (rows, latent), standard normal.
            guidance: (rows, 1); 1 follows the text alone, larger moves away from the negative.

        Returns:
            (rows, latent), in at least float32.
        """
        schedule = self._schedule(steps)
        x = start.to(wide(self.weights.dtype))
        modulations, last = self._modulations(torch.cat([positive, negative]), schedule)
        before = torch.zeros_like(x)
        for index, step in enumerate(schedule.steps):
            velocity = self._predict(x.to(self.weights.dtype), [m[index] for m in modulations], last[index])
            cond, uncond = velocity.to(x.dtype).chunk(2)
            clean = step.alpha * x - step.sigma * torch.lerp(uncond, cond, guidance)
            x = step.keep * x + step.now * clean + step.before * before
            before = clean
        return x

    def _modulations(
        self, states: torch.Tensor, schedule: Schedule
    ) -> tuple[list[list[tuple[torch.Tensor, ...]]], list[tuple[torch.Tensor, ...]]]:
        """Every adaptive norm of every step: per layer and step, and for the last layer per step."""
        condition = F.silu(self.condition(states)[None] + schedule.times[:, None])
        per_layer = [self._by_step(*layer.modulation(condition)) for layer in self.layers]
        shift, scale = self.last_adapt(condition).chunk(2, -1)
        return per_layer, self._by_step(shift, 1 + scale)

    @staticmethod
    def _by_step(*parts: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        return list(zip(*(part.unbind(0) for part in parts), strict=True))

    def _predict(
        self, x: torch.Tensor, modulations: list[tuple[torch.Tensor, ...]], last: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """x (rows, latent) to the velocities (2 * rows, latent), positive rows first."""
        epsilon = self.head.epsilon
        h = self.noisy(x).repeat(2, 1)
        for layer, (shift, scale, gate) in zip(self.layers, modulations, strict=True):
            y = rms_norm.modulated(h, scale, shift, epsilon)
            h = torch.addcmul(h, gate, layer.inner(y))
        shift, scale = last
        return self.last(rms_norm.modulated(h, scale, shift, epsilon))

    def _schedule(self, steps: int) -> Schedule:
        if steps not in self.schedules:
            self.schedules[steps] = self._make_schedule(steps)
        return self.schedules[steps]

    def _make_schedule(self, steps: int) -> Schedule:
        levels = noise_schedule.levels(self.settings, steps)
        times = self._embed_times(torch.tensor(levels.times, device=self.weights.device))
        return Schedule(tuple(noise_schedule.coefficients(levels.sigmas)), times)

    def _embed_times(self, times: torch.Tensor) -> torch.Tensor:
        """(steps,) to (steps, hidden), by sines and cosines of the time in the model's own precision."""
        dtype, head, root = self.weights.dtype, self.head, "model.diffusion_head.timestep_proj."
        half = head.frequencies // 2
        places = torch.arange(half, dtype=torch.float32, device=times.device)
        frequencies = torch.exp(-math.log(head.period_max) * places / half).to(wide(dtype))
        angles = times.to(dtype).to(wide(dtype))[:, None] * frequencies
        waves = torch.cat([torch.cos(angles), torch.sin(angles)], -1).to(dtype)
        first, second = fastest(self.weights(f"{root}fc1.weight")), fastest(self.weights(f"{root}fc2.weight"))
        return second(first.activated(waves, "silu"))
