"""Scripts for an engine of ten words per segment: one line is one segment."""

_FILLER = "one two three four five six seven eight"


def script(name: str, *lines: str) -> str:
    """A line per segment; what a line asks the engine to do goes between words that fill it."""
    return "\n".join(f"Anna: {name}{number} {line} {_FILLER}." for number, line in enumerate(lines))
