import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.harness.waiting import until
from db.queries.jobs import get_job
from db.reports.job_timeline import load
from pipeline import finalize, stages
from pipeline.canonical_json import canonical_json
from pipeline.checking import light
from pipeline.checking.checkers import LightChecker
from pipeline.engines.protocol import Uncontrolled
from pipeline.engines.registry import Engines
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.tasks.conftest import Service

PARAGRAPH = (
    "The tide had turned before we reached the quay. Nobody spoke of it. We tied the boat, we carried the "
    "nets up to the loft, and we counted what was left of the day. There were nine of us in the spring. "
)
SCRIPT = "\n".join(f"{'Alice' if i % 2 else 'Bob'}: Entry {i}. {PARAGRAPH}" for i in range(16))


def plan_of(script: str, jobs: Jobs, **options: object) -> Plan:
    own, rest = split_options(options, engine="hibari")
    engine = Engines().load("hibari")
    request = checked(
        parse(script), {}, own, rest, engine=engine, registered=Voices(jobs.store), checker=light.identity()
    )
    return jobs.plans.create(request, engine.profile)


def directly(script: str, store: Store, **options: object) -> bytes:
    """Render the same job in this process, last segment first, without a queue."""
    jobs, engine = Jobs(store), Engines().load("hibari")
    plan = plan_of(script, jobs, **options)
    for index in reversed(range(plan.segments)):
        work = SegmentWork(store, plan, jobs.plans.segment(plan.job, index), engine)
        stages.prepare(work)
        stages.diffusion(work, Uncontrolled())
        stages.verify(work, LightChecker())
        assert work.next_take() is None, "the first is chosen"
    manifest = finalize.finish(jobs, plan, engine.profile, Uncontrolled())
    return store.objects.read(manifest["audio"]["name"]) or b""


def test_one_task_id_yields_the_manifest(service: Service) -> None:
    result = service.send(SCRIPT)
    manifest = result.get(timeout=60)
    samples, rate = soundfile.read(io.BytesIO(service.audio(manifest)))
    assert rate == manifest["sample_rate_hz"] == 24_000
    assert len(samples) / rate == pytest.approx(manifest["duration_s"])
    assert manifest["state"] == "done"
    assert manifest["speakers"] == ["Bob", "Alice"]
    assert 120 < manifest["duration_s"] < 300, "16 turns of 45 words at a speaker's pace"
    assert 0.02 < np.sqrt(np.mean(samples**2)) < 0.3
    assert "tide" not in json.dumps(manifest)


def test_order_and_worker_count_do_not_change_bytes(service: Service, tmp_path: object) -> None:
    store = Store(f"{tmp_path}")
    for file_format in ("flac", "wav"):
        manifest = service.render(SCRIPT, options={"format": file_format})
        alone = directly(SCRIPT, store, format=file_format)
        assert service.audio(manifest) == alone


def test_one_changed_line_decodes_one_segment(service: Service) -> None:
    first = service.render(SCRIPT)
    changed = service.render(SCRIPT.replace("Entry 7.", "Entry seven, corrected."))
    assert changed["job"] != first["job"]
    rows = service.attempts(changed["job"], "diffusion")
    assert sorted(row["cache_hit"] for row in rows).count(0) == 1
    assert len(rows) == 1, "what exists is not even sent"

    def reused() -> int | None:
        timeline = load(service.history, changed["job"])
        return timeline.reused() if timeline else None

    until(lambda: reused() == changed["segments"] - 1)
    job = get_job(service.history, changed["job"])
    assert job is not None
    assert job["segments_done"] == changed["segments"]
    assert job["created_at"] < job["started_at"] < job["finished_at"]


def test_equal_requests_are_one_job(service: Service) -> None:
    script = SCRIPT.replace("quay", "pier")
    both = [service.send(script), service.send(script)]
    manifests = [result.get(timeout=60) for result in both]
    assert manifests[0] == manifests[1] == service.render(script)
    rows = service.attempts(manifests[0]["job"], "diffusion", manifests[0]["segments"])
    assert len({row["segment"] for row in rows}) == len(rows), "nothing was decoded twice"
    rows = sorted(service.attempts(manifests[0]["job"], "stitch", 3), key=lambda row: row["cache_hit"])
    made, *answers = [(row["cache_hit"], row["audio_s"]) for row in rows]
    assert made == (0, manifests[0]["duration_s"])
    assert answers == [(1, None)] * 2, "joined once for both"


def test_speed_of_restarted_jobs_counts_from_the_restart(service: Service) -> None:
    script = SCRIPT.replace("quay", "wharf")
    first = service.render(script)
    service.attempts(first["job"], "stitch")
    time.sleep(6)
    service.jobs.store.objects.delete(first["audio"]["name"])
    again = service.render(script)
    assert (again["job"], again["audio"]) == (first["job"], first["audio"])
    assert again["duration_s"] / again["speed"] < 6, "the file alone was made again"
    service.attempts(first["job"], "stitch", 2)

    def span_s() -> float | None:
        job, timeline = get_job(service.history, first["job"]), load(service.history, first["job"])
        return (
            timeline.span_s
            if timeline and job and job["state"] == "SUCCEEDED" and job["run_no"] == 2
            else None
        )

    until(lambda: span_s() is not None)
    assert (span_s() or 9) < 6


def test_stages_after_a_failure_are_not_cache_hits(service: Service) -> None:
    job = "0" * 20
    ref = {"job": job, "segment": 0, "ok": False}
    service.app.send_task("voxchord.diffusion", args=[ref], queue="gpu.diffusion")
    (row,) = service.attempts(job, "diffusion")
    assert (row["segment"], row["cache_hit"]) == (0, None)


def test_a_segments_message_with_one_more_field_is_done_and_keeps_it(service: Service) -> None:
    manifest = service.render(SCRIPT)
    ref = {"job": manifest["job"], "segment": 0, "mood": 2}
    sent = service.app.send_task("voxchord.diffusion", args=[ref], queue="gpu.diffusion")
    assert sent.get(timeout=60) == {**ref, "ok": True}


def test_a_job_planned_by_a_later_release_with_one_more_option(service: Service, tmp_path: Path) -> None:
    script = SCRIPT.replace("quay", "jetty")
    planned = Jobs(Store(str(tmp_path / "later")))
    plan = plan_of(script, planned)
    for name, _, _ in list(planned.store.objects.names("jobs")):
        service.jobs.store.objects.replace(name, planned.store.objects.read(name) or b"")
    record = json.loads(service.jobs.store.need(f"jobs/{plan.job}/plan"))
    record["options"]["mood"] = "glad"
    service.jobs.store.overwrite(f"jobs/{plan.job}/plan", canonical_json(record))
    manifest = service.render(script)
    assert (manifest["job"], manifest["state"]) == (plan.job, "done")
    assert "mood" in json.loads(service.jobs.store.need(f"jobs/{plan.job}/plan"))["options"]


def test_every_attempt_has_a_row_with_its_cost(service: Service) -> None:
    manifest = service.render(SCRIPT.replace("nets", "ropes"))
    for task in ("render", "text", "semantic", "speaker", "diffusion", "stitch"):
        expected = 1 if task in ("render", "stitch") else manifest["segments"]
        for row in service.attempts(manifest["job"], task, expected):
            assert row["state"] in ("SUCCESS", "IGNORED")
            assert row["run_s"] > 0
            assert task == "render" or row["queue_wait_s"] >= 0, "what a foreign sender publishes has no time"
            assert row["rss_peak_method"] == "hwm_reset"
            assert row["rss_peak_bytes"] > 10_000_000
            assert row["gpu_mem_alloc_peak_bytes"] is None, "unmeasured is NULL, never 0"
    decoded = service.attempts(manifest["job"], "diffusion", manifest["segments"])
    heard = sum(row["audio_s"] for row in decoded)
    assert heard == pytest.approx(manifest["duration_s"], rel=0.2), (
        "less the digital silence around sentences"
    )
    assert all(row["engine"] == "hibari" for row in decoded)


@pytest.mark.parametrize(
    ("script", "voices", "options", "words"),
    [
        ("Alice: Hi.\nBob:", {}, {}, "line 2"),
        ("Alice: Привет.", {}, {}, "line 1.*voice of hibari"),
        (7, {}, {}, "neither text nor a list"),
        ("Alice: Hi.", {"Bob": "wren"}, {}, "does not speak"),
        ("Alice: Hi.", {"Alice": "nobody"}, {}, "voice 'nobody'"),
        ("Alice: Hi.", {"Alice": "../../etc/passwd"}, {}, "voice"),
        ("Alice: Hi.", {}, {"format": "avi"}, "option 'format'.*avi"),
        ("Alice: Hi.", {}, {"engine": "espeak"}, "option 'engine'"),
        ("Alice: Hi.", {}, {"model": "/etc"}, "option 'model'"),
        ("Alice: Hi.", {}, {"loudness": 3}, "option 'loudness'"),
        ("Alice: Hi.", {}, {"seed": -1}, "option 'seed'"),
        ("Alice: Hi.", {}, {"seed": "1"}, "option 'seed'"),
        ("Alice: Hi.", {}, {"pace": 9}, "option 'pace'"),
        ("Alice: Hi.", {}, {"title": {"a": 1}}, "option 'title'"),
        ("Alice: Hi.", {}, {"device": "a b"}, "option 'device'"),
    ],
)
def test_bad_input_is_refused_by_name_before_work_starts(
    service: Service, script: object, voices: object, options: object, words: str
) -> None:
    before = set(service.jobs.plans.ids())
    with pytest.raises(Exception) as found:  # noqa: PT011 - its class is the sender's business; the words are ours
        service.render(script, voices=voices, options=options)
    assert re.search(words, str(found.value))
    assert set(service.jobs.plans.ids()) == before


def test_six_speakers_without_voices_have_six(service: Service) -> None:
    script = "\n".join(f"Speaker {i}: Hello." for i in range(1, 7))
    manifest = service.render(script)
    voices = [speaker["voice"] for speaker in manifest["script"]["speakers"]]
    assert voices[:4] == ["wren", "heron", "finch", "crane"]
    assert len(set(voices)) == 6
    assert any("more speakers than presets" in notice["reason"] for notice in manifest["script"]["notices"])


def test_a_renamed_speaker_whose_voice_stays_decodes_nothing(service: Service) -> None:
    script = "Anna: We walk to the mill at nine.\nBo: It is raining on the weir.\nAnna: Take a coat.\n"
    first = service.render(script, voices={"Anna": "wren", "Bo": "heron"})
    second = service.render(
        script.replace("Anna", "Zoe"), voices={"Zoe": {"voice": "wren"}, "Bo": {"voice": "heron"}}
    )
    assert second["job"] != first["job"]
    keys = [
        [segment.key for segment in service.jobs.plans.segments(service.jobs.plans.need(each["job"]))]
        for each in (first, second)
    ]
    assert keys[0] == keys[1]
    vtt = service.jobs.store.objects.read(second["subtitles"]["vtt"]["name"]) or b""
    assert b"Zoe" in vtt
    assert b"Anna" not in vtt
