"""Files that are uploaded as browsers do."""

import json
from typing import Any

from bench.harness.http_service import Answer, HttpService
from tests.web.multipart import form


def upload(service: HttpService, path: str, data: bytes, request: Any = None, **headers: str) -> Answer:
    """Upload a file, and a request as JSON beside it."""
    fields = {} if request is None else {"request": json.dumps(request)}
    body, kind = form(**fields, file=("f", data))
    return service.ask("POST", path, body, Content_Type=kind, **headers)
