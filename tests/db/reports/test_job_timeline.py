import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine

from bench.harness.rows import attempt
from db.database import writing
from db.ingest import rows
from db.queries.jobs import find_jobs
from db.reports import limits
from db.reports.advice import advise
from db.reports.job_page import page
from db.reports.job_timeline import JobTimeline, load

T0 = 1_800_000_000.0


def run(stage: str, start: float, run_s: float, **facts: Any) -> dict[str, Any]:
    """Row of an attempt that started this long after the first message was sent."""
    return attempt(
        **{
            "job": "j",
            "task_name": f"voxchord.{stage}",
            "queue": f"cpu.{stage}",
            "worker": "w@h",
            "worker_pid": 1,
            "concurrency": 2,
            "published_at": T0,
            "started_at": T0 + start,
            "started_epoch": int(T0 + start),
            "finished_at": T0 + start + run_s,
            "finished_epoch": int(T0 + start + run_s),
            "run_s": run_s,
            "share_s": run_s,
            "queue_wait_s": start,
            "cpu_user_s": run_s * 0.9,
            "cpu_system_s": 0.0,
            "cpu_wait_s": 0.0,
            "cpus_allowed": 2,
            "rss_peak_bytes": 100 << 20,
        }
        | facts
    )


def record(engine: Engine, *attempts: dict[str, Any], **job: Any) -> None:
    with writing(engine) as connection:
        for row in attempts:
            rows.insert(
                connection, "task_run", [rows.parse(json.dumps({"t": "task_run", "r": row}).encode())[1]]
            )
        rows.insert(connection, "job", [{"id": "j", "state": "SUCCEEDED", **job}])


def timeline_of(engine: Engine, *attempts: dict[str, Any], **job: Any) -> JobTimeline:
    record(engine, *attempts, **job)
    timeline = load(engine, "j")
    assert timeline is not None
    return timeline


def test_jobs_without_attempts_have_no_timeline(engine: Engine) -> None:
    assert load(engine, "j") is None


def test_jobs_without_started_attempts_have_no_timeline(engine: Engine) -> None:
    record(engine, run("text", 0, 1, state="LOST", started_at=None))
    assert load(engine, "j") is None


def test_timelines_of_restarted_jobs_show_the_last_run(engine: Engine) -> None:
    night = 12 * 3600
    later = [
        run("render", 0, 1, started_at=T0 + night, published_at=T0 + night),
        run("diffusion", 1, 4, started_at=T0 + night + 1, published_at=T0 + night),
    ]
    again = {"run_no": 2, "started_at": T0 + night + 0.5, "updated_epoch_ms": 1}
    timeline = timeline_of(
        engine, run("diffusion", 0, 3), run("diffusion", 3, 1, state="LOST"), *later, **again
    )
    assert [row["task_name"] for row in timeline.attempts] == ["voxchord.render", "voxchord.diffusion"]
    assert timeline.span_s == pytest.approx(5.0)
    assert "run 2, the latest" in page(timeline)


def test_jobs_are_found_by_id_prefix(engine: Engine) -> None:
    timeline_of(engine, run("text", 0, 1))
    assert find_jobs(engine, "j") == ["j"]
    assert find_jobs(engine, "%") == []


def test_lanes_hold_consecutive_attempts(engine: Engine) -> None:
    timeline = timeline_of(
        engine,
        run("text", 0, 1, worker_pid=1),
        run("text", 1, 1, worker_pid=1),
        run("diffusion", 0, 3, worker_pid=2),
        run("diffusion", 1, 3, worker_pid=2),
    )
    assert [(name, len(lane)) for name, lane in timeline.lanes()] == [
        ("w@h · 1", 2),
        ("w@h · 2 · 1", 1),
        ("w@h · 2 · 2", 1),
    ]
    assert timeline.slots() == 2
    assert timeline.span_s == pytest.approx(4.0)


def test_reports_of_running_jobs_show_audio_so_far(engine: Engine) -> None:
    timeline = timeline_of(
        engine,
        run("diffusion", 0, 1, segment=0, audio_s=30.0),
        run("diffusion", 1, 1, segment=0, audio_s=30.0),
        run("diffusion", 2, 2, segment=1, audio_s=50.0),
        run("text", 3, 1, segment=2),
        state="RUNNING",
    )
    assert timeline.made_s() == 80.0
    assert "<b>1 min 20 s</b><span>audio so far</span>" in page(timeline)
    assert "<b>20.0 ×</b>" in page(timeline)


def test_reports_distinguish_decoded_and_reused_segments(engine: Engine) -> None:
    timeline = timeline_of(
        engine,
        run("diffusion", 0, 3, segment=0, cache_hit=0, audio_s=30.0),
        run("diffusion", 1, 2, segment=1, cache_hit=1),
        run("text", 2, 1, segment=2, cache_hit=1),
        state="RUNNING",
        segments=5,
    )
    lines = re.findall(r"<tr><td>(\d)</td>.*?<td>([^<]*)</td></tr>", page(timeline))
    assert lines[:3] == [("0", "no"), ("1", "yes"), ("2", "–")]
    assert timeline.reused() == 0, "what isn't decoded yet may still be"


def test_redelivered_attempts_are_not_drawn_as_waiting(engine: Engine) -> None:
    timeline = timeline_of(engine, run("text", 5, 1, queue_wait_s=None))
    assert timeline.attempts[0]["published"] is None
    assert timeline.span_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("attempts", "job", "sentence"),
    [
        (
            [run("diffusion", 0, 10)],
            {"audio_s": 600.0},
            "10 min 0 s of audio took 10.0 s: 60.0 times real time.",
        ),
        (
            [run("diffusion", 0, 6), run("diffusion", 6, 4, state="LOST", exc_type="WorkerLostError")],
            {},
            "1 of 2 attempts were unsuccessful and cost 4.0 s, 40 % of all work: 1 × LOST WorkerLostError.",
        ),
        (
            [run("diffusion", n // 2 * 2, 2, segment=n, worker_pid=n % 2) for n in range(8)],
            {},
            "All 2 slots were in use (2.0 on average) while tasks waited: "
            "one more slot would save up to 2.7 s of 8.0 s.",
        ),
        (
            [run("diffusion", 0, 8), run("text", 4.1, 0.2)],
            {},
            "text waited 4.1 s on average for 0.20 s of work, while 1.0 of 2 slots were free: "
            "one more worker on cpu.text would start it at once.",
        ),
        (
            [run("diffusion", 0, 10, cpu_user_s=6.0, cpu_wait_s=3.5)],
            {},
            "diffusion was runnable with no free core for 35 % of its time (2 cores, 2 slots): "
            "other programs, or too many slots or threads.",
        ),
        (
            [run("stitch", 0, 10, cpu_user_s=2.0)],
            {},
            "stitch was blocked for 80 % of its 10.0 s: "
            "it waited for a disk, the network or another process.",
        ),
        (
            [run("diffusion", 0, 1, segment=n, worker_pid=n) for n in range(5)]
            + [run("diffusion", 0, 6, segment=5)],
            {},
            "Segment 5 ran alone at the end of diffusion for 5.0 s: it took 6.0 s, the median is 1.0 s.",
        ),
        (
            [run("diffusion", 0, 6), run("stitch", 6, 3)],
            {},
            "stitch ran last and alone: 3.0 s, 33 % of the job.",
        ),
        (
            [run("diffusion", 0, 10, model_load_s=2.5)],
            {},
            "1 attempt waited for a model to load, 2.5 s in total, 25 % of all work: "
            "long-running workers load it once.",
        ),
        (
            [
                run("diffusion", 0, 1, segment=0, cache_hit=0, audio_s=60.0),
                run("speaker", 0, 0.1, segment=0, cache_hit=1),
                run("diffusion", 0, 1, segment=1, cache_hit=1),
                run("diffusion", 0, 1, segment=2, state="LOST"),
                run("diffusion", 1, 0.1, segment=2, cache_hit=1),
            ],
            {"segments": 9},
            "7 of 9 segments existed already and were reused.",
        ),
        (
            [run("diffusion", 0, 10, mem_limit_bytes=110 << 20)],
            {},
            "diffusion reached 91 % of its memory limit of 110 MiB: "
            "raise the limit before the process is killed.",
        ),
        (
            [run("diffusion", 0, 10, gpu_active_s=3.0, gpu_alloc_retries=2)],
            {},
            "The GPU was active for 30 % of the time of diffusion: decode more segments at once, "
            "if its memory allows.",
        ),
        (
            [
                run("diffusion", 0, 10, worker_pid=1, share_s=5.0, cpu_user_s=0.1, gpu_active_s=1.0)
                for _ in range(2)
            ],
            {},
            "The GPU was active for 20 % of the time of diffusion: decode more segments at once, "
            "if its memory allows.",
        ),
        ([run("diffusion", 0, 0.2)], {}, "The job took 0.20 s: too short to judge."),
        (
            [run("diffusion", 0, 10, worker_pid=1), run("diffusion", 0, 10, worker_pid=2)],
            {},
            "No findings: no failed work, no long waits, no shortage of resources.",
        ),
        (
            [run("diffusion", 0, 10, share_s=5.0, cpu_user_s=0.1, gpu_active_s=5.0) for _ in range(2)],
            {},
            "No findings: no failed work, no long waits, no shortage of resources.",
        ),
        (
            [run("diffusion", 0, 10, share_s=5.0, cpu_user_s=4.5) for _ in range(2)],
            {},
            "No findings: no failed work, no long waits, no shortage of resources.",
        ),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_findings_state_their_figures(
    tmp_path: Any, attempts: list[dict[str, Any]], job: dict[str, Any], sentence: str
) -> None:
    from db.database import open_database

    engine = open_database(f"sqlite:///{tmp_path}/history.db")
    fresh = [row | {"attempt_uid": attempt()["attempt_uid"]} for row in attempts]
    assert sentence in advise(timeline_of(engine, *fresh, **job))
    engine.dispose()


def test_use_is_shown_against_limits(engine: Engine) -> None:
    timeline = timeline_of(
        engine,
        run("text", 0, 2, mem_limit_bytes=1000 << 20, cgroup_peak_bytes=100 << 20),
        run(
            "diffusion",
            2,
            4,
            mem_limit_bytes=110 << 20,
            cpus_allowed=8,
            gpu_mem_reserved_peak_bytes=10 << 30,
            gpu_mem_total_bytes=80 << 30,
        ),
    )
    found = {name: [str(use) for use in uses] for name, uses in limits.uses(timeline).items()}
    assert found == {
        "voxchord.text": ["100 of 1000 MiB, 10 %", "0.9 of 1.0 cores, 90 %"],
        "voxchord.diffusion": [
            *("100 of 110 MiB, 91 %", "0.9 of 4.0 cores, 22 %", "10240 of 81920 MiB, 12 %"),
        ],
    }
    sentences = " ".join(advise(timeline))
    assert "text used at most 10 % of its memory limit of 1000 MiB: 150 MiB would do." in sentences
    assert "diffusion used at most 12 % of the device's memory: more segments would fit" in sentences
    html = page(timeline)
    assert "text: memory" in html
    assert 'width="100.0" height="14" fill="#3b7dd8"' in html
    assert 'height="14" fill="var(--bad)"' in html, "91 % of a limit"


def test_reports_name_who_acted(engine: Engine) -> None:
    row = {
        "action_uid": "1",
        "job": "j",
        "action": "retry",
        "segment": 7,
        "actor": "<ann>@desk",
        "via": "cli",
    }
    line = json.dumps({"t": "job_action", "r": {**row, "acted_at": T0, "acted_epoch": int(T0)}})
    with writing(engine) as connection:
        rows.insert(connection, "job_action", [rows.parse(line.encode())[1]])
    html = page(timeline_of(engine, run("text", 0, 2)))
    assert "retry of segment 7 by &lt;ann&gt;@desk (cli)" in html
