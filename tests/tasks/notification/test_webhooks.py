"""Webhooks of jobs: signed, to allowed hosts only, and never to a private address that the DNS names."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.harness.silence import Silence
from bench.harness.waiting import until
from db.ingest.spool import Spool
from pipeline.errors import OptionError, SegmentError
from pipeline.jobs import outbox
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import Outbox
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.notification.errors import NotDeliveredError
from tasks.notification.notifier import Notifier
from tasks.notification.webhooks import Webhooks
from tasks.orchestration.job_rows import JobRows
from tasks.settings import load

SECRET = "a secret of the operator"  # noqa: S105 - of these tests
OWNER, RUN = "a" * 32, "b" * 32
FACTS = {"event": "failed", "job": "3f", "at_s": 1_800_000_000.5, "run": 1, "error": "segment 0: a fault"}


@dataclass
class Receiver:
    """An HTTP server that records requests, and may refuse or redirect them."""

    port: int = 0
    status: int = 200
    location: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=t0ken"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found.port = server.server_port
    yield found
    server.shutdown()
    server.server_close()


def allowed(*hosts: str) -> Webhooks:
    return Webhooks(hosts, SECRET)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Store(str(tmp_path / "store")))


def planned(jobs: Jobs, **options: str) -> Plan:
    own, rest = split_options(options, engine="silence")
    engine = Silence()
    request = checked(parse("Anna: velvet."), {}, own, rest, engine=engine, registered=Voices(jobs.store))
    return jobs.plans.create(request, engine.profile)


@pytest.fixture
def rows(jobs: Jobs, tmp_path: Path) -> Iterator[JobRows]:
    spool = Spool(tmp_path / "spool")
    yield JobRows(spool, jobs.coordination, jobs.actions, ())
    spool.close()


# -- delivery ----------------------------------------------------------------------------------------------


def test_openais_client_verifies_the_signature(receiver: Receiver) -> None:
    webhooks = allowed(f"127.0.0.1:{receiver.port}")
    webhooks.send(receiver.url, "3f.1.failed", FACTS, f"{OWNER}/{RUN}/my-book")
    ((headers, body),) = receiver.received
    from openai import OpenAI

    client = OpenAI(api_key="k", webhook_secret=webhooks.secret_of(OWNER))
    client.webhooks.verify_signature(body, headers, tolerance=10**9)
    with pytest.raises(Exception, match="signature"):
        client.webhooks.verify_signature(body, headers, secret=webhooks.secret_of("c" * 32), tolerance=10**9)
    with pytest.raises(Exception, match="signature"):
        client.webhooks.verify_signature(body + b" ", headers, tolerance=10**9)
    assert json.loads(body) == {
        "id": "3f.1.failed",
        "object": "event",
        "type": "audio.job.failed",
        "created_at": 1_800_000_000,
        "data": {"id": "my-book", "job": "3f", "error": "segment 0: a fault"},
    }
    assert headers["webhook-id"] == "3f.1.failed"


def test_secrets_of_owners_differ_and_say_nothing_of_the_operators() -> None:
    webhooks = allowed("hooks.example.com")
    secrets = {webhooks.secret_of(owner) for owner in (OWNER, RUN, "")}
    assert len(secrets) == 3
    assert all(SECRET not in secret for secret in secrets)
    assert SECRET not in repr(webhooks)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.location = status, f"http://127.0.0.1:{receiver.port}/private"
    with pytest.raises(NotDeliveredError, match=f"127.0.0.1 answers {status}"):
        allowed(f"127.0.0.1:{receiver.port}").send(receiver.url, "n", FACTS)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["93.184.215.14", "127.0.0.1"],
        ["0.0.0.0"],  # noqa: S104 - refused
        ["224.0.0.1"],
    ],
)
def test_a_name_with_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    """The resolver is another project's; nothing listens on these names."""

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (address, port)) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NotDeliveredError, match=r"hooks\.example\.com has an address that is not public"):
        allowed("hooks.example.com").send("https://hooks.example.com/x", "n", FACTS)


def test_a_real_name_of_loopback_is_refused(receiver: Receiver) -> None:
    with pytest.raises(NotDeliveredError, match="localhost has an address that is not public"):
        allowed("localhost").send(f"https://localhost:{receiver.port}/", "n", FACTS)
    assert receiver.received == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://evil.example.net/", "does not allow"),
        ("https://hooks.example.com.evil.net/", "does not allow"),
        ("https://example.org/", "does not allow"),
        ("https://127.0.0.1/", "does not allow"),
        ("http://127.0.0.1:9001/", "does not allow"),
        ("http://2130706433:9000/", "does not allow"),
        ("http://0x7f.1:9000/", "does not allow"),
        ("http://[::ffff:127.0.0.1]:9000/", "does not allow"),
        ("http://hooks.example.com/", "must be an https address"),
        ("https://user:word@hooks.example.com/", "is not an http or https address"),
        ("https://hooks.example.com\\@evil.net/", "is not an http or https address"),
        ("https://hooks.example.com/#x", "is not an http or https address"),
        ("ftp://hooks.example.com/", "is not an http or https address"),
        ("https://hooks.example.com:port/", "is not an http or https address"),
        ("https://hooks.example.com/" + "a" * 2000, "is not an http or https address"),
        ("https:///hook", "is not an http or https address"),
    ],
)
def test_other_addresses_are_refused(url: str, reason: str) -> None:
    webhooks = allowed("hooks.example.com", "*.example.org", "127.0.0.1:9000")
    assert reason in str(webhooks.problem(url))
    with pytest.raises(NotDeliveredError, match="webhook"):
        webhooks.send(url, "n", FACTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "https://HOOKS.example.com:8443/",
        "https://a.b.example.org/",
        "http://127.0.0.1:9000/",
    ],
)
def test_allowed_addresses_are_accepted(url: str) -> None:
    assert allowed("hooks.example.com", "*.example.org", "127.0.0.1:9000").problem(url) is None


def test_webhooks_are_off_without_hosts_or_a_secret() -> None:
    for off in (Webhooks((), SECRET), Webhooks(("hooks.example.com",), "")):
        assert "until the operator sets" in str(off.problem("https://hooks.example.com/"))
    with pytest.raises(OptionError, match="VOXCHORD_WEBHOOK_SECRET"):
        load({"VOXCHORD_WEBHOOK_HOSTS": "hooks.example.com", "VOXCHORD_WEBHOOK_SECRET": "short"})


# -- the outbox --------------------------------------------------------------------------------------------


def test_a_jobs_webhook_gets_its_outcomes_and_the_operators_address_none(
    jobs: Jobs, rows: JobRows, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT_S", 0.01)
    plan = planned(jobs, webhook=receiver.url, namespace=f"{OWNER}/{RUN}/my-book")
    webhooks = allowed(f"127.0.0.1:{receiver.port}")
    notifier = Notifier(jobs, ["http://127.0.0.1:1/operator"], (), 0, webhooks)
    rows.failed(plan, SegmentError(0, 1, "a fault"))
    receiver.status = 500
    notifier.check()
    receiver.status = 200
    (notice,) = until(lambda: list(Outbox(jobs.store).due()))
    assert notice.failures == 1
    while list(Outbox(jobs.store).due()):
        notifier.check()
    assert len(receiver.received) == 2
    headers, body = receiver.received[-1]
    from openai import OpenAI

    OpenAI(api_key="k").webhooks.verify_signature(body, headers, secret=webhooks.secret_of(OWNER))
    content = json.loads(body)
    assert (content["type"], content["data"]["id"]) == ("audio.job.failed", "my-book")
    jobs.coordination.reopen(plan.job)
    rows.finished(plan, {"duration_s": 2.0, "speed": 3.0, "segments": 1, "gaps": [], "state": "done"})
    notifier.check()
    assert json.loads(receiver.received[-1][1])["type"] == "audio.job.completed"
    assert "velvet" not in str(receiver.received)


def test_a_host_that_is_no_longer_allowed_gets_nothing(jobs: Jobs, rows: JobRows, receiver: Receiver) -> None:
    plan = planned(jobs, webhook=receiver.url)
    rows.failed(plan, SegmentError(0, 1, "a fault"))
    Notifier(jobs, (), (), 0, allowed("elsewhere.example.com")).check()
    assert receiver.received == []


def test_namespaces_are_jobs_of_their_own_with_shared_segments(jobs: Jobs) -> None:
    plain = planned(jobs)
    own = [planned(jobs, namespace=f"{owner}/{RUN}/a") for owner in (OWNER, RUN)]
    assert len({plain.job, *(plan.job for plan in own)}) == 3
    assert {segment.key for plan in own for segment in jobs.plans.segments(plan)} == {
        segment.key for segment in jobs.plans.segments(plain)
    }


@pytest.mark.parametrize(
    "value", ["x", f"{OWNER}/{RUN}/../x", f"{OWNER}/{RUN}/", f"{OWNER}/{RUN}/{'a' * 65}"]
)
def test_other_namespaces_are_refused(value: str) -> None:
    with pytest.raises(OptionError, match="namespace"):
        split_options({"namespace": value}, engine="silence")


def test_a_refused_webhook_is_not_repeated_in_the_error() -> None:
    with pytest.raises(OptionError) as caught:
        split_options({"webhook": "secret-token"}, engine="silence")
    assert "secret-token" not in str(caught.value)
