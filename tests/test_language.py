"""Tests that hold the language: how docstrings open, and which words name modules and ideas."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.markdown import ROOT, Page, pages

PACKAGES = ("tasks", "pipeline", "db", "web", "cli", "bench", "deploy", "tests")
QUESTIONS = {
    *("What", "Whether", "How", "Who", "Whose", "Whom", "Why", "Of", "As", "Where", "When", "Which"),
}
"""Words that open a question or a clause, where a verb phrase or a noun phrase should stand."""
QUESTION = re.compile(rf"""["'][\s\\]*(?:{"|".join(QUESTIONS)})\s""")
"""Finds a string that opens so, in the text of a module: only modules with one are parsed."""
QUESTIONS_MAX = {"tasks": 0, "pipeline": 0, "db": 0, "web": 0, "cli": 0, "bench": 0, "deploy": 0, "tests": 0}
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
OLD_TERMS = {
    *("told", "standing", "look", "looks", "looked", "kept", "wreck", "wrecks", "patience", "dear", "vain"),
    *("door", "story"),
}
"""Parts of names for which the field has terms: reported, snapshot, check, retained, orphan, retry,
expensive, failed, intake, timeline."""
EXCEPTIONS = {
    "LOOK_AHEAD_S",
    "_look_alikes",
    "test_whole_names_in_look_alike_letters_are_one_speaker",
    "door",
}
"""Terms of the field, and the former name of an option, which stays hidden for one release."""


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def read(package: str) -> list[tuple[Path, str]]:
    return [(path, path.read_text()) for path in modules(package)]


def docstrings(text: str) -> Iterator[str]:
    """Docstrings of a module, its classes and functions, and of the names that a string follows."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node)
            if found:
                yield found


def comments(text: str) -> Iterator[str]:
    """Comments and docstrings, also those of constants and fields; no other strings, which may be scripts."""
    lines = io.StringIO(text).readline
    for token in tokenize.generate_tokens(lines):
        opens_line = not token.line[: token.start[1]].strip()
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and opens_line):
            yield token.string


def names(text: str) -> Iterator[str]:
    """Names of classes, functions, parameters, variables, attributes and imports in a module."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case (
                ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name))
            ):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name


def parts(name: str) -> set[str]:
    """Words of a name.

    >>> sorted(parts("_Wreck")), sorted(parts("is_toldAgain")), sorted(parts("LOOK_S"))
    (['wreck'], ['again', 'is', 'told'], ['look', 's'])
    """
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_open_with_a_verb_or_noun_phrase(package: str) -> None:
    candidates = [(path.name, text) for path, text in read(package) if QUESTION.search(text)]
    opened = [(name, doc) for name, text in candidates for doc in docstrings(text)]
    found = [f"{name}: {doc.splitlines()[0]}" for name, doc in opened if doc.split()[0] in QUESTIONS]
    assert len(found) <= QUESTIONS_MAX[package], "\n".join(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_have_the_fields_names(package: str) -> None:
    rooms = {part for path in modules(package) for part in path.relative_to(ROOT).with_suffix("").parts}
    assert rooms & OLD_NAMES == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_the_fields_terms(package: str) -> None:
    found = {
        (path.name, name)
        for path, text in read(package)
        if any(parts(word) & OLD_TERMS for word in set(re.findall(r"\w+", text)))
        for name in names(text)
        if parts(name) & OLD_TERMS
    }
    assert {(path, name) for path, name in found if name not in EXCEPTIONS} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_comments_and_docstrings_use_the_fields_words(package: str) -> None:
    others = [(path.name, text) for path, text in read(package) if path != Path(__file__)]
    candidates = [(name, text) for name, text in others if OLD_WORDS.search(text)]
    remarks = [(name, remark) for name, text in candidates for remark in comments(text)]
    assert [(name, found[0]) for name, remark in remarks if (found := OLD_WORDS.search(remark))] == []


@pytest.mark.parametrize("page", pages(), ids=str)
def test_pages_use_the_fields_words(page: Page) -> None:
    assert OLD_WORDS.findall(page.text) == []
