"""Scripts for an engine of ten words per segment: one line is one segment."""

_FILLER = "one two three four five six seven eight"


def script(name: str, *lines: str) -> str:
    """Script with one line per segment, each with its fault between filler words."""
    return "\n".join(f"Anna: {name}{number} {line} {_FILLER}." for number, line in enumerate(lines))
