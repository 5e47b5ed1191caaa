"""Media files as ffprobe reads them."""

import json
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
