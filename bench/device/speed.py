"""Checks of speed: frames per second by slots, time by kernel, prefill, and transformers in the same run."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from bench.device.context import PROMPT, Bench
from bench.harness import fullsize
from pipeline.engines.vibevoice.decoding.cuda_graphs import on_stream
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder

FRAME_RATE_HZ = 7.5
KERNELS = 16
"""Kernels that a profile lists."""


def frames(slots: int, *, fused: bool = True, captured: bool = True) -> Callable[[Bench], dict[str, Any]]:
    """Create a check of the frames per second with this many busy slots."""

    def check(bench: Bench) -> dict[str, Any]:
        count = min(slots, 3) if bench.dry else slots
        start = time.perf_counter()
        loop = bench.decoder(count, fused=fused, captured=captured)
        bench.synchronize()
        found: dict[str, Any] = {"slots": count, "ready_s": round(time.perf_counter() - start, 1)}
        found |= {"fused": fused and not (loop.fusion and loop.fusion.failed), "refusals": loop.refusals or 0}
        found["own_kernels"] = bool(loop.fusion and loop.fusion.own_kernels)
        found |= _steps(bench, loop)
        found |= {"kernels": _profile(bench, loop)}
        if count > 1:
            loop.release(count - 1)
            found["one_idle_ms"] = round(paced_ms(bench, loop, 20), 2)
        bench.table.append(
            f"{count:3} slots {'fused' if found['fused'] else 'plain'}: {found['frame_ms']:.2f} ms a frame "
            f"({found['device_ms']:.2f} on the device), {found['frames_per_s']} frames/s, "
            f"{found['x_real_time']} x real time, ready in {found['ready_s']} s"
        )
        return found | {"ok": found["refusals"] == 0 and (found["fused"] or not fused), **bench.memory()}

    return check


def _steps(bench: Bench, loop: FrameDecoder) -> dict[str, Any]:
    frame_ms = paced_ms(bench, loop, 60)
    replay = loop.frames.replays[10]
    with torch.inference_mode():
        device_ms = bench.device_ms(replay)
    rate = 1e3 * len(loop.active) / frame_ms
    return {
        "frame_ms": round(frame_ms, 3),
        "device_ms": round(device_ms, 3),
        "frames_per_s": round(rate),
        "x_real_time": round(rate / FRAME_RATE_HZ),
    }


def paced_ms(bench: Bench, loop: FrameDecoder, count: int) -> float:
    """Mean milliseconds of a step, with the host one frame ahead as in a worker."""
    count = 3 if bench.dry else count
    for _ in range(3):
        loop.step()
    bench.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        loop.step()
    bench.synchronize()
    return 1e3 * (time.perf_counter() - start) / count


def _profile(bench: Bench, loop: FrameDecoder) -> dict[str, Any]:
    """Profile one frame by kernel."""
    if bench.dry:
        return {}
    from torch.profiler import ProfilerActivity, profile

    replay = loop.frames.replays[10]
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
        replay()
        bench.synchronize()
    took: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for event in seen.events():
        if event.device_type.name == "CUDA":
            took[event.name[:60]] += event.self_device_time_total
            count[event.name[:60]] += 1
    top = [(round(us / 1e3, 3), count[name], name) for name, us in took.most_common(KERNELS)]
    return {"count": sum(count.values()), "ms": round(sum(took.values()) / 1e3, 2), "top": top}


def prefill(bench: Bench) -> dict[str, Any]:
    """Measure milliseconds to read pieces of prompts, the first time and again."""
    loop, scale = bench.decoder(1, fused=False), 30 if bench.dry else 1
    hidden, found = loop.model.embeddings.shape[1], dict[str, Any]()
    for start, count in ((0, 30), (0, 225), (300, 300), (900, 331), (900, 512)):
        piece = torch.randn(count // scale, hidden).to(loop.dtype)

        @torch.inference_mode()
        def read(start: int = start // scale, piece: torch.Tensor = piece) -> None:
            with on_stream(loop.capture):
                loop.reader(0, start, piece)

        first = time.perf_counter()
        read()
        bench.synchronize()
        first_ms = 1e3 * (time.perf_counter() - first)
        found[f"{start}+{count}"] = [round(first_ms, 1), round(bench.wall_ms(read, 5, 1), 2)]
    return found | {"refusals": loop.reader.captured.refusals}


def generate(bench: Bench) -> dict[str, Any]:
    """Measure steps of transformers' `generate()` with 1 and 8 rows, with a dynamic and a static cache."""
    from transformers import LogitsProcessor, LogitsProcessorList, VibeVoiceForConditionalGeneration

    if bench.dry:
        whole = VibeVoiceForConditionalGeneration.from_pretrained(bench.tiny, dtype=torch.float32).eval()
    else:
        with torch.device("cuda"):
            made = VibeVoiceForConditionalGeneration(fullsize.config((151643, 151652, 151653, 151654)))
        whole = made.to(torch.bfloat16).eval()
        settings = whole.generation_config
        settings._from_model_config = False
        settings.noise_scheduler_class = "DPMSolverMultistepScheduler"
        settings.noise_scheduler_config = {
            "beta_schedule": "squaredcos_cap_v2",
            "prediction_type": "v_prediction",
        }
        settings.guidance_scale, settings.num_diffusion_steps = 1.3, 10
        settings.pad_token_id = settings.eos_token_id = whole.config.eos_token_id
    audio, steps = whole.config.audio_token_id, 4 if bench.dry else 12

    class Enough(Exception):  # ends a run after enough steps
        pass

    class Turns(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
        def __init__(self) -> None:
            self.marks: list[float] = []

        def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            bench.synchronize()
            self.marks.append(time.perf_counter())
            if len(self.marks) > steps:
                raise Enough
            scores = scores.clone()
            scores[:, audio] += 1e6
            return scores

    def speak(rows: int, cache: str | None) -> dict[str, Any]:
        turns = Turns()
        ids = torch.full((rows, 20 if bench.dry else PROMPT), 65, device=bench.device)
        ids[:, -1] = whole.config.audio_bos_token_id
        extra = {"cache_implementation": cache} if cache else {}
        try:
            with torch.inference_mode():
                whole.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    logits_processor=LogitsProcessorList([turns]),
                    max_new_tokens=500,
                    **extra,
                )
        except Enough:
            pass
        took = sorted(after - before for before, after in zip(turns.marks[2:], turns.marks[3:], strict=False))
        step_s = took[len(took) // 2]
        return {"step_ms": round(1e3 * step_s, 1), "frames_per_s": round(rows / step_s, 1)}

    found: dict[str, Any] = {}
    for cache in (None, "static"):
        for rows in (1, 2) if bench.dry else (1, 8):
            name = f"{cache or 'dynamic'}_{rows}"
            try:
                found[name] = speak(rows, cache)
            except (RuntimeError, ValueError, TypeError) as error:
                found[name] = str(error).partition("\n")[0][:160]
            bench.table.append(f"generate() {name}: {found[name]}")
    return found
