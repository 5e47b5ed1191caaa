"""A request of ten segments, its job and segments."""

from pathlib import Path

from pipeline.engines.protocol import Profile
from pipeline.planning.casting import Speaker
from pipeline.planning.records import PlannedSegment
from pipeline.planning.request import JobOptions, Request
from pipeline.planning.segmenter import plan
from pipeline.script.parser import parse

HERE = Path(__file__).parent
PROFILE = Profile(
    name="golden",
    sample_rate_hz=8000,
    frame_rate_hz=50.0,
    words_min=8,
    words_max=24,
    speakers_max=4,
    languages=("en",),
    reference_needed=False,
    pool="prefork",
    stage_version=1,
    words_per_s=2.4,
    presets=("wren", "heron"),
)
REQUEST = Request(
    parse((HERE / "script.txt").read_text()),
    (
        Speaker("Anna", "wren", "preset:wren"),
        Speaker("Bo Lund", "guest", "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"),
    ),
    JobOptions(engine="golden", format="wav", title="Ten segments", seed=7, on_error="gap"),
    {"pace": 1.25, "steps": 10, "dtype": "auto", "plain": True},
    "golden-1.2 v1",
)
JOB = "b46b0f1411144f591fe9"
"""ID of a job whose takes are not checked, as in release 0.1.0."""


def segments() -> list[PlannedSegment]:
    identity: dict[str, object] = {
        "engine": REQUEST.options.engine,
        "revision": REQUEST.revision,
        "options": dict(REQUEST.engine_options),
        "seed": REQUEST.options.seed,
    }
    voices = {speaker.name: speaker.hash for speaker in REQUEST.speakers}
    return list(plan(REQUEST.script.turns, PROFILE, speakers=voices, identity=identity))
