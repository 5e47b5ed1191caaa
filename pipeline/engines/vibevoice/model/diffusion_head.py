"""The diffusion head with classifier-free guidance, and its solver: from hidden states to a latent.

DPM-Solver++ (arXiv:2211.01095, algorithm 2, midpoint) on v-prediction is linear in the sample and the last
two predictions; its coefficients, and all else that depends only on the step, are computed once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint.architecture import DiffusionHeadConfig
from pipeline.engines.vibevoice.checkpoint.weights import Weights, at_least_float32
from pipeline.engines.vibevoice.layers import rms_norm
from pipeline.engines.vibevoice.layers.linear import SwiGlu, make_linear
from pipeline.engines.vibevoice.model import noise_schedule
from pipeline.engines.vibevoice.runtime.fusion import Fuser, NoFusion

STEPS_AT_ONCE = 10
"""Solver steps whose adaptive norms are computed in one product. The fixed size keeps results per row
independent of how many steps the other rows take."""


@dataclass(frozen=True, slots=True)
class SolverSchedule:
    """Constants of a solver run with a given number of steps."""

    coefficients: torch.Tensor
    """(steps, 5): the fields of `noise_schedule.SolverStep`, in at least float32."""
    times: torch.Tensor
    """(steps, hidden): the embedded time of each step."""


@dataclass(frozen=True, slots=True)
class SolverTables:
    """Constants of every solver step for every row; a row with fewer steps ends in idle steps."""

    coefficients: torch.Tensor
    """(steps, 5, rows, 1)."""
    times: torch.Tensor
    """(steps, rows, hidden)."""

    def first(self, steps: int) -> "SolverTables":
        """Return the first steps of every row, with times in multiples of `STEPS_AT_ONCE`."""
        whole = -(-steps // STEPS_AT_ONCE) * STEPS_AT_ONCE
        return SolverTables(self.coefficients[:steps], self.times[:whole])

    def put(self, row: int, schedule: SolverSchedule) -> None:
        """Set the schedule of one row."""
        steps = len(schedule.coefficients)
        self.coefficients[:, :, row, 0] = idle_step(self.coefficients)
        self.coefficients[:steps, :, row, 0] = schedule.coefficients
        self.times[:steps, row] = schedule.times


def idle_step(like: torch.Tensor) -> torch.Tensor:
    """Return the coefficients (5,) of a step that leaves the sample unchanged."""
    return like.new_tensor([1.0, 0.0, 1.0, 0.0, 0.0])


Modulation = tuple[torch.Tensor, ...]
"""Shift, scale and (but for the last layer) gate of an adaptive norm, each (steps, 2 * rows, hidden)."""


class HeadLayer:
    """SwiGLU MLP between an adaptive norm and an adaptive gate."""

    def __init__(self, weights: Weights, at: str) -> None:
        self.norm = weights(f"{at}norm.weight")
        self.adapt = make_linear(weights(f"{at}linear.weight"))
        self.gated = SwiGlu(weights, f"{at}ffn.gate_proj.weight", f"{at}ffn.up_proj.weight", make_linear)
        self.down = make_linear(weights(f"{at}ffn.down_proj.weight"))

    def modulation(self, condition: torch.Tensor) -> Modulation:
        """Compute shift, scale and gate, each of the shape of condition (steps, rows, hidden).

        The weight of the norm is folded into the scale.
        """
        shift, scale, gate = self.adapt(condition).chunk(3, -1)
        return shift, (1 + scale) * self.norm, gate

    def inner(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the MLP of x (rows, hidden)."""
        return self.down(self.gated(x))


class DiffusionSampler:
    """The diffusion head with its DPM-Solver++."""

    def __init__(self, weights: Weights, head: DiffusionHeadConfig, schedule: Mapping[str, Any]) -> None:
        root = "model.diffusion_head."
        self.weights, self.head, self.settings = weights, head, schedule
        self.noisy = make_linear(weights(f"{root}noisy_images_proj.weight"))
        self.condition = make_linear(weights(f"{root}cond_proj.weight"))
        self.layers = [HeadLayer(weights, f"{root}layers.{index}.") for index in range(head.layers)]
        self.last_adapt = make_linear(weights(f"{root}final_layer.linear_1.weight"))
        self.last = make_linear(weights(f"{root}final_layer.linear_2.weight"))
        self.schedules: dict[int, SolverSchedule] = {}

    def __call__(
        self,
        states: torch.Tensor,
        start: torch.Tensor,
        guidance: torch.Tensor,
        tables: SolverTables,
        fused: Fuser | None = None,
    ) -> torch.Tensor:
        """Denoise one frame of each row (DPM-Solver++, arXiv:2211.01095, algorithm 2).

        Args:
            states: (2 * rows, hidden), hidden states of the language model: first of the positive branch,
                conditioned on the prompt, then of the negative branch, conditioned on the audio so far.
            start: (rows, latent), standard normal.
            guidance: (rows, 1), the classifier-free guidance scale; 1 follows the text alone.
            tables: constants of each step and row.
            fused: runs a region of operations, uncompiled or as fused kernels.

        Returns:
            (rows, latent), in at least float32.
        """
        fused = fused or NoFusion()
        x = start.to(at_least_float32(self.weights.dtype))
        before = torch.zeros_like(x)
        for first in range(0, len(tables.coefficients), STEPS_AT_ONCE):
            modulations = fused(self.modulate)(states, tables.times[first : first + STEPS_AT_ONCE])
            for index, coefficients in enumerate(tables.coefficients[first : first + STEPS_AT_ONCE]):
                now = [tuple(part[index] for part in one) for one in modulations]
                x, before = fused(self.solve)(x, before, guidance, coefficients, now)
        return x

    def modulate(self, states: torch.Tensor, times: torch.Tensor) -> list[Modulation]:
        """Compute the parameters of every adaptive norm for some steps, the final layer's last.

        Args:
            states: (2 * rows, hidden).
            times: (steps, rows, hidden).
        """
        condition = F.silu(self.condition(states)[None] + torch.cat([times, times], 1))
        shift, scale = self.last_adapt(condition).chunk(2, -1)
        return [*(layer.modulation(condition) for layer in self.layers), (shift, 1 + scale)]

    def solve(
        self,
        x: torch.Tensor,
        before: torch.Tensor,
        guidance: torch.Tensor,
        coefficients: torch.Tensor,
        modulations: list[Modulation],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one solver step.

        Args:
            x: (rows, latent), the sample.
            before: (rows, latent), the last step's estimate of the clean sample.
            guidance: (rows, 1).
            coefficients: (5, rows, 1).
            modulations: parameters of this step's adaptive norms, each part (2 * rows, hidden).

        Returns:
            The next sample and this step's estimate of the clean one.
        """
        alpha, sigma, keep, gain, earlier = coefficients.unbind(0)
        velocity = self._predict(x.to(self.weights.dtype), modulations)
        cond, uncond = velocity.to(x.dtype).chunk(2)
        clean = alpha * x - sigma * torch.lerp(uncond, cond, guidance)
        return keep * x + gain * clean + earlier * before, clean

    def _predict(self, x: torch.Tensor, modulations: list[Modulation]) -> torch.Tensor:
        """Predict velocities (2 * rows, latent) from x (rows, latent), positive rows first."""
        epsilon = self.head.epsilon
        h = self.noisy(x).repeat(2, 1)
        for layer, (shift, scale, gate) in zip(self.layers, modulations[:-1], strict=True):
            y = rms_norm.modulated(h, scale, shift, epsilon)
            h = torch.addcmul(h, gate, layer.inner(y))
        shift, scale = modulations[-1]
        return self.last(rms_norm.modulated(h, scale, shift, epsilon))

    def tables(self, steps: Sequence[int]) -> SolverTables:
        """Make the tables of rows that take the given number of steps each."""
        made = self.empty_tables(max(steps), len(steps))
        for row, count in enumerate(steps):
            made.put(row, self.schedule(count))
        return made

    def empty_tables(self, steps: int, rows: int) -> SolverTables:
        """Allocate tables for `rows` schedules of at most `steps` steps."""
        dtype, device = self.weights.dtype, self.weights.device
        return SolverTables(
            idle_step(torch.empty(0, dtype=at_least_float32(dtype), device=device))[:, None, None].repeat(
                steps, 1, rows, 1
            ),
            torch.zeros(steps, rows, self.noisy.outer, dtype=dtype, device=device),
        )

    def schedule(self, steps: int) -> SolverSchedule:
        """Return the schedule of that many steps, which is computed once."""
        if steps not in self.schedules:
            self.schedules[steps] = self._make_schedule(steps)
        return self.schedules[steps]

    def _make_schedule(self, steps: int) -> SolverSchedule:
        levels = noise_schedule.levels(self.settings, steps)
        coefficients = torch.tensor(
            [astuple(step) for step in noise_schedule.coefficients(levels.sigmas)],
            dtype=at_least_float32(self.weights.dtype),
        )
        return SolverSchedule(
            coefficients.to(self.weights.device), self._embed_times(torch.tensor(levels.times))
        )

    def _embed_times(self, times: torch.Tensor) -> torch.Tensor:
        """Embed times (steps,) as (steps, hidden) with sines and cosines in the model's own precision.

        They are computed on the CPU: devices round powers and exponentials differently.
        """
        dtype, head, root = self.weights.dtype, self.head, "model.diffusion_head.timestep_proj."
        half = head.frequencies // 2
        places = torch.arange(half, dtype=torch.float32)
        frequencies = torch.exp(-math.log(head.period_max) * places / half).to(at_least_float32(dtype))
        angles = times.to(dtype).to(at_least_float32(dtype))[:, None] * frequencies
        waves = torch.cat([torch.cos(angles), torch.sin(angles)], -1).to(self.weights.device, dtype)
        first, second = (
            make_linear(self.weights(f"{root}fc1.weight")),
            make_linear(self.weights(f"{root}fc2.weight")),
        )
        return second(first.activated(waves, "silu"))
