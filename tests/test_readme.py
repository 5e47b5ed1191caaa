"""What the README says of settings, options, commands and benches is what is there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from db import queries
from pipeline.engines.registry import ENGINES
from pipeline.planning.request import FORMATS, ON_ERROR, JobOptions
from tasks.broker.queues import QUEUES
from tasks.settings import PREFIX, VERSION, Settings, load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_setting_has_its_row_with_its_text() -> None:
    rows = dict(re.findall(r"\| `(VOXCHORD_\w+)` \|.*\| (.+) \|", README))
    assert rows == {PREFIX + entry.name.upper(): entry.metadata["doc"] for entry in fields(Settings)}


def test_every_task_queue_option_format_and_engine_is_named() -> None:
    engines = [name for name, place in ENGINES.items() if place.startswith("pipeline.")]  # no test's own
    for name in (*QUEUES, *FORMATS, *ON_ERROR, *engines, *JobOptions.__slots__):
        assert re.search(rf"[`(]{re.escape(name)}[`)]", README), name
    for task in (task.removeprefix("voxchord") for tasks in QUEUES.values() for task in tasks):
        assert f"`{task}`" in README or f"`voxchord{task}`" in README, task


def test_every_command_it_shows_exists() -> None:
    shown = set(re.findall(r"voxchord\.py (\w+)", README))
    assert shown
    assert shown <= set(get_command(app).commands)  # type: ignore[attr-defined]


def test_what_it_shows_of_node_are_lines_of_the_example() -> None:
    program = [line.strip() for line in (ROOT / "examples/node/render.mjs").read_text().splitlines()]
    (shown,) = re.findall(r"```js\n(.*?)```", README, re.DOTALL)
    assert [line for line in shown.splitlines() if line.strip() not in program] == []


def test_every_bench_it_names_exists() -> None:
    for name in re.findall(r"bench\.(\w+)", README):
        assert (ROOT / "bench" / f"{name}.py").exists() or name == "NAME", name


def test_what_the_page_on_sizing_tells_to_run_exists() -> None:
    page = (ROOT / "deploy" / "SIZING.md").read_text()
    for name in re.findall(r"bench\.(\w+)", page):
        assert (ROOT / "bench" / f"{name}.py").exists(), name
    for query, given in re.findall(r"stats (\w+)((?: -p \w+=[\w.]+)*)", page):
        assert set(re.findall(r"-p (\w+)=", given)) <= set(queries.parameters(query))
    for command in re.findall(r"voxchord\.py (\w+)", page):
        assert command in get_command(app).commands  # type: ignore[attr-defined]
    for setting in re.findall(r"VOXCHORD_\w+", page):
        assert setting in {PREFIX + entry.name.upper() for entry in fields(Settings)}


def test_every_folder_it_names_exists() -> None:
    for name in re.findall(r"^\| `(\w+)/`", README, re.MULTILINE):
        assert (ROOT / name).is_dir(), name


def test_the_version_is_one() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()


def test_settings_are_read_from_the_environment_and_bad_ones_refused_by_name() -> None:
    given = load({"VOXCHORD_STALLED_S": "7", "VOXCHORD_METERING": "false", "VOXCHORD_MODELS": "a=/b,c=d/e"})
    assert (given.stalled_s, given.metering, given.models) == (7, False, {"a": "/b", "c": "d/e"})
    for name, value in (("VOXCHORD_STALLED_S", "soon"), ("VOXCHORD_METERING", "maybe"), ("VOXCHORD_NO", "1")):
        with pytest.raises(Exception, match=name):
            load({name: value})
