"""Golden tests of published names in `contract.json`. Names may be added, but not removed."""

import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app as command_line
from pipeline import errors
from tasks.app import app
from tasks.broker.queues import QUEUES
from tasks.orchestration.chord import SegmentRef
from tasks.settings import PREFIX, Settings

CONTRACT = json.loads((Path(__file__).parent / "contract.json").read_text())


def commands(group: Any, prefix: str = "") -> dict[str, set[str]]:
    """Arguments and options of every command."""
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, f"{prefix}{name} ")
        else:
            found[prefix + name] = {word for each in command.params for word in words(each)}
    return found


def words(parameter: Any) -> list[str]:
    if parameter.param_type_name == "argument":
        return [parameter.name]
    return [*parameter.opts, *parameter.secondary_opts]


def arguments(task: Any) -> list[str]:
    """Names of a task's arguments, with `**` for the rest."""
    found = inspect.signature(task.run).parameters.values()
    return [f"**{each.name}" if each.kind is each.VAR_KEYWORD else each.name for each in found]


def test_tasks_and_their_arguments() -> None:
    app.loader.import_default_modules()
    ours = {name: arguments(task) for name, task in app.tasks.items() if name.startswith("voxchord.")}
    assert ours == CONTRACT["tasks"]


def test_fields_of_segment_messages() -> None:
    assert list(SegmentRef.__annotations__) == ["job", "segment", "ok", "error", "take"]


def test_queues_and_what_they_carry() -> None:
    assert {queue: sorted(tasks) for queue, tasks in QUEUES.items()} == CONTRACT["queues"]


def test_settings() -> None:
    assert set(CONTRACT["settings"]) <= {PREFIX + field.name.upper() for field in fields(Settings)}


@pytest.mark.parametrize("command", CONTRACT["commands"])
def test_arguments_and_options_of_commands(command: str) -> None:
    assert set(CONTRACT["commands"][command]) <= commands(typer.main.get_command(command_line))[command]


@pytest.mark.parametrize("name", CONTRACT["errors"])
def test_errors_keep_their_module_in_results(name: str) -> None:
    assert getattr(errors, name).__module__ == "pipeline.errors"
