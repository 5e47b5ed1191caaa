"""The four stages: the same samples as one call of transformers, from any number of threads."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from transformers import VibeVoiceProcessor

from bench.harness.controls import CancelAt, Watch
from pipeline.arrays import Arrays, Samples
from pipeline.engines import load_timing
from pipeline.engines.protocol import Line, Reference, SegmentText
from pipeline.engines.registry import Engines
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.errors import (
    CancelledError,
    DeviceLostError,
    EngineError,
    OptionError,
    OutOfMemoryError,
    ScriptError,
    VoiceError,
)
from pipeline.planning.check import check
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse, read
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.pipeline.engines.vibevoice import reference, segments
from tests.pipeline.engines.vibevoice.stages import OPTIONS, RATE_HZ, SETTINGS, prepare, recording, script

T = TypeVar("T")


def chat(segment: SegmentText) -> list[dict[str, object]]:
    """Convert a segment for transformers' processor, where each voice comes with its speaker's first line."""
    turns: list[dict[str, object]] = []
    voiced: set[int] = set()
    for line in segment.lines:
        content: list[dict[str, object]] = [{"type": "text", "text": line.text}]
        if line.slot not in voiced:
            content.append({"type": "audio", "audio": recording(line.slot).samples})
        voiced.add(line.slot)
        turns.append({"role": str(line.slot), "content": content})
    return turns


def speak(engine: VibeVoice, segment: SegmentText) -> Samples:
    semantic, voices = prepare(engine, segment)
    (heard,) = engine.diffusion(semantic, voices, segment.seed, engine.options(OPTIONS), Watch())
    assert heard.lines == len(segment.lines)
    return heard.samples


def in_one_call(
    model: reference.Reference, folder: Path, segment: SegmentText, tokens_max: int
) -> torch.Tensor:
    processor = VibeVoiceProcessor.from_pretrained(folder)
    how = {"sampling_rate": RATE_HZ, "return_tensors": "pt"}
    inputs: Mapping[str, torch.Tensor] = processor.apply_chat_template(
        chat(segment), tokenize=True, return_dict=True, processor_kwargs=how
    )
    inputs = {**inputs, "input_values": inputs["input_values"].to(model.dtype)}
    audio, _ = reference.generate(model, inputs, [segment.seed], tokens_max=tokens_max)
    return audio[0]


@pytest.mark.slow
def test_the_stages_give_the_samples_of_one_call_of_transformers(untied: Path) -> None:
    model, engine = reference.load(untied), VibeVoice(str(untied), SETTINGS)
    numbers = range(8)
    with ThreadPoolExecutor(5) as threads:
        heard = list(threads.map(lambda number: outcome(engine, script(number)), numbers))
    for number, samples in zip(numbers, heard, strict=True):
        most = int(prepare(engine, script(number))[0].meta["frames_max"])
        expected = in_one_call(model, untied, script(number), most).float()
        assert segments.relative_error(samples, expected) <= 1e-6
    assert sum(samples.size > 0 for samples in heard) > 2


def outcome(engine: VibeVoice, segment: SegmentText) -> Samples:
    """Decode a segment; without samples if the model ends it at once."""
    try:
        return speak(engine, segment)
    except EngineError as error:
        if "before its first frame" not in str(error):
            raise
        return np.zeros(0, np.float32)


@pytest.mark.slow
def test_each_stage_reports_its_load_once(talkative: Path) -> None:
    """Text loads the tokenizer, speaker the encoder, diffusion the decoder; each the first time only."""
    engine, segment = VibeVoice(str(talkative), SETTINGS), script(4)
    options = engine.options({"dtype": "float32"})

    def loaded(stage: Callable[[], T]) -> tuple[T, float]:
        loads = [0.0]
        with load_timing.measured(loads.append):
            return stage(), loads[-1]

    def stages() -> list[float]:
        tokens, text_s = loaded(lambda: engine.text(segment, options))
        semantic, semantic_s = loaded(lambda: engine.semantic(tokens, options))
        voice, speaker_s = loaded(lambda: engine.speaker(recording(0), options))
        voices = [voice] * segment.speakers
        _, diffusion_s = loaded(lambda: engine.diffusion(semantic, voices, 1, options, Watch()))
        return [text_s, semantic_s, speaker_s, diffusion_s]

    text_s, semantic_s, speaker_s, diffusion_s = stages()
    assert min(text_s, speaker_s, diffusion_s) > 0
    assert semantic_s == 0, "the checkpoint is open, and the table's rows are read where they lie"
    assert stages() == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_cancelled_segment_ends_and_the_others_continue(talkative: Path) -> None:
    engine = VibeVoice(str(talkative), SETTINGS)
    options = engine.options({"dtype": "float32"})
    semantic, voices = prepare(engine, script(4))
    controls = [Watch(), CancelAt(5), Watch(), Watch()]

    def run(control: Watch) -> object:
        try:
            return engine.diffusion(semantic, voices, 1, options, control)[0].samples.tobytes()
        except CancelledError as error:
            return error

    with ThreadPoolExecutor(4) as threads:
        heard = list(threads.map(run, controls))
    assert isinstance(heard[1], CancelledError)
    assert heard[0] == heard[2] == heard[3]
    assert all(control.checks for control in controls)
    assert controls[0].done == len(heard[0]) // 4 // 3200  # type: ignore[arg-type]  # bytes, as in the line before


def test_the_text_stages_start_without_torch(checkpoint: Path) -> None:
    code = (
        "import sys\n"
        "from pipeline.engines.protocol import Line, SegmentText\n"
        "from pipeline.engines.registry import Engines\n"
        f"engine = Engines().load('vibevoice', {str(checkpoint)!r})\n"
        "options = engine.options({})\n"
        "tokens = engine.text(SegmentText((Line(0, 'Hello there.'),), 1, 0), options)\n"
        "made = engine.semantic(tokens, options)\n"
        "assert made.arrays['vectors'].shape == (len(tokens.arrays['ids']), 64)\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_engine_is_loaded_by_name(checkpoint: Path) -> None:
    assert Engines().load("vibevoice", str(checkpoint)).profile.pool == "threads"


def test_a_segment_too_long_for_a_slot_is_rejected_with_its_size(checkpoint: Path) -> None:
    engine = VibeVoice(str(checkpoint), EngineSettings(device="cpu", slots=1, positions=256, frames=128))
    segment = SegmentText((Line(0, "word " * 60),), speakers=1, seed=0)
    semantic, voices = prepare(engine, segment)
    with pytest.raises(EngineError, match=r"about 144 frames; a slot has 256 positions and 128 frames"):
        engine.diffusion(semantic, voices, 0, engine.options(OPTIONS), Watch())


def test_artifacts_of_another_model_are_rejected(checkpoint: Path) -> None:
    engine = VibeVoice(str(checkpoint), SETTINGS)
    semantic, voices = prepare(engine, script(0))
    narrow = Arrays({**semantic.arrays, "vectors": semantic.arrays["vectors"][:, :32]}, semantic.meta)
    with pytest.raises(EngineError, match="a speaker embedding has width 64, but the words have 32"):
        engine.diffusion(narrow, voices, 0, engine.options(OPTIONS), Watch())
    voices = [Arrays({"voice": voices[0].arrays["voice"][:, :32]}, voices[0].meta)]
    with pytest.raises(EngineError, match="for a model of width 32, not 64"):
        engine.diffusion(narrow, voices, 0, engine.options(OPTIONS), Watch())


def test_speakers_without_recordings_are_refused(checkpoint: Path) -> None:
    engine = VibeVoice(str(checkpoint), SETTINGS)
    with pytest.raises(VoiceError, match="'alto': VibeVoice needs a reference recording"):
        engine.speaker(Reference(preset="alto"), engine.options(OPTIONS))


def test_rates_paces_and_ipa_are_refused_with_their_lines(checkpoint: Path, tmp_path: Path) -> None:
    text = "Ann: Hello.\n\nAnn: [rate:0.9]Slowly.[/rate]\n\nBen: I met [say:/nuːlə/]Nuala[/say]."
    voices = {"Ben": {"pace": 1.2}}
    engine, registered = VibeVoice(str(checkpoint)), Voices(Store(str(tmp_path)))
    found = check(read(text), voices, engine=engine, registered=registered).problems
    reasons = {(each.line, each.reason.split(";")[0]) for each in found}
    assert (3, "has rate 0.9, but engine vibevoice has no other rate than its own") in reasons
    assert (5, "has IPA, which engine vibevoice does not take") in reasons
    assert (5, "pace 1.2: engine vibevoice has no other rate than its own") in reasons


def test_a_silent_recording_is_refused(checkpoint: Path) -> None:
    engine = VibeVoice(str(checkpoint), SETTINGS)
    silence = Reference(samples=np.zeros(RATE_HZ, np.float32), sample_rate_hz=RATE_HZ)
    with pytest.raises(VoiceError, match="is silent"):
        engine.speaker(silence, engine.options(OPTIONS))


def test_a_long_recording_is_cut_and_resampled(checkpoint: Path) -> None:
    engine = VibeVoice(str(checkpoint), EngineSettings(device="cpu", slots=1, reference_s=2.0))
    samples = np.random.default_rng(0).normal(0, 0.2, 5 * 16_000).astype(np.float32)
    made = engine.speaker(Reference(samples=samples, sample_rate_hz=16_000), engine.options(OPTIONS))
    assert made.arrays["voice"].shape == (15, 64)


def test_leading_silence_of_a_long_recording_is_trimmed(checkpoint: Path) -> None:
    engine = VibeVoice(str(checkpoint), EngineSettings(device="cpu", slots=1, reference_s=2.0))
    heard = recording(0, 2.0).samples
    assert heard is not None
    heard[0] = 0.5  # loud from its first sample on
    late = np.concatenate([np.zeros(3 * RATE_HZ, np.float32), heard])
    first, second = (
        engine.speaker(Reference(samples=samples, sample_rate_hz=RATE_HZ), engine.options(OPTIONS))
        for samples in (late, heard)
    )
    assert np.array_equal(first.arrays["voice"], second.arrays["voice"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (torch.OutOfMemoryError("no room\nadvice"), OutOfMemoryError),
        (torch.AcceleratorError("CUDA error: unspecified\nadvice"), DeviceLostError),
    ],
)
def test_a_device_fault_in_the_speaker_stage_is_retryable(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, expected: type[Exception]
) -> None:
    def failing(*_: object) -> torch.Tensor:
        raise fault

    engine = VibeVoice(str(checkpoint), SETTINGS)
    monkeypatch.setattr(torch, "from_numpy", failing)
    with pytest.raises(expected, match=str(fault).splitlines()[0]):
        engine.speaker(recording(0), engine.options(OPTIONS))


def test_a_control_token_is_rejected_with_its_line_before_any_stage(checkpoint: Path, tmp_path: Path) -> None:
    options, rest = split_options({}, engine="vibevoice")
    script, engine = parse("Ann: Fine.\nBob: Say <|vision_pad|>."), VibeVoice(str(checkpoint), SETTINGS)
    with pytest.raises(ScriptError, match=r"line 2: <\|vision_pad\|> is a control token of the model"):
        checked(script, {}, options, rest, engine=engine, registered=Voices(Store(str(tmp_path))))


def test_bfloat16_is_passed_between_stages_as_bits(half: Path) -> None:
    engine = VibeVoice(str(half), SETTINGS)
    options = engine.options({"dtype": "bfloat16"})
    semantic = engine.semantic(engine.text(script(0), options), options)
    voice = engine.speaker(recording(0), options)
    for array, meta in ((semantic.arrays["vectors"], semantic.meta), (voice.arrays["voice"], voice.meta)):
        assert (array.dtype.name, meta["kind"]) == ("uint16", "BF16")


@pytest.mark.parametrize(
    ("given", "named"),
    [({"stepps": 5}, "stepps"), ({"steps": 1}, "steps"), ({"guidance": "high"}, "guidance")],
)
def test_an_option_that_does_not_exist_or_fit_is_named(given: dict[str, int | str], named: str) -> None:
    with pytest.raises(OptionError, match=f"option '{named}'"):
        VibeVoice("nowhere").options(given)
