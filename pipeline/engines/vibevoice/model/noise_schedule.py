"""Noise levels of the diffusion, and the solver's coefficients.

Equal to diffusers' `DPMSolverMultistepScheduler` as the published checkpoints configure it, without the 150
MB that importing it costs: a cosine schedule (arXiv:2102.09672, eq. 17) and DPM-Solver++ (arXiv:2211.01095,
algorithm 2).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.errors import EngineError

TIMES = 1000
SUPPORTED = {
    "num_train_timesteps": TIMES,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "algorithm_type": "dpmsolver++",
    "solver_type": "midpoint",
    "solver_order": 2,
    "timestep_spacing": "linspace",
    "final_sigmas_type": "zero",
    "thresholding": False,
    "rescale_betas_zero_snr": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "use_flow_sigmas": False,
}
"""Supported values of a checkpoint's schedule; others are rejected."""


@dataclass(frozen=True, slots=True)
class SolverStep:
    """Coefficients of a solver step.

    x becomes keep * x + now * clean + before * (clean of the last step), with clean = alpha * x - sigma * v.
    """

    alpha: float
    sigma: float
    keep: float
    now: float
    before: float


@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """Timesteps and noise levels of a solver run."""

    times: tuple[int, ...]
    """Timestep of each step, descending, below `TIMES`."""
    sigmas: tuple[float, ...]
    """Noise-to-signal ratio at each step, and 0 after the last."""


def levels(settings: Mapping[str, Any], steps: int) -> NoiseLevels:
    """Compute the noise levels of that many steps.

    Raises:
        EngineError: the checkpoint's settings ask for another schedule or solver.
    """
    for name, known in SUPPORTED.items():
        if settings.get(name, known) != known:
            raise EngineError(
                f"unsupported noise schedule in the checkpoint: {name} is {settings[name]!r}, not {known!r}"
            )
    times = np.linspace(0, TIMES - 1, steps + 1).round()[::-1][:-1].astype(np.int64)
    sigmas = np.interp(times, np.arange(TIMES), _all_sigmas()).astype(np.float32)
    return NoiseLevels(tuple(times.tolist()), (*sigmas.tolist(), 0.0))


def _all_sigmas() -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Compute the noise-to-signal ratio of every timestep, (TIMES,), ascending."""

    def signal(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - signal((n + 1) / TIMES) / signal(n / TIMES), 0.999) for n in range(TIMES)]
    alphas = torch.cumprod(1 - torch.tensor(betas, dtype=torch.float32), 0)
    found: np.ndarray[tuple[int], np.dtype[np.float32]] = (((1 - alphas) / alphas) ** 0.5).numpy()
    return found


def coefficients(sigmas: Sequence[float]) -> list[SolverStep]:
    """Compute the solver's steps for noise levels that end in 0; the first and last are of first order."""
    alphas = [1 / math.sqrt(1 + sigma**2) for sigma in sigmas]
    scaled = [sigma * alpha for sigma, alpha in zip(sigmas, alphas, strict=True)]
    ratios = [math.log(a / s) if s else math.inf for a, s in zip(alphas, scaled, strict=True)]
    found = []
    for i in range(len(sigmas) - 1):
        gap = ratios[i + 1] - ratios[i]
        gain = -alphas[i + 1] * math.expm1(-gap)
        correction = 0.0
        if 0 < i < len(sigmas) - 2:
            correction = gain * gap / (2 * (ratios[i] - ratios[i - 1]))
        keep = scaled[i + 1] / scaled[i]
        found.append(SolverStep(alphas[i], scaled[i], keep, now=gain + correction, before=-correction))
    return found
