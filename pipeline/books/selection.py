"""Selection of a book's chapters by their numbers."""

import re
from collections.abc import Sequence

from pipeline.books.document import Chapter
from pipeline.errors import OptionError

ALL = "all"
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5})?)?")


def selected(chapters: Sequence[Chapter], selection: str | None) -> list[bool]:
    """Tell for each chapter whether it is read.

    Args:
        selection: numbers and ranges such as `2-9,12` or `3-`; `all`; None leaves out front and back matter.

    Raises:
        OptionError: a selection that is not understood, or names chapters that do not exist.

    >>> selected([Chapter("Cover", (), "front matter"), Chapter("One", ()), Chapter("Two", ())], None)
    [False, True, True]
    >>> selected([Chapter("Cover", (), "front matter"), Chapter("One", ()), Chapter("Two", ())], "1,3")
    [True, False, True]
    """
    if selection is None:
        return [not chapter.matter for chapter in chapters]
    if selection.strip().lower() == ALL:
        return [True] * len(chapters)
    numbers: set[int] = set()
    for part in selection.split(","):
        found = _RANGE.fullmatch(part.strip())
        if not found:
            raise OptionError("chapters", f"{part[:40]!r} is not understood; write 2-9,12 or all")
        first = int(found[1])
        last = len(chapters) if part.strip().endswith("-") else int(found[2] or first)
        if not 1 <= first <= last <= len(chapters):
            raise OptionError("chapters", f"{part.strip()!r} is not within 1 to {len(chapters)}")
        numbers.update(range(first, last + 1))
    return [number in numbers for number in range(1, len(chapters) + 1)]
