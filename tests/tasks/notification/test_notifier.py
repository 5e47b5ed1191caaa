"""Tests of notifications, sent to real HTTP servers."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.harness import forked, results
from bench.harness.silence import Silence
from bench.harness.waiting import until
from db.ingest.spool import Spool
from pipeline.errors import CancelledError, OptionError, SegmentError
from pipeline.jobs import outbox
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import EVENTS, Outbox
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.local.service import LocalService
from tasks.make_app import make_app
from tasks.notification import delivery
from tasks.notification.errors import NotDeliveredError
from tasks.notification.notifier import Notifier
from tasks.orchestration.job_rows import JobRows
from tasks.settings import Settings, load


@dataclass
class Receiver:
    """An HTTP server that keeps what it received, and may refuse, or answer late."""

    url: str = ""
    status: int = 200
    answering: threading.Event = field(default_factory=threading.Event)
    """Set once requests are answered, which wait for it for less than their own timeout."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    found.answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.answering.wait(8)
            found.keys.append(self.headers["Idempotency-Key"])
            if found.status == 200:
                found.bodies.append(json.loads(body))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook?key=secret"
    yield found
    found.answering.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Store(str(tmp_path / "store")))


@pytest.fixture
def plan(jobs: Jobs) -> Plan:
    own, rest = split_options({}, engine="silence")
    engine = Silence()
    request = checked(parse("Anna: velvet."), {}, own, rest, engine=engine, registered=Voices(jobs.store))
    return jobs.plans.create(request, engine.profile)


@pytest.fixture
def rows(jobs: Jobs, tmp_path: Path) -> Iterator[JobRows]:
    spool = Spool(tmp_path / "spool")
    yield JobRows(spool, jobs.coordination, jobs.actions, EVENTS)
    spool.close()


def notifier(jobs: Jobs, *urls: str, budget_s: float = 0) -> Notifier:
    return Notifier(jobs, urls, EVENTS, budget_s)


def test_outcomes_are_sent_once(jobs: Jobs, plan: Plan, rows: JobRows, receiver: Receiver) -> None:
    for _ in range(2):  # a stitch may run twice
        rows.failed(plan, SegmentError(0, 1, "a fault"))
    for _ in range(2):
        notifier(jobs, receiver.url).check()
    (body,) = receiver.bodies
    assert (body["event"], body["job"], body["error"]) == (
        "failed",
        plan.job,
        "segment 0 (script line 1): a fault",
    )
    assert receiver.keys == [body["id"]]
    jobs.coordination.reopen(plan.job)
    rows.failed(plan, CancelledError(plan.job))
    rows.finished(plan, {"duration_s": 2.0, "speed": 3.0, "segments": 1, "gaps": [], "state": "done"})
    notifier(jobs, receiver.url).check()
    assert [body["event"] for body in receiver.bodies] == ["failed", "finished"], (
        "a cancelled job is no failure"
    )
    assert list(jobs.store.objects.names("outbox")) == list(jobs.store.objects.names("outbox-sending")) == []


def test_refused_notifications_are_retried_with_back_off(
    jobs: Jobs, plan: Plan, rows: JobRows, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT_S", 0.3)
    rows.failed(plan, SegmentError(0, 1, "a fault"))
    receiver.status = 503
    notifier(jobs, receiver.url).check()
    receiver.status = 200
    notifier(jobs, receiver.url).check()
    assert len(receiver.keys) == 1, "too early"
    time.sleep(0.35)
    notifier(jobs, receiver.url).check()
    assert [body["event"] for body in receiver.bodies] == ["failed"]


def test_each_address_gets_a_notification_once(
    jobs: Jobs, plan: Plan, rows: JobRows, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT_S", 0.01)
    rows.failed(plan, SegmentError(0, 1, "a fault"))
    for _ in range(3):
        notifier(jobs, "http://127.0.0.1:1/nobody", receiver.url).check()
        time.sleep(0.1)
    assert len(receiver.bodies) == 1
    (notice,) = Outbox(jobs.store).due()
    assert notice.failures == 3


def test_a_process_that_dies_while_it_sends_repeats_nothing(
    jobs: Jobs, plan: Plan, rows: JobRows, receiver: Receiver
) -> None:
    rows.failed(plan, SegmentError(0, 1, "a fault"))
    (notice,) = Outbox(jobs.store).due()
    assert Outbox(jobs.store).begin(notice)
    notifier(jobs, receiver.url).check()
    assert receiver.keys == []


def test_exceeded_budgets_are_noticed_once(jobs: Jobs, plan: Plan, receiver: Receiver) -> None:
    notifier(jobs, receiver.url, budget_s=3600).check()
    assert receiver.bodies == []
    time.sleep(0.1)
    for _ in range(2):
        notifier(jobs, receiver.url, budget_s=0.05).check()
    (body,) = receiver.bodies
    assert (body["event"], body["job"], body["budget_s"]) == ("budget", plan.job, 0.05)


def test_apprise_sends_to_other_addresses(receiver: Receiver) -> None:
    url = receiver.url.replace("http://", "json://").partition("?")[0]
    delivery.send(url, "a notice", {"event": "failed", "job": "3f", "error": "a fault"})
    (body,) = receiver.bodies
    assert body["title"] == "voxchord: job failed"
    assert "error: a fault" in body["message"]
    assert delivery.problem("nonsense://x") == "nonsense: Apprise cannot read the address"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "json://127.0.0.1:1/secret"])
def test_errors_do_not_repeat_addresses(url: str) -> None:
    with pytest.raises(NotDeliveredError) as caught:
        delivery.send(url, "a notice", {"event": "failed", "job": "3f"})
    assert "secret" not in str(caught.value)


def test_unknown_events_are_refused() -> None:
    with pytest.raises(OptionError, match="unknown event 'done'; known: finished, failed, budget"):
        load({"VOXCHORD_NOTIFY_ON": "failed,done"})


def test_services_notify_and_never_wait(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answering.clear()
    settings = Settings(
        state=tmp_path,
        engine="mischief",
        engines={"mischief": "tests.faults.mischief:Mischief"},
        notify=receiver.url,
    )
    with LocalService(settings, concurrency=1, spawn=forked.spawn) as local:
        app = make_app(settings, local.broker_url)
        began = time.monotonic()
        for word, good in (("faulty", False), ("", True)):
            kwargs = {"script": f"Anna: velvet {word} curtains."}
            result = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
            if good:
                result.get(timeout=60)
            else:
                with pytest.raises(Exception, match="segment 0"):
                    result.get(timeout=60)
        assert time.monotonic() - began < 4 + 60
        assert receiver.bodies == [], "both jobs ended before the receiver answered"
        receiver.answering.set()
        until(lambda: len(receiver.bodies) == 2, timeout_s=60)
        results.close(app)
    assert [body["event"] for body in receiver.bodies] == ["failed", "finished"]
    assert "velvet" not in json.dumps(receiver.bodies)
    logs = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "secret" not in logs
