"""Response with a file that is made for one request."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from web.service import Service

Made = TypeVar("Made")


def make_file(service: Service, ending: str, write: Callable[[Path], Made]) -> tuple[Path, Made]:
    """Make a file in the scratch folder of the store; it is removed if the function raises.

    Returns:
        The path, and what the function returned.
    """
    folder = tempfile.mkdtemp(dir=service.jobs.store.scratch(), prefix="http-")
    path = Path(folder) / f"audio.{ending}"
    try:
        return path, write(path)
    except BaseException:
        _remove(path)
        raise


def temporary_file(path: Path, media_type: str, file_name: str) -> FileResponse:
    """Answer with a file, which is removed afterwards."""
    return FileResponse(
        path, media_type=media_type, filename=file_name, background=BackgroundTask(_remove, path)
    )


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()
