"""Text of the SQL files: its parameters and comments."""

import re

PARAMETER = re.compile(r"/\*:(\w+)\*/\s*(NULL|-?\d+(?:\.\d+)?|'(?:[^']|'')*')")
"""Name and default of a parameter."""


def code(statement: str) -> str:
    """SQL without its comment lines, in which a colon would look like a parameter."""
    lines = [line for line in statement.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).rstrip().rstrip(";")
