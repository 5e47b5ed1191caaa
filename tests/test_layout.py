"""Tests of the layout: folders stay small enough to find a module by its name, and tests import no tests."""

import ast
import re
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


def imported(text: str) -> set[str]:
    return {node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}


def test_what_tests_share_is_in_modules_of_its_own() -> None:
    modules = [path for package in ("tests", "bench") for path in (ROOT / package).rglob("*.py")]
    texts = {path: path.read_text() for path in modules}
    candidates = {path: text for path, text in texts.items() if re.search(r"from\b.*\btest_", text)}
    found = {
        path: {name for name in imported(text) if ".test_" in f".{name}"} for path, text in candidates.items()
    }
    own = {path: names for path, names in found.items() if names}
    assert own == {}
