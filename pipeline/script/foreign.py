"""Textual formats that are not read, refused by their names."""

import re
import tomllib

from pipeline.errors import ScriptError

_AS_TEXT = "save it as plain text (UTF-8) and give that"
_START = 2000
"""Characters in which a format shows."""
_TEXTUAL = (
    (re.compile(r"\{\\rtf"), "an RTF document"),
    (re.compile(r"%PDF-"), "a PDF document"),
    (re.compile(r"<!doctype html|<html[\s>]|<head>|<body[\s>]", re.I), "an HTML page"),
    (re.compile(r"<\?xml|<!DOCTYPE\s|<tt[\s>]|<FictionBook|<FinalDraft|<sami[\s>]", re.I), "an XML document"),
    (re.compile(r"\[Script Info\]"), "an ASS or SSA subtitle file"),
    (re.compile(r"\{\d+\}\{\d+\}|\[\d+\]\[\d+\]"), "a subtitle file that counts frames (MicroDVD or MPL2)"),
    (re.compile(r"\\documentclass|\\begin\{document\}"), "a LaTeX document"),
    (re.compile(r"BEGIN:V(?:CALENDAR|CARD|EVENT)"), "a calendar or an address card"),
    (re.compile(r"diff --git |--- \S.*\n\+\+\+ \S.*\n@@ "), "a list of changes (diff)"),
    (re.compile(r"(?:https?|ftp|file|data):\S+\s*\Z", re.I), "an address"),
)
_HTML = re.compile(
    r"</?(?:p|div|span|br|h[1-6]|ul|ol|li|table|tr|td|a|section|article)(?:\s[^<>]*)?/?>", re.I
)
_LATEX = re.compile(r"\\(?:part|chapter|(?:sub)*section|emph|text(?:bf|it|tt)|begin|end|item|title)\b")
_MAIL = re.compile(r"(?:[A-Z][A-Za-z-]{1,30}: .*\n(?:[ \t]+\S.*\n)*){2,}")
_MAIL_FROM = re.compile(r"^From: ", re.MULTILINE)
_MAIL_DATE = re.compile(r"^(?:Subject|Date|Sent|Received|MIME-Version): ", re.MULTILINE)
_ASSIGNMENT = re.compile(r"^[ \t]*[\w\"'-][\w.\"' -]{0,60}=[ \t]*\S", re.MULTILINE)
_SECTION = re.compile(r"^[ \t]*\[\[?[\w.\"' -]+\]\]?[ \t]*$", re.MULTILINE)
_INI_LINE = re.compile(r"[ \t]*(?:[;#].*|\[[^\[\]]+\][ \t]*|[\w.-][\w. -]{0,60}=.*)?")
_LYRICS_TAG = re.compile(
    r"^[ \t]*\[(?:ti|ar|al|au|lr|by|re|ve|la|length|offset|tool):[^\[\]\n]*\][ \t]*$", re.I | re.M
)
_LYRICS_TIME = re.compile(r"^[ \t]*\[\d{1,3}:\d{2}(?:[.:]\d{1,3})?\]", re.MULTILINE)
_LYRICS_TIMES = re.compile(
    r"^[ \t]*\[\d{1,3}:\d{2}(?:[.:]\d{1,3})?\][ \t]*(?:\[\d{1,3}:\d{2}|<\d{1,3}:\d{2})"
    r"|^[ \t]*<\d{1,3}:\d{2}[.:]\d{1,3}>[^<>\n]*<\d{1,3}:\d{2}[.:]\d{1,3}>",
    re.MULTILINE,
)


def refuse_foreign(text: str) -> None:
    """Refuse textual formats that are not read, by their names.

    Raises:
        ScriptError: always for line 1.
    """
    start = text[:_START].lstrip("\ufeff \t\r\n").replace("\r\n", "\n")
    for pattern, name in _TEXTUAL:
        if pattern.match(start):
            raise ScriptError(1, f"the script is {name}, which is not read; {_AS_TEXT}")
    tags = _HTML.findall(start)
    if len(tags) >= 2 and start.startswith("<") and _HTML.match(start):
        raise ScriptError(1, f"the script is an HTML page, which is not read; {_AS_TEXT}")
    if len(_LATEX.findall(start)) >= 2:
        raise ScriptError(1, f"the script is a LaTeX document, which is not read; {_AS_TEXT}")
    _refuse_mail(start)
    _refuse_lyrics(start)
    _refuse_settings(text, start)


def _refuse_mail(start: str) -> None:
    head = _MAIL.match(start)
    if head and _MAIL_FROM.search(head[0]) and _MAIL_DATE.search(head[0]):
        raise ScriptError(
            1, "the script is an e-mail message, which is not read; give its words without the lines above"
        )


def _refuse_lyrics(start: str) -> None:
    """Lyrics with times; times before whole lines alone are those of a transcript."""
    tagged = _LYRICS_TAG.search(start) and _LYRICS_TIME.search(start)
    if tagged or _LYRICS_TIMES.search(start):
        raise ScriptError(
            1, "the script is song lyrics with times (LRC), which is not read; give the words without times"
        )


def _refuse_settings(text: str, start: str) -> None:
    if len(_ASSIGNMENT.findall(start)) < 1 + (not _SECTION.search(start)):
        return
    if _is_toml(text):
        raise ScriptError(1, "the script is TOML, which is not read; write the same as JSON or YAML")
    if _SECTION.search(start) and all(map(_INI_LINE.fullmatch, start.split("\n")[:-1])):
        raise ScriptError(
            1, "the script is an INI file, which is not read; write lines such as `Name: words`"
        )


def _is_toml(text: str) -> bool:
    """Tell whether a text is TOML, or TOML with a fault further down."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        tables = len(re.findall(r"^[ \t]*\[\[[\w.-]+\]\][ \t]*$", text, re.MULTILINE))
        return bool(tables) and len(_ASSIGNMENT.findall(text)) >= tables
    except RecursionError:
        return True
    return True
