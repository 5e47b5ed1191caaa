"""Words to and from an assistant around a script: `Please read the following:`, `Here is your script:`."""

import re
from collections.abc import Sequence

REMARK = "remark"
"""Kind of omissions."""
_WORK = (
    r"(?:script|podcast|dialogue|dialog|conversation|transcript|episode|story|text|version|draft|monologue|"
    r"play|scene|passage|interview|narration|discussion|debate)s?"
)
_OPENING = re.compile(
    r"(?:(?:please|can you|could you|now)[ ,]+)?"
    r"(?:(?:tts|read|say|speak|narrate|voice|synthesi[sz]e|generate|convert|turn|record|perform|produce)\b"
    rf".*\b(?:following|below|this|these|aloud|out loud|{_WORK}|tone|voice)\b.*[:.?]"
    rf"|(?:make|create|write)\b.*\b(?:{_WORK}|sound)\b.*[:.]"
    r"|(?:sure|certainly|of course|absolutely|okay|ok|great|got it|no problem|happy to help)\b[,.! —-]*"
    rf"(?:here|below|this is|i)\b.*\b{_WORK}\b.*[:.!]"
    rf"|(?:here(?:'s| is| are)|below is|this is)\b.*\b{_WORK}\b.*:)",
    re.IGNORECASE | re.DOTALL,
)
_CLOSING = re.compile(
    r"(?:would you like me to|do you want me to|want me to|shall i|should i|i can also|i could also"
    r"|if you(?:'d| would| want)?(?: like)?,? i can|feel free to"
    r"|i hope (?:this|that) (?:helps|works|script|meets)"
    r"|let me know (?:if|whether|how|what|when) you(?:'d| would)? (?:like|want|need|prefer))\b"
    r".*\b(?:helps|works|script|podcast|dialogue|conversation|episode|tone|length|version|change[sd]?|adjust\w*"
    r"|add|make|expand|continue|another|revis\w+|tweak\w*|shorten|longer|shorter|edit\w*|modif\w+|format"
    r"|style|different|more|else)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_CHARACTERS_MAX = 400
_LINES_MAX = 4
_ENDS = (":", ".", "!", "?", ":**", ":*", "!**", ".*")


def opening(texts: Sequence[str]) -> list[int]:
    """Positions of the lines before a script that ask for it or announce it; none if it begins at once."""
    first = next((i for i, text in enumerate(texts) if text.strip()), len(texts))
    for count in range(1, _LINES_MAX + 1):  # a sentence may go on over several lines
        lines = [text.strip() for text in texts[first : first + count]]
        if len(lines) < count or not all(lines):
            return []
        if lines[-1].endswith(_ENDS):
            return list(range(first, first + count)) if _is_opening(" ".join(lines)) else []
    return []


def closing(texts: Sequence[str]) -> list[int]:
    """Positions of the last paragraph's lines if they offer changes."""
    last = next((i for i in range(len(texts) - 1, -1, -1) if texts[i].strip()), -1)
    first = last
    while first > 0 and texts[first - 1].strip():
        first -= 1
    text = " ".join(texts[first : last + 1]).strip("*_ ").replace("’", "'")
    found = first > 0 and len(text) <= _CHARACTERS_MAX and _CLOSING.match(text.lstrip())
    return list(range(first, last + 1)) if found else []


def _is_opening(line: str) -> bool:
    text = line.strip().strip("*_").replace("’", "'")
    return len(text) <= _CHARACTERS_MAX and bool(_OPENING.fullmatch(text))
