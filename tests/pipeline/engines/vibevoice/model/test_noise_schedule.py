"""Noise schedule and solver equal those of diffusers."""

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from pipeline.engines.vibevoice.model import noise_schedule
from pipeline.errors import EngineError


def solver(steps: int) -> DPMSolverMultistepScheduler:
    made = DPMSolverMultistepScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    made.set_timesteps(num_inference_steps=steps)
    return made


@pytest.mark.parametrize("steps", [2, 5, 10, 20, 50])
def test_noise_levels_equal_those_of_diffusers(steps: int) -> None:
    expected, found = solver(steps), noise_schedule.levels({}, steps)
    assert list(found.times) == expected.timesteps.tolist()
    assert list(found.sigmas) == expected.sigmas.tolist()


@pytest.mark.parametrize("steps", [2, 10, 20])
def test_solver_steps_equal_those_of_diffusers(steps: int) -> None:
    expected, found = solver(steps), noise_schedule.coefficients(noise_schedule.levels({}, steps).sigmas)
    source = torch.Generator().manual_seed(0)
    theirs = ours = torch.randn(3, 4, generator=source, dtype=torch.float64)
    before = torch.zeros_like(ours)
    for step, time in zip(found, expected.timesteps, strict=True):
        velocity = torch.randn(3, 4, generator=source, dtype=torch.float64)
        theirs = expected.step(velocity, time, theirs).prev_sample
        clean = step.alpha * ours - step.sigma * velocity
        ours, before = step.keep * ours + step.now * clean + step.before * before, clean
    assert float((ours - theirs).abs().max()) < 1e-5


def test_an_unsupported_solver_is_rejected() -> None:
    with pytest.raises(EngineError, match="solver_order is 3, not 2"):
        noise_schedule.levels({"solver_order": 3}, 10)
