"""Tests of the layout: folders stay small enough to find a module by its name."""

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
