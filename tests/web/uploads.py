"""Files that are uploaded as browsers do."""

import json
from typing import Any

from bench.harness.http_service import Answer, HttpService

_LIMIT = b"limit"


def upload(service: HttpService, path: str, data: bytes, request: Any = None, **headers: str) -> Answer:
    """Upload a file, and a request as JSON beside it."""
    fields = {} if request is None else {"request": json.dumps(request).encode()}
    parts = [f'name="{name}"'.encode() + b"\r\n\r\n" + value for name, value in fields.items()]
    parts.append(b'name="file"; filename="f"\r\n\r\n' + data)
    form = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (_LIMIT, part) for part in parts)
    kind = {"Content_Type": f"multipart/form-data; boundary={_LIMIT.decode()}", **headers}
    return service.ask("POST", path, form + b"--%s--\r\n" % _LIMIT, **kind)
