"""Tests that hold the documentation to the code: commands, settings, names, links, figures."""

import re
import shlex
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app
from db.queries import catalog
from deploy import settings_page
from pipeline.engines.registry import ENGINES
from pipeline.file_formats import AUDIO_FORMATS
from pipeline.planning.request import ON_ERROR, JobOptions
from tasks.broker.queues import QUEUES
from tasks.settings import PREFIX, Settings
from tests.markdown import ROOT, Page, pages

PAGES = pages()
README = Page(ROOT / "README.md")
BENCHMARKS = Page(ROOT / "docs" / "benchmarks.md")
COMMANDS: Any = get_command(app)
PROGRAM = re.compile(r"(?:python |\.venv/bin/python )?voxchord\.py ?(.*)")
every_page = pytest.mark.parametrize("page", PAGES, ids=str)


# -- structure ---------------------------------------------------------------------------------------------


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [README.path]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            targets = [(path.parent / link.partition("#")[0]).resolve() for link in Page(path).links]
            waiting += [target for target in targets if target.suffix == ".md"]
    assert {page.path for page in PAGES} <= reached


@every_page
def test_links_and_anchors_resolve(page: Page) -> None:
    for link in page.links:
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.exists(), link
        assert not anchor or anchor in Page(target).anchors, link


def test_the_readme_is_short() -> None:
    assert 110 <= len(README.text.splitlines()) <= 130
    assert 700 <= len(README.text.split()) <= 900
    assert [text for text in README.paragraphs if len(text.split()) >= 50] == []


def test_folders_in_the_readme_exist() -> None:
    rows = re.findall(r"^\| (`\w+/`(?:, `\w+/`)*) \|", README.text, re.MULTILINE)
    folders = re.findall(r"`(\w+)/`", " ".join(rows))
    assert {"tasks", "pipeline", "db", "cli", "bench", "deploy", "docs", "tests"} <= set(folders)
    assert [name for name in folders if not (ROOT / name).is_dir()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=str)
def test_paths_exist(page: Page) -> None:
    roots = "tasks|pipeline|db|cli|bench|deploy|tests|examples|docs"
    for path in re.findall(rf"`((?:{roots})/[\w./-]*)`", page.prose):
        assert (ROOT / path).exists(), path


# -- commands ----------------------------------------------------------------------------------------------


def parse_arguments(arguments: list[str]) -> None:
    """Parse a command line of the program without running it; a wrong one raises a usage error."""
    command = COMMANDS
    while hasattr(command, "commands"):
        if not arguments or arguments == ["--help"]:
            return
        name, *arguments = arguments
        assert name in command.commands, name
        command = command.commands[name]
    if arguments or not any(parameter.required for parameter in command.params):
        command.make_context(command.name, arguments)  # a name alone stands for the command itself


@every_page
def test_commands_of_the_program_parse(page: Page) -> None:
    for line in page.commands:
        found = PROGRAM.search(line)
        if found:
            parse_arguments(shlex.split(found[1].partition(" …")[0]))


@every_page
def test_inline_commands_parse(page: Page) -> None:
    """Inline code such as `worker --cpu 4` or `stats sizing` is a command line without the program."""
    for span in page.spans:
        words = span.split()
        if len(words) > 1 and words[0] in COMMANDS.commands and "=" not in words[1]:
            parse_arguments(words)


@every_page
def test_make_targets_exist(page: Page) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for line in page.commands for name in re.findall(r"^make ([a-z-]+)", line)}
    assert named <= targets


@every_page
def test_modules_that_are_run_exist_with_their_options(page: Page) -> None:
    for line in page.commands:
        for module, rest in re.findall(r"python -m ((?:bench|deploy)[\w.]*)(.*)", line):
            if module != "bench.NAME":
                check_module(module, rest)
        for module, rest in re.findall(r"^(bench\.\w+)( --.*)?$", line):
            check_module(module, rest)


def check_module(module: str, rest: str) -> None:
    spec = find_spec(module)
    assert spec, module
    own = Path(spec.origin or "")
    sources = own.parent.rglob("*.py") if own.name == "__init__.py" else [own]
    helpers = (ROOT / "bench" / "harness").glob("*.py")
    text = "".join(path.read_text() for path in (*sources, *helpers))
    for option in re.findall(r"--[\w-]+", rest):
        assert f'"{option}"' in text, f"{module} {option}"


@every_page
def test_queries_and_their_parameters_exist(page: Page) -> None:
    for line in page.commands:
        for query, given in re.findall(r"\bstats (\w+)((?: -p \w+=[\w.]+)*)", line):
            assert set(re.findall(r"-p (\w+)=", given)) <= set(catalog.parameters(query))


def test_every_query_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", Page(ROOT / "docs/history.md").text, re.MULTILINE)
    assert set(catalog.names()) <= set(rows)


# -- names -------------------------------------------------------------------------------------------------


@every_page
def test_settings_exist(page: Page) -> None:
    known = {PREFIX + entry.name.upper() for entry in fields(Settings)}
    assert set(re.findall(r"VOXCHORD_[A-Z_]+", page.text)) - {PREFIX} <= known


@every_page
def test_tasks_and_queues_exist(page: Page) -> None:
    queues = {*QUEUES, "gpu.<host>.<n>", "gpu.<host>.0"}
    tasks = {task for names in QUEUES.values() for task in names}
    for span in page.spans:
        assert not re.fullmatch(r"(cpu|gpu)\.[\w<>.]+", span) or span in queues, span
        assert not re.fullmatch(r"voxchord\.(?!py$|unacked|received)[a-z]+", span) or span in tasks, span


def test_the_api_page_names_every_task_queue_option_format_and_engine() -> None:
    page = Page(ROOT / "docs" / "api.md")
    engines = [name for name, place in ENGINES.items() if place.startswith("pipeline.")]
    tasks = [task for names in QUEUES.values() for task in names]
    for name in (*QUEUES, *tasks, *AUDIO_FORMATS, *ON_ERROR, *engines, *JobOptions.__slots__):
        assert name in page.spans, name


def test_the_settings_page_is_the_generated_one() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_the_nodes_lines_are_lines_of_the_example() -> None:
    program = [line.strip() for line in (ROOT / "examples/node/render.mjs").read_text().splitlines()]
    shown = [line for page in PAGES for block in page.code("js") for line in block.splitlines()]
    assert shown
    assert [line for line in shown if line.strip() not in program] == []


@every_page
def test_python_code_compiles(page: Page) -> None:
    for block in page.code("python"):
        compile(block, page.name, "exec")


# -- figures -----------------------------------------------------------------------------------------------


def test_every_row_of_figures_names_its_command() -> None:
    machines, *tables = BENCHMARKS.tables
    names = {row["machine"].split()[0] for row in machines}
    for row in (row for table in tables for row in table):
        module = re.fullmatch(r"`bench\.(\w+)( [^`]+)?`", row["command"])
        assert module, row
        assert find_spec(f"bench.{module[1]}"), row
        assert row.get("machine", "A") in names, row


@every_page
def test_benches_exist(page: Page) -> None:
    for name in re.findall(r"\bbench\.(\w+)", page.text):
        assert name == "NAME" or find_spec(f"bench.{name}"), name
