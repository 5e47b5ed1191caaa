"""Reference for the decode loop: transformers' `generate()`, in double precision, with noise that we choose.

Its implicit guidance of the logits is removed: the original model has none.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler
from torch.overrides import TorchFunctionMode
from transformers import LogitsProcessor, LogitsProcessorList, VibeVoiceForConditionalGeneration
from transformers.generation.logits_process import UnbatchedClassifierFreeGuidanceLogitsProcessor


class Reference(VibeVoiceForConditionalGeneration):  # type: ignore[misc]  # transformers is untyped
    """`generate()` whose noise comes from one generator per row, in whatever batch the row is."""

    noise: Sequence[torch.Generator] = ()
    speaking: Sequence[int] = ()

    def _get_logits_processor(self, *args: Any, **kwargs: Any) -> LogitsProcessorList:
        hidden = UnbatchedClassifierFreeGuidanceLogitsProcessor
        found = super()._get_logits_processor(*args, **kwargs)
        return LogitsProcessorList([one for one in found if not isinstance(one, hidden)])

    def _step_negative_branch(self, diffusion_mask: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self.speaking = diffusion_mask.nonzero().flatten().tolist()
        return super()._step_negative_branch(diffusion_mask, *args, **kwargs)

    def draw(self, latent: int) -> torch.Tensor:
        """The noise of one frame: for each speaking row what `generate()` would draw for it alone."""
        drawn = [torch.randn(2, latent, generator=self.noise[row]) for row in self.speaking]
        return torch.cat([torch.stack([one[half] for one in drawn]) for half in (0, 1)])


class Solver(DPMSolverMultistepScheduler):  # type: ignore[misc]  # diffusers is untyped
    """Solver with noise levels in double precision, so that it computes in it."""

    sigmas: torch.Tensor

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self.sigmas = self.sigmas.double()


class Wide(TorchFunctionMode):
    """Keeps modules from computing in less than double precision, and draws each row's own noise."""

    def __init__(self, model: Reference) -> None:
        super().__init__()
        self.model = model
        self.is_double = model.dtype == torch.float64

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.randn and "generator" not in kwargs:
            return self.model.draw(args[1])
        if self.is_double:
            if func is torch.Tensor.float:
                return args[0].double()
            if func is torch.Tensor.to:
                args = tuple(torch.float64 if one is torch.float32 else one for one in args)
                kwargs = {k: torch.float64 if v is torch.float32 else v for k, v in kwargs.items()}
        return func(*args, **kwargs)


class Forced(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
    """Teacher forcing: the tokens of each row are given."""

    def __init__(self, tokens: Sequence[Sequence[int]], prompt: int) -> None:
        self.tokens, self.prompt = tokens, prompt

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone()
        for row, tokens in enumerate(self.tokens):
            scores[row, tokens[min(ids.shape[1] - self.prompt, len(tokens) - 1)]] += 1e6
        return scores


def load(folder: Path, dtype: torch.dtype = torch.float64) -> Reference:
    model = Reference.from_pretrained(folder, dtype=dtype).eval().requires_grad_(False)
    assert isinstance(model, Reference)
    return model


def generate(
    model: Reference,
    inputs: Mapping[str, torch.Tensor],
    seeds: Sequence[int],
    *,
    tokens: Sequence[Sequence[int]] | None = None,
    tokens_max: int = 40,
    steps: int | None = None,
    guidance: float | None = None,
) -> tuple[list[torch.Tensor], list[list[int]]]:
    """Generate samples (n,) and tokens of every row of a batch, each drawing from its own seed."""
    model.noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    prompt = inputs["input_ids"].shape[1]
    solver = (Solver if model.dtype == torch.float64 else DPMSolverMultistepScheduler)(
        **model.generation_config.noise_scheduler_config
    )
    given = {"num_diffusion_steps": steps, "guidance_scale": guidance}
    with torch.inference_mode(), Wide(model):
        made = model.generate(
            **inputs,
            **{name: value for name, value in given.items() if value is not None},
            noise_scheduler=solver,
            logits_processor=LogitsProcessorList([Forced(tokens, prompt)] if tokens else []),
            max_new_tokens=tokens_max,
            return_dict_in_generate=True,
            sample=False,
        )
    audio = [torch.zeros(0) if one is None else one.flatten() for one in made.audio]
    return audio, made.sequences[:, prompt:].tolist()
