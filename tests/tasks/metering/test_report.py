import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench.harness.rows import history
from cli.commands.report import report
from cli.commands.stats import stats
from cli.commands.trim import trim
from db.database import open_database, writing
from db.ingest import rows

app = typer.Typer()
app.command()(stats)
app.command()(report)
app.command()(trim)


IN_2096 = 4_000_000_000
"""Start of a month whose hours are not over."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File with a month of history; a label of job-3 contains markup."""
    path = tmp_path_factory.mktemp("filled") / "history.db"
    engine = open_database(f"sqlite:///{path}")
    month = [row | {"worker": "<script>alert(1)</script>@h"} for row in history(2_000, newest=IN_2096)]
    with writing(engine) as connection:
        lines = (json.dumps({"t": "task_run", "r": row}).encode() for row in month)
        rows.insert(connection, "task_run", [rows.parse(line)[1] for line in lines])
        job = {"id": "job-3", "state": "FAILED", "error": "<b>no</b> voice", "audio_s": 60.0}
        rows.insert(connection, "job", [job])
    engine.dispose()
    return path


@pytest.fixture
def folder(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State folder with a copy of the history."""
    monkeypatch.setenv("VOXCHORD_STATE", str(tmp_path))
    shutil.copy(filled, tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


class Page(HTMLParser):
    """Collects the links and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_reports_are_self_contained(folder: Path) -> None:
    run("report", "job-3", "-o", str(folder / "report.html"))
    text = (folder / "report.html").read_text()
    page = Page(text)
    assert page.asked == []
    assert not re.search(r"https?:|@import|url\(", text)
    assert "script" not in page.tags
    assert "b" not in page.tags or "<b>no</b>" not in text
    for title in ("Findings", "Timeline", "Stages", "Segments", "Totals"):
        assert title in page.words


def test_reports_draw_every_attempt_on_a_lane(folder: Path) -> None:
    run("report", "job-3", "-o", str(folder / "report.html"))
    text = (folder / "report.html").read_text()
    assert len(re.findall(r"<title>[^<]*ran [^<]*</title></rect>", text)) == 400


def test_unknown_jobs_are_errors(folder: Path) -> None:
    result = CliRunner().invoke(app, ["report", "nothing"])
    assert result.exit_code == 3
    assert "no attempts of job 'nothing'" in result.stderr


def test_ambiguous_job_ids_are_refused(folder: Path) -> None:
    result = CliRunner().invoke(app, ["report", "job-"])
    assert result.exit_code == 3
    assert "5 job IDs start with" in result.stderr


def test_stats_prints_json_and_csv(folder: Path) -> None:
    found = json.loads(run("stats", "job", "-p", "job=job-3", "--json"))
    assert {row["task_name"] for row in found} == {
        "voxchord.text",
        "voxchord.semantic",
        "voxchord.diffusion",
        "voxchord.stitch",
        "voxchord.verify",
    }
    lines = list(csv.DictReader(run("stats", "job", "-p", "job=job-3", "--csv").splitlines()))
    assert [line["task_name"] for line in lines] == [row["task_name"] for row in found]


def test_wide_results_fit_the_terminal(folder: Path) -> None:
    lines = run("stats", "job", "-p", "job=job-3").splitlines()
    assert max(map(len, lines)) <= 80
    assert any("slots mean" in line for line in lines)


def test_stats_lists_all_queries(folder: Path) -> None:
    assert {entry["name"] for entry in json.loads(run("stats", "--json"))} >= {"speed", "job", "memory"}
    assert "How fast is each engine?" in " ".join(run("stats").replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sped"], "unknown query 'sped'"),
        (["speed", "-p", "weeks=1"], "unknown parameter weeks; speed has days"),
        (["speed", "-p", "days"], "must be NAME=VALUE"),
    ],
)
def test_invalid_queries_are_usage_errors(folder: Path, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["stats", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr


def test_trim_reports_its_work(folder: Path) -> None:
    assert json.loads(run("trim", "--json")) == {
        "hours_summed": 0,
        "attempts_deleted": 0,
        "samples_deleted": 0,
    }
    assert "0 hours aggregated, 0 attempts" in run("trim")
