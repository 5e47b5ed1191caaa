"""Files as other programs read them: ffprobe and epubcheck."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.tools import tool


def probe(path: Path) -> dict[str, Any]:
    """Chapters, streams and tags; skips the test without ffprobe."""
    shown = ["-show_chapters", "-show_format", "-show_streams"]
    done = subprocess.run(
        [tool("ffprobe"), "-v", "error", *shown, "-of", "json", path],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def epubcheck(path: Path) -> str:
    """Errors and warnings of epubcheck, whose program is a Java archive."""
    command = [tool("java"), "-jar", tool("epubcheck"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "EPUBCheck completed" in done.stdout + done.stderr
    found = (done.stdout + done.stderr).splitlines()
    return "\n".join(line for line in found if re.match(r"(FATAL|ERROR|WARNING)", line))
