"""Tests of the reports' pages: every value of the history is escaped, and large jobs take seconds."""

import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest

from bench.harness.rows import attempt
from db.reports import attempts_page, job_page
from db.reports.job_timeline import JobTimeline
from db.schema import task_run

MARKUP = "<script>alert(1)</script>\"'&"
TAGS = {"html", "head", "meta", "title", "style", "body"} | {"h1", "h2", "h3", "p", "div", "span", "b", "i"}
TAGS |= {"ul", "li", "table", "tr", "th", "td"} | {"svg", "rect", "path", "polygon", "polyline"}
SAMPLE = {"at_ms": 500, "gpu_util_pct": 50.0, "gpu_mem_bytes": 1 << 30}
GPU = {"gpu_uuid": f"{MARKUP}-1", "gpu_name": MARKUP, "gpu_active_s": 1.0, "gpu_mem_total_bytes": 80 << 30}
ATTEMPTS = 20_000
COLUMNS = [column.name for column in task_run.columns]


class Page(HTMLParser):
    """Tags, values of attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.values: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def row(number: int, **facts: Any) -> dict[str, Any]:
    """Row of an attempt as a timeline has it."""
    columns = dict.fromkeys(COLUMNS)
    start = 1e9 + number
    times = {"start": start, "end": start + 1, "published": start - 1}
    return {**columns, **attempt(segment=number, audio_s=10.0, queue_wait_s=1.0), **times, **facts}


def timeline(*rows: dict[str, Any], **job: Any) -> JobTimeline:
    samples = {each["attempt_uid"]: [SAMPLE, SAMPLE] for each in rows if each["gpu_uuid"]}
    return JobTimeline({"id": "j", **job}, list(rows), samples, [])


@pytest.mark.parametrize(
    "column", ["task_name", "worker", "state", "gpu_name", "gpu_uuid", "exc_type", "exc_message"]
)
def test_values_of_attempts_are_text_in_a_jobs_report(column: str) -> None:
    page = Page(
        job_page.page(timeline(row(0, **GPU, **{column: MARKUP} if column not in GPU else {}), row(1)))
    )
    assert page.tags <= TAGS
    assert not any("alert" in value for value in page.values)
    assert MARKUP in page.text


@pytest.mark.parametrize("column", ["id", "state", "engine", "format", "error"])
def test_values_of_a_job_are_text_in_its_report(column: str) -> None:
    page = Page(job_page.page(timeline(row(0), **{column: MARKUP})))
    assert page.tags <= TAGS
    assert MARKUP in page.text


def test_takes_of_a_segment_are_in_the_report() -> None:
    verify = {"task_name": "voxchord.verify"}
    page = job_page.page(
        timeline(
            row(0, take=0),
            row(0, take=0, **verify, findings="silence,noise", score=0.25),
            row(0, take=1),
            row(0, take=1, **verify, findings="", score=1.0),
            row(0, take=100),
            row(1, take=0),
            row(1, take=0, **verify, findings="", score=0.75),
        )
    )
    table = page[page.index("<h2>Takes") : page.index("<h2>Segments")]
    cells = [re.findall(r"<td>(.*?)</td>", line) for line in table.splitlines() if "<td>" in line]
    assert cells == [
        ["0", "0", '<span class="bad">failed</span>', "silence, noise", "0.25", "4.0 s", "3.5 s", "the job"],
        ["0", "1", "passed", "–", "1.00", "4.0 s", "3.5 s", "verify"],
        ["0", "100", "not checked", "–", "–", "2.0 s", "1.8 s", "hand"],
    ]


def test_a_report_without_failed_takes_has_no_table_of_them() -> None:
    page = Page(job_page.page(timeline(row(0, take=0), row(0, take=0, findings="", score=1.0))))
    assert "Takes" not in page.text


def test_values_are_text_in_the_page_of_a_task() -> None:
    page = Page(attempts_page.page(MARKUP, [row(0, worker=MARKUP, exc_message=MARKUP)]))
    assert page.tags <= TAGS
    assert page.text.count(MARKUP) == 4, "title, heading and two cells"


def test_a_page_of_a_task_has_only_measured_columns() -> None:
    page = Page(attempts_page.page("t", [row(0, worker="w@h"), row(1)]))
    assert "worker" in page.text.split()
    assert "gpu_uuid" not in page.text.split()


def test_the_largest_report_takes_seconds() -> None:
    """It took ten minutes when every mark searched all attempts for the start of the job."""
    rows = [row(number) for number in range(ATTEMPTS)]
    began = time.process_time()
    page = job_page.page(timeline(*rows))
    assert time.process_time() - began < 30
    assert page.count("<title>diffusion, segment") == ATTEMPTS
    assert "and 19500 faster ones." in page
