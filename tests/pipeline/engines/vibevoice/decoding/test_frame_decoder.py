"""The accelerator's decoder equals `generate()`, and its frame is legal in a CUDA graph.

Without a GPU: the frame runs uncaptured, from a tape of its operators (`tape`), and traced by torch.compile.
"""

from pathlib import Path

import pytest
import torch

from bench.harness.slots import decode_all
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding import frame
from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, uncaptured
from pipeline.engines.vibevoice.model.ragged_kv_cache import RaggedKvCache
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion
from tests.pipeline.engines.vibevoice import reference, segments
from tests.pipeline.engines.vibevoice.reference import Reference
from tests.pipeline.engines.vibevoice.tape import Crossings, IllegalError, Tape, taped
from tests.tools import slow

TOLERANCE = 1e-9
CROSSINGS_MAX = 1
"""Most synchronisations of a frame, which reads its tokens. Each stalls a GPU for some 20 µs."""


@pytest.fixture(scope="module")
def weights(checkpoint: Path) -> Weights:
    return Weights(open_checkpoint(str(checkpoint)).check(), torch.float64, torch.device("cpu"))


def cases(model: Reference, *shapes: tuple[int, int]) -> list[segments.Case]:
    """Segments of (positions, frames), two voices between them."""
    return [
        segments.case(model, positions, 50 + n, segments.frame_tokens(model, frames), voice_seed=n % 2)
        for n, (positions, frames) in enumerate(shapes)
    ]


def assert_equal(
    model: Reference,
    weights: Weights,
    ones: list[segments.Case],
    slots: int,
    *,
    capture: Capture = uncaptured,
    fusion: InductorFusion | None = None,
) -> None:
    """Cases passing through the slots equal `generate()` one by one."""
    loop = segments.frame_decoder(weights, slots, capture=capture, fusion=fusion)
    rows = decode_all(loop, [segments.request(model, one) for one in ones])
    assert not loop.refusals
    for one, row in zip(ones, rows, strict=True):
        audio, tokens = segments.generated(model, one)
        assert row.tokens == tokens
        assert segments.relative_error(row.samples(), audio) <= TOLERANCE


@pytest.mark.parametrize("capture", [uncaptured, taped])
@pytest.mark.parametrize("slots", [slow(1), 3, slow(8)])
def test_segments_that_join_late_equal_generate_one_by_one(
    model: Reference, weights: Weights, slots: int, capture: Capture
) -> None:
    shapes = (12, 4), (30, 11), (21, 7), (44, 2), (18, 0), (27, 9), (35, 1)
    assert_equal(model, weights, cases(model, *shapes), slots, capture=capture)


def test_a_segment_that_restarts_audio_equals_generate(model: Reference, weights: Weights) -> None:
    config = model.config
    spoken, stop = config.audio_token_id, config.audio_eos_token_id
    start, end = config.audio_bos_token_id, config.eos_token_id
    tokens = (start, spoken, spoken, stop, start, spoken, stop, spoken, spoken, stop, end)
    ones = [segments.case(model, 25, 3, tokens), *cases(model, (20, 6))]
    assert_equal(model, weights, ones, 2)


@pytest.mark.parametrize("seed", [slow(0), 1, slow(2)])
def test_tokens_that_the_model_chooses_equal_generate(
    untied: Path, untied_model: Reference, seed: int
) -> None:
    weights = Weights(open_checkpoint(str(untied)).check(), torch.float64, torch.device("cpu"))
    assert_equal(untied_model, weights, [segments.case(untied_model, 15 + 5 * seed, 20 + seed)], 2)


@pytest.mark.slow
def test_regions_traced_whole_equal_generate(model: Reference, weights: Weights) -> None:
    fusion = InductorFusion(backend="aot_eager")
    assert_equal(model, weights, cases(model, (20, 3), (30, 2)), 2, fusion=fusion)
    assert not fusion.failed
    assert fusion.compiled


def test_regions_run_uncompiled_without_a_compiler(
    model: Reference, weights: Weights, caplog: pytest.LogCaptureFixture
) -> None:
    fusion = InductorFusion(backend="no such backend")
    assert_equal(model, weights, cases(model, (20, 3)), 1, fusion=fusion)
    assert fusion.failed
    assert [record.message.partition(":")[0] for record in caplog.records] == ["fused kernels are off"]


@pytest.mark.slow
def test_rows_with_different_solver_steps_equal_generate(model: Reference, weights: Weights) -> None:
    ones = [segments.case(model, 20, seed, segments.frame_tokens(model, 4)) for seed in (1, 2, 3)]
    requests = [segments.request(model, one) for one in ones]
    requests[1].steps, requests[1].guidance, requests[2].steps = 5, 3.0, 20
    rows = decode_all(segments.frame_decoder(weights, 2, capture=taped), requests)
    for one, asked, row in zip(ones, requests, rows, strict=True):
        expected, _ = reference.generate(
            model,
            one.inputs(),
            [one.seed],
            tokens=[one.tokens or ()],
            steps=asked.steps,
            guidance=asked.guidance,
        )
        assert segments.relative_error(row.samples(), expected[0]) <= TOLERANCE


def test_the_number_of_captured_frames_is_bounded(model: Reference, weights: Weights) -> None:
    loop = segments.frame_decoder(weights, 1)
    for steps in (5, 6, 7, 8):
        one = segments.request(model, segments.case(model, 20, steps, segments.frame_tokens(model, 1)))
        one.steps = steps
        decode_all(loop, [one])
    assert list(loop.frames.replays) == [7, 8]


def test_nan_in_a_segment_does_not_affect_the_next_in_its_slot(model: Reference, weights: Weights) -> None:
    loop = segments.frame_decoder(weights, 1)
    spoilt = segments.request(model, segments.case(model, 40, 1, segments.frame_tokens(model, 4)))
    spoilt.prompt[-5:] = torch.nan
    decode_all(loop, [spoilt])
    one = segments.case(model, 20, 2, segments.frame_tokens(model, 4))
    (row,) = decode_all(loop, [segments.request(model, one)])
    assert segments.relative_error(row.samples(), segments.generated(model, one)[0]) <= TOLERANCE


def test_a_released_slot_is_free_for_the_next_segment(model: Reference, weights: Weights) -> None:
    loop = segments.frame_decoder(weights, 2)
    first, second, third = cases(model, (20, 9), (25, 6), (30, 5))
    loop.admit({0: segments.request(model, first), 1: segments.request(model, second)})
    for _ in range(6):
        loop.step()
    loop.release(0)
    loop.admit({0: segments.request(model, third)})
    rows = {slot: loop.row(slot) for slot in (0, 1)}
    while loop.active:
        loop.step()
        for slot in loop.active:
            if loop.row(slot).done:
                loop.release(slot)
    for slot, one in ((0, third), (1, second)):
        expected = segments.generated(model, one)[0]
        assert segments.relative_error(rows[slot].samples(), expected) <= TOLERANCE


def test_a_voice_is_prefilled_once_for_all_its_segments(model: Reference, weights: Weights) -> None:
    loop = segments.frame_decoder(weights, 2)
    ones = [
        segments.case(model, 20, seed, segments.frame_tokens(model, 1), voice_seed=seed // 2)
        for seed in range(4)
    ]
    decode_all(loop, [segments.request(model, one) for one in ones])
    assert len(loop.prefix_cache.pieces) == 2
    assert loop.passes == 2 + 4


@pytest.mark.parametrize("fault", ["asks", "masks", "tells"])
def test_the_tape_rejects_operators_that_synchronise(
    weights: Weights, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    attend = RaggedKvCache.attend

    def faulty(
        self: RaggedKvCache, layer: int, queries: torch.Tensor, lengths: torch.Tensor, *, own_kernels: bool
    ) -> torch.Tensor:
        if fault == "asks" and int(lengths.max()) < 0:
            raise AssertionError
        if fault == "masks":
            _ = queries[lengths >= 0]
        if fault == "tells":
            _ = queries + torch.tensor([0.0], dtype=queries.dtype)
        return attend(self, layer, queries, lengths, own_kernels=own_kernels)

    loop = segments.frame_decoder(weights, 2)
    monkeypatch.setattr(RaggedKvCache, "attend", faulty)
    tape = Tape()
    with torch.inference_mode(), pytest.raises(IllegalError), tape:
        loop.frame(10)


def test_the_tape_detects_moved_memory(model: Reference, weights: Weights) -> None:
    loop = segments.frame_decoder(weights, 1, capture=taped)
    loop.frame.memory = loop.frame.memory.clone()
    one = segments.case(model, 20, 1, segments.frame_tokens(model, 4))
    (row,) = decode_all(loop, [segments.request(model, one)])
    (row,) = decode_all(loop, [segments.request(model, one)])
    assert segments.relative_error(row.samples(), segments.generated(model, one)[0]) > TOLERANCE


@pytest.mark.parametrize("count", [2, 3])
def test_a_frame_synchronises_once(model: Reference, weights: Weights, count: int) -> None:
    loop = segments.frame_decoder(weights, 3)
    ones = cases(model, *((20 + n, 9) for n in range(count)))
    loop.admit({slot: segments.request(model, one) for slot, one in enumerate(ones)})
    while loop.prefills or not loop.in_flight:
        loop.step()
    with Crossings() as seen:
        loop.step()
    assert seen.found.total() <= CROSSINGS_MAX, seen.found.most_common()


@pytest.mark.slow
def test_a_segment_ends_at_its_token_limit_and_at_the_end_of_its_slot(
    model: Reference, weights: Weights
) -> None:
    loop = segments.frame_decoder(weights, 2)
    short, long = (segments.request(model, one) for one in cases(model, (20, 30), (30, 70)))
    short.tokens_max, long.tokens_max = 3, 1000
    rows = decode_all(loop, [short, long])
    assert [row.frames_done for row in rows] == [3, loop.limits.frames]


def test_preparing_a_frame_does_not_change_active_rows(model: Reference, weights: Weights) -> None:
    loop = segments.frame_decoder(weights, 1)
    one = segments.case(model, 20, 1, segments.frame_tokens(model, 6))
    loop.admit({0: segments.request(model, one)})
    row = loop.row(0)
    for _ in range(4):
        loop.step()
    with torch.inference_mode():
        loop._prepare(7)
    while not row.done:
        loop.step()
    assert segments.relative_error(row.samples(), segments.generated(model, one)[0]) <= TOLERANCE
    assert loop.frame.control[0, frame.ALIVE] == 0
