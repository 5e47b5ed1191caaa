"""Redaction of refusals: their reasons have line numbers and names, and none of the script's words.

A request may have its words in the wrong place, such as a line of the script as the name of a voice, and an
error would quote it. Reasons are stored, published in events and listed for everyone.
"""

import re
from collections.abc import Collection
from typing import Any

from pipeline.books.reader import book_form, text_of_book
from pipeline.errors import PipelineError

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)+)'|\"((?:[^\"\\]|\\.)+)\"")
_WORD = re.compile(r"[^\W_]+")
_WORDS_MIN = 3
"""A name of a speaker or a voice may be in the script too. So may any two words of a reason."""
_QUOTED_MAX = 80
_HIDDEN = "…"


def without_script(error: PipelineError, script: Any, names: Collection[str]) -> PipelineError:
    """Redact an error about a script.

    Args:
        script: the script as it was sent.
        names: the speakers, whose names may stay however long they are.
    """
    words, shown = _words(_text(script)), frozenset(map(_words, names))

    def redacted(value: Any) -> Any:
        if isinstance(value, str):
            hidden = _is_quote(value, words, shown)
            return _HIDDEN if hidden else _QUOTED.sub(_of_match, value.encode(errors="replace").decode())
        return [redacted(each) for each in value] if isinstance(value, list | tuple) else value

    def _of_match(found: re.Match[str]) -> str:
        hidden = _is_quote(found[1] or found[2], words, shown) or len(found[0]) > _QUOTED_MAX
        return f"{found[0][0]}{_HIDDEN}{found[0][0]}" if hidden else found[0]

    return type(error)(*redacted(error.args))


def _is_quote(text: str, script: str, names: Collection[str]) -> bool:
    """Tell whether a text is some words of the script, and no name; its last word may be cut off."""
    words = _words(text)
    return words.count(" ") >= _WORDS_MIN + 1 and words.rstrip() in script and words not in names


def _words(text: str) -> str:
    """The words of a text, in lower case, each between spaces.

    >>> _words("Man in Grey:  'Now!'")
    ' man in grey now '
    """
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _text(script: Any) -> str:
    if isinstance(script, bytes):
        return text_of_book(script) if book_form(script) else script.decode(errors="replace")
    if isinstance(script, list | tuple):
        return "\n".join(map(_text, script))
    if isinstance(script, dict):
        return "\n".join(map(_text, (*script, *script.values())))
    return str(script)
