"""The decode loop equals transformers' `generate()`, to 1e-9 in double precision."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bench.harness.slots import decode_all
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.layers import linear
from pipeline.engines.vibevoice.model.kv_cache import KvCache
from pipeline.engines.vibevoice.model.language_model import LanguageModel, PromptPiece
from tests.pipeline.engines.vibevoice import reference, segments
from tests.pipeline.engines.vibevoice.reference import Reference
from tests.tools import slow

TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def weights(checkpoint: Path) -> Weights:
    return Weights(open_checkpoint(str(checkpoint)).check(), torch.float64, torch.device("cpu"))


def assert_equal(
    model: Reference, weights: Weights, cases: list[segments.Case], slots: int, **how: bool
) -> None:
    """The loop, with the cases passing through its slots, equals `generate()` one by one."""
    loop = segments.decoder(weights, slots)
    rows = decode_all(loop, [segments.request(model, one, cut=how.get("cut", True)) for one in cases])
    for one, row in zip(cases, rows, strict=True):
        audio, tokens = segments.generated(model, one)
        assert row.tokens == tokens
        assert segments.relative_error(row.samples(), audio) <= TOLERANCE


def test_one_segment_equals_generate(model: Reference, weights: Weights) -> None:
    one = segments.case(model, 40, 1, segments.frame_tokens(model, 12))
    assert_equal(model, weights, [one], 1)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("slots", [2, 3, 5, 8])
def test_segments_that_join_late_equal_generate_one_by_one(
    model: Reference, weights: Weights, slots: int, cut: bool
) -> None:
    shapes = [(12, 4), (30, 11), (21, 7), (44, 2), (18, 0), (27, 9), (35, 1)]
    cases = [
        segments.case(model, positions, 50 + n, segments.frame_tokens(model, frames), voice_seed=n % 2)
        for n, (positions, frames) in enumerate(shapes)
    ]
    assert_equal(model, weights, cases, slots, cut=cut)


def test_a_batch_with_different_prompts_and_ends_equals_generate_on_that_batch(
    model: Reference, weights: Weights
) -> None:
    frames = (12, 5, 9)
    cases = [
        segments.case(model, positions, 80 + n, segments.frame_tokens(model, frames[n]))
        for n, positions in enumerate((40, 23, 31))
    ]
    longest = max(one.ids.shape[1] for one in cases)
    ids = torch.full((3, longest), model.config.pad_token_id)
    seen = torch.zeros_like(ids)
    for row, one in enumerate(cases):
        ids[row, longest - one.ids.shape[1] :] = one.ids
        seen[row, longest - one.ids.shape[1] :] = 1
    audio = torch.cat([one.audio for one in cases])
    inputs = {"input_ids": ids, "attention_mask": seen, "input_values": audio}
    inputs["padding_mask"] = torch.ones(audio.shape[0], audio.shape[2], dtype=torch.bool)
    given = [one.tokens or () for one in cases]
    expected, _ = reference.generate(model, inputs, [one.seed for one in cases], tokens=given)
    rows = decode_all(segments.decoder(weights, 3), [segments.request(model, one) for one in cases])
    for spoken, samples in zip(rows, expected, strict=True):
        assert segments.relative_error(spoken.samples(), samples) <= TOLERANCE


def test_a_segment_that_restarts_audio_equals_generate(model: Reference, weights: Weights) -> None:
    config = model.config
    frame, stop, start, end = (
        config.audio_token_id,
        config.audio_eos_token_id,
        config.audio_bos_token_id,
        config.eos_token_id,
    )
    tokens = (start, frame, frame, stop, start, frame, stop, frame, frame, stop, end)
    others = [segments.case(model, 20 + n, 30 + n, segments.frame_tokens(model, 6)) for n in range(2)]
    assert_equal(model, weights, [others[0], segments.case(model, 25, 3, tokens), others[1]], 3)


@pytest.mark.parametrize("seed", [slow(0), 1, slow(2), slow(3)])
def test_what_the_model_chooses_itself_equals_generate(
    untied: Path, untied_model: Reference, seed: int
) -> None:
    weights = Weights(open_checkpoint(str(untied)).check(), torch.float64, torch.device("cpu"))
    assert_equal(untied_model, weights, [segments.case(untied_model, 15 + 5 * seed, 20 + seed)], 2)


@pytest.mark.parametrize(("steps", "guidance"), [(5, 3.0), (20, 1.0)])
def test_steps_and_guidance_of_each_segment_are_its_own(
    model: Reference, weights: Weights, steps: int, guidance: float
) -> None:
    cases = [segments.case(model, 20, seed, segments.frame_tokens(model, 4)) for seed in (1, 2)]
    requests = [segments.request(model, one) for one in cases]
    requests[1].steps, requests[1].guidance = steps, guidance
    rows = decode_all(segments.decoder(weights, 2), requests)
    plain, _ = reference.generate(model, cases[0].inputs(), [1], tokens=[cases[0].tokens or ()])
    other, _ = reference.generate(
        model, cases[1].inputs(), [2], tokens=[cases[1].tokens or ()], steps=steps, guidance=guidance
    )
    assert segments.relative_error(rows[0].samples(), plain[0]) <= TOLERANCE
    assert segments.relative_error(rows[1].samples(), other[0]) <= TOLERANCE


def test_a_segment_ends_at_its_most_tokens(model: Reference, weights: Weights) -> None:
    one = segments.request(model, segments.case(model, 20, 1, segments.frame_tokens(model, 30)))
    one.tokens_max = 3
    (row,) = decode_all(segments.decoder(weights, 1), [one])
    assert row.frames_done == 3


def test_a_voice_is_prefilled_once_for_all_its_segments(model: Reference, weights: Weights) -> None:
    loop = segments.decoder(weights, 2)
    cases = [
        segments.case(model, 20, seed, segments.frame_tokens(model, 1), voice_seed=seed // 2)
        for seed in range(4)
    ]
    decode_all(loop, [segments.request(model, one) for one in cases])
    assert len(loop.prefix_cache.pieces) == 2


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Positions of each prompt in every prefill pass."""
    seen: list[list[int]] = []
    read = LanguageModel.prefill

    def noted(self: LanguageModel, pieces: Sequence[PromptPiece], cache: KvCache) -> list[torch.Tensor]:
        seen.append([len(piece.x) for piece in pieces])
        return read(self, pieces, cache)

    monkeypatch.setattr(LanguageModel, "prefill", noted)
    return seen


@pytest.mark.parametrize(
    ("retained_bytes", "expected"),
    [(1 << 20, [2, 4]), (0, [2, 4, 2])],
)
def test_prompts_that_come_together_are_read_together(
    model: Reference,
    weights: Weights,
    passes: list[list[int]],
    retained_bytes: int,
    expected: list[int],
) -> None:
    """Voices are prefilled first, each once if the prefix cache has room, then all words."""
    cases = [
        segments.case(model, 20 + seed, seed, segments.frame_tokens(model, 2), voice_seed=seed // 2)
        for seed in range(4)
    ]
    loop = segments.decoder(weights, 4, prefix_bytes=retained_bytes)
    passes.clear()
    rows = decode_all(loop, [segments.request(model, one) for one in cases])
    assert [len(pieces) for pieces in passes] == expected
    for one, row in zip(cases, rows, strict=True):
        assert segments.relative_error(row.samples(), segments.generated(model, one)[0]) <= TOLERANCE


def test_the_positions_of_a_pass_are_bounded(
    model: Reference, weights: Weights, passes: list[list[int]]
) -> None:
    cases = [segments.case(model, 20 + n, n, segments.frame_tokens(model, 2)) for n in range(4)]
    loop = segments.decoder(weights, 4)
    loop.prefill.positions_max = 40
    passes.clear()
    decode_all(loop, [segments.request(model, one) for one in cases])
    assert all(sum(pieces) <= 40 or len(pieces) == 1 for pieces in passes)
    assert max(len(pieces) for pieces in passes) == 2


@pytest.mark.slow
@pytest.mark.parametrize("native_min", [linear.NATIVE_MIN, 1])
def test_in_half_precision_the_same_segment_gives_the_same_bits_in_any_company(
    model: Reference, half: Path, native_min: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "NATIVE_MIN", native_min)
    parts = Weights(open_checkpoint(str(half)).check(), torch.bfloat16, torch.device("cpu"))
    cases = [
        segments.case(model, 20 + 3 * n, 60 + n, segments.frame_tokens(model, 4 + 3 * n), voice_seed=n % 2)
        for n in range(5)
    ]
    alone = decode_all(segments.decoder(parts, 1), [segments.request(model, cases[0])])[0].samples()
    for order in ([0, 1, 2, 3, 4], [4, 3, 0, 1, 2], [1, 2, 3, 4, 0]):
        for slots in (2, 3, 4):
            rows = decode_all(
                segments.decoder(parts, slots), [segments.request(model, cases[n]) for n in order]
            )
            assert rows[order.index(0)].samples().tobytes() == alone.tobytes()
