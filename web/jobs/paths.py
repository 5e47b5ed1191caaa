"""Path of the jobs, and the error responses of their routes."""

from typing import Any

from web import errors

PATH = "/v1/audio/jobs"
RESPONSES: dict[int | str, dict[str, Any]] = {
    **errors.RESPONSES,
    409: {"model": errors.ErrorObject, "description": "Not possible in the job's state"},
}
"""Error responses of every route."""
PARTS: dict[int | str, dict[str, Any]] = {
    206: {"description": "Part of the file"},
    304: {"description": "Not modified"},
    416: {"model": errors.ErrorObject, "description": "The range is outside the file"},
}
"""Further responses with files."""
