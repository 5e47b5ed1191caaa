"""The opening of a long text, which is rendered ahead.

Segments are shared by their keys, and the first segment of an opening is that of the whole text. So it is
made while the whole is still read and planned, and a long text is heard as soon as a short one. A stream
follows the plan of the whole text alone; an opening with another first segment costs its few words.
"""

import re

from pipeline.script import sentences
from pipeline.script.words import count_words

LONG = 4000
"""Characters of a text above which reading and planning take more than a few milliseconds."""
_READ = 3000
_BETWEEN = re.compile(r"(\n\s*\n)")


def opening(text: str, first_words: int) -> str | None:
    """Shortest opening of a text, in whole sentences, with more words than the first segment is given.

    Returns:
        None for a short text, or one without such an opening in its first 3000 characters.

    >>> opening("One is here. Two is there. Three. " * 200, first_words=5)
    'One is here. Two is there.'
    """
    if len(text) <= LONG:
        return None
    parts = _BETWEEN.split(text[:_READ])
    before = ""
    for index in range(0, len(parts), 2):
        whole = sentences.split(parts[index])
        if index + 1 == len(parts):
            del whole[-1:]  # it may go on
        for count in range(1, len(whole) + 1):
            found = before + " ".join(whole[:count])
            if count_words(found) > first_words:
                return found
        before += "".join(parts[index : index + 2])
    return None
