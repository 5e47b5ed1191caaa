"""Latency and memory of the HTTP service.

    python -m bench.http                  # about eight minutes on two cores, five of them with slow readers
    python -m bench.http --only-readers   # six minutes
    python -m bench.http --readers-s 60

`ttfb_p50_ms` and `ttfb_p95_ms` are the time from the request to the first byte of audio, by clients at once
and words. Every request has a text of its own, so that nothing comes from the store; between two requests the
service is idle. A stream of 10,000 words is left after its first bytes, which cancels its job.

`direct_ratio` is the time of a whole stream against `voxchord.render` of the same script to the same format.
`jobs_created_per_s` counts answers 201 to `POST /v1/audio/jobs` with one sentence each, by 16 clients at
once, each with a connection per request. It covers the check of the request, the job's record in the store
and the message to the broker, while workers plan and render earlier jobs; `jobs_planned_per_s` counts the
same jobs until the last one has its plan.

`rss_per_stream_bytes` is what the server's memory grows by for each of 200 readers of 4 kB/s in five
minutes, `others_p50_ms` the time to the first byte of other clients once all of them read,
`others_alone_p50_ms` that of the same clients before,
`readers_started_s` the time until then, and `readers_lost` the number of those whose stream broke off. A
reader that is answered 429 comes again after the time of `Retry-After`; `readers_busy` counts such answers.
"""

import argparse
import http.client
import itertools
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.harness.http_service import HttpService, http_service, warm_up
from bench.harness.prose import turns
from bench.harness.waiting import until

READERS = 200
_READ_BYTES = 4000
_READ_S = 1.0
_DIRECT_WORDS = 2000
_ALONE = 20
_seeds = itertools.count(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12, help="Requests of each kind.")
    parser.add_argument("--readers", type=int, default=READERS, help="Slow readers at once.")
    parser.add_argument("--readers-s", type=int, default=300, help="Time for which they read.")
    parser.add_argument("--only-readers", action="store_true", help="Measure the slow readers alone.")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="voxchord-bench-"))
    try:
        with http_service(folder / "state") as service:
            if given.only_readers:
                warm_up(service)
                print(json.dumps(slow_readers(service, given.readers, given.readers_s)))
            else:
                print(json.dumps(measured(service, given.rounds, given.readers, given.readers_s)))
    finally:
        shutil.rmtree(folder)


def measured(service: HttpService, rounds: int, readers: int, readers_s: float) -> dict[str, Any]:
    """Measure a service that nobody else uses."""
    warm_up(service)
    waits = {
        "1": {"100": one_by_one(service, 100, rounds), "10000": one_by_one(service, 10_000, rounds)},
        "8": {"100": at_once(service, 8, 100, max(2, rounds // 3))},
    }
    return {
        "ttfb_p50_ms": {n: {w: percentile(s, 50) for w, s in by.items()} for n, by in waits.items()},
        "ttfb_p95_ms": {n: {w: percentile(s, 95) for w, s in by.items()} for n, by in waits.items()},
        "direct_ratio": direct_ratio(service),
        **jobs_per_s(service),
        **slow_readers(service, readers, readers_s),
    }


def text(words: int) -> str:
    """Prose of its own of about that many words."""
    parts: list[str] = []
    count = 0
    for _, part in turns(next(_seeds), 2):
        parts.append(part)
        count += len(part.split())
        if count >= words:
            return "\n\n".join(" ".join(parts[start : start + 4]) for start in range(0, len(parts), 4))
    raise AssertionError("turns have no end")


@contextmanager
def stream(service: HttpService, words: str, **fields: Any) -> Iterator[http.client.HTTPResponse]:
    """An open response."""
    body = {"model": "tts-1", "voice": "alloy", "input": words, **fields}
    with closing(service.connection(600)) as connection:
        connection.request("POST", "/v1/audio/speech", json.dumps(body), service.base)
        with connection.getresponse() as response:
            if response.status == 429:
                raise Busy(float(response.headers["Retry-After"]))
            assert response.status == 200, response.read()
            yield response


class Busy(Exception):
    """The service answered 429."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


def first_byte_s(service: HttpService, words: str, *, whole: bool) -> float:
    """Time to the first byte; the rest is read, or the client goes away."""
    began = time.perf_counter()
    with stream(service, words) as response:
        assert response.read(1)
        waited_s = time.perf_counter() - began
        if whole:
            response.read()
    return waited_s


def idle(service: HttpService) -> None:
    """Wait until no job is open."""
    opened = service.settings.state / "store" / "open"
    until(lambda: not any(opened.iterdir()), timeout_s=120)
    time.sleep(0.3)


def one_by_one(service: HttpService, words: int, rounds: int) -> list[float]:
    waits = []
    for _ in range(rounds):
        idle(service)
        waits.append(first_byte_s(service, text(words), whole=words <= 1000))
    return waits


def at_once(service: HttpService, clients: int, words: int, rounds: int) -> list[float]:
    waits: list[float] = []
    for _ in range(rounds):
        idle(service)
        texts = [text(words) for _ in range(clients)]
        with ThreadPoolExecutor(clients) as pool:
            waits += pool.map(lambda each: first_byte_s(service, each, whole=True), texts)
    return waits


def direct_ratio(service: HttpService) -> float:
    """Time of a whole stream against the task, the median of three."""
    from celery import Celery

    ratios = []
    app = Celery(broker=service.settings.broker_url, backend=service.settings.broker_url)
    for _ in range(3):
        idle(service)
        direct_s = _timed(lambda words: _render(app, words))
        idle(service)
        ratios.append(_timed(lambda words: _stream_whole(service, words)) / direct_s)
    app.close()
    return round(statistics.median(ratios), 3)


def _timed(work: Callable[[str], object]) -> float:
    words = text(_DIRECT_WORDS)
    began = time.perf_counter()
    work(words)
    return time.perf_counter() - began


def _render(app: Any, words: str) -> object:
    kwargs = {
        "script": words,
        "voices": {"Narrator": "wren"},
        "options": {"form": "markdown", "format": "mp3"},
    }
    return app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get()


def _stream_whole(service: HttpService, words: str) -> object:
    with stream(service, words) as response:
        return response.read()


def jobs_per_s(service: HttpService, clients: int = 16, count: int = 192) -> dict[str, float]:
    """Rates at which long jobs are created and planned."""
    idle(service)
    texts = [f"{text(8).split('.')[0]}, number {number}." for number in range(count)]
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        jobs = list(pool.map(lambda each: _created(service, each), texts))
    created_s = time.perf_counter() - began
    for job in jobs:  # an earlier one that is planned later delays the check, and not the work
        until(partial(_is_planned, service, job), timeout_s=300, every_s=0.1)
    planned_s = time.perf_counter() - began
    return {
        "jobs_created_per_s": round(count / created_s, 1),
        "jobs_planned_per_s": round(count / planned_s, 1),
    }


def _created(service: HttpService, words: str) -> str:
    answer = service.ask("POST", "/v1/audio/jobs", {"input": words, "voice": "alloy"})
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


def _is_planned(service: HttpService, job: str) -> bool:
    answer = service.ask("GET", f"/v1/audio/jobs/{job}")
    assert answer.status == 200, answer.body
    return str(answer.json["status"]) != "queued"


@dataclass(slots=True)
class _Readers:
    """Slow readers of one text."""

    words: str
    reading: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each reader that has its first byte, or is lost before."""
    ended: threading.Event = field(default_factory=threading.Event)
    busy: list[float] = field(default_factory=list)
    """Seconds after which a reader was told to come again."""
    lost: list[str] = field(default_factory=list)


def slow_readers(service: HttpService, readers: int, seconds: float) -> dict[str, Any]:
    """Memory of the server with many slow readers of one long text, and the latency of others meanwhile."""
    alone = one_by_one(service, 100, _ALONE)
    idle(service)
    process = service.process()
    before = process.memory_info().rss
    state = _Readers(text(6000))
    threads = [threading.Thread(target=_slowly, args=(service, state)) for _ in range(readers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for _ in threads:
        state.reading.acquire()
    started_s = time.perf_counter() - began
    peak, others, until_s = before, list[float](), time.monotonic() + seconds
    while time.monotonic() < until_s:
        others.append(first_byte_s(service, text(100), whole=True))
        peak = max(peak, process.memory_info().rss)
        time.sleep(2)
    state.ended.set()
    for thread in threads:
        thread.join()
    return {
        "rss_per_stream_bytes": round((peak - before) / readers),
        "rss_before_bytes": before,
        "readers": readers,
        "readers_started_s": round(started_s, 1),
        "readers_busy": len(state.busy),
        "readers_lost": len(state.lost),
        "readers_s": seconds,
        "others_alone_p50_ms": percentile(alone, 50),
        "others_alone_p95_ms": percentile(alone, 95),
        "others_p50_ms": percentile(others, 50),
        "others_p95_ms": percentile(others, 95),
    }


def _slowly(service: HttpService, readers: _Readers) -> None:
    try:
        with ExitStack() as stack:
            try:
                response = _opened(stack, service, readers)
                response.read(1)
            finally:
                readers.reading.release()
            while not readers.ended.is_set() and response.read(_READ_BYTES):
                readers.ended.wait(_READ_S)
    except (OSError, http.client.HTTPException, AssertionError) as error:
        readers.lost.append(repr(error))
        print(f"a reader was lost: {error!r}", flush=True)


def _opened(stack: ExitStack, service: HttpService, readers: _Readers) -> http.client.HTTPResponse:
    """Open a stream, at the latest when the service is no longer busy."""
    while True:
        try:
            return stack.enter_context(stream(service, readers.words, response_format="pcm"))
        except Busy as busy:
            readers.busy.append(busy.retry_after_s)
            time.sleep(busy.retry_after_s)


def percentile(seconds: list[float], percent: int) -> float:
    """Percentile in milliseconds."""
    if len(seconds) < 2:
        return round(1000 * seconds[0], 1)
    return round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 1)


if __name__ == "__main__":
    main()
