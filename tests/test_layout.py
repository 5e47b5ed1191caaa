"""Tests of the layout: folders stay small enough to find a module by its name, and tests import no tests."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES_MAX = 15
FOLDERS = sorted(
    {
        init.parent
        for package in ("cli", "db", "pipeline", "tasks", "web")
        for init in (ROOT / package).rglob("__init__.py")
    }
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_holds_few_modules(folder: Path) -> None:
    modules = [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]
    assert len(modules) <= MODULES_MAX, sorted(modules)


def imported(module: Path) -> set[str]:
    return {
        node.module or ""
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ImportFrom)
    }


def test_what_tests_share_is_in_modules_of_its_own() -> None:
    modules = [path for package in ("tests", "bench") for path in (ROOT / package).rglob("*.py")]
    found = {path: {name for name in imported(path) if ".test_" in f".{name}"} for path in modules}
    own = {path: names for path, names in found.items() if names}
    assert own == {}
