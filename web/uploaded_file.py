"""Files that are uploaded in a form."""

from typing import BinaryIO

from web.errors import ApiError


def read_upload(file: BinaryIO, bytes_max: int, param: str) -> bytes:
    """Read an uploaded file.

    Args:
        param: field of the form.

    Raises:
        ApiError: 413, it is too large.
    """
    data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ApiError(413, f"more than {bytes_max:,} bytes", param=param, code="too_large")
    return data
