"""Tests that hold the language: how docstrings open, and which words name modules and ideas."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.markdown import ROOT, Page, pages

PACKAGES = ("tasks", "pipeline", "db", "cli", "bench", "deploy", "tests")
QUESTIONS = {
    *("What", "Whether", "How", "Who", "Whose", "Whom", "Why", "Of", "As", "Where", "When", "Which"),
}
"""Words that open a question or a clause, where a verb phrase or a noun phrase should stand."""
QUESTIONS_MAX = {"tasks": 0, "pipeline": 0, "db": 0, "cli": 0, "bench": 0, "deploy": 0, "tests": 0}
"""Docstrings that still open so. These numbers only fall."""
OLD_NAMES = {
    *("bugs", "showing", "announce", "pause", "tries", "standstill", "reminder", "sweeper", "patience"),
    *("exits", "story", "joins", "finish", "formants", "loads", "teams", "lazy", "writing", "compiling"),
    *("native", "door", "wrecks"),
}
"""Module names that said too little; each has been replaced by the field's term."""
OLD_WORDS = re.compile(
    r"\b(in vain|set aside|sets aside|wreck\w*|patience|dear|dearest|comes? to nothing|came to nothing|"
    r"what stands|hands? back what)\b",
    re.IGNORECASE,
)
"""Words of a private vocabulary: failed, quarantined, orphaned, retry, expensive, existing, requeue."""


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def docstrings(path: Path) -> Iterator[str]:
    """Docstrings of a module, its classes and functions, and of the names that a string follows."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_open_with_a_verb_or_noun_phrase(package: str) -> None:
    opened = [(path.name, text) for path in modules(package) for text in docstrings(path)]
    found = [f"{name}: {text.splitlines()[0]}" for name, text in opened if text.split()[0] in QUESTIONS]
    assert len(found) <= QUESTIONS_MAX[package], "\n".join(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_have_the_fields_names(package: str) -> None:
    names = {part for path in modules(package) for part in path.relative_to(ROOT).with_suffix("").parts}
    assert names & OLD_NAMES == set()


@pytest.mark.parametrize("page", pages(), ids=str)
def test_pages_use_the_fields_words(page: Page) -> None:
    assert OLD_WORDS.findall(page.text) == []
