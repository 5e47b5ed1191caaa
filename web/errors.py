"""Errors in the shape that OpenAI's clients read: `{"error": {"message", "type", "param", "code"}}`."""

import logging
import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kombu.exceptions import OperationalError as BrokerError
from pydantic import BaseModel
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as TimedOut
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from pipeline.errors import (
    CancelledError,
    EngineError,
    MissingArtifactError,
    OptionError,
    PipelineError,
    RetryableError,
    ScriptError,
    VoiceError,
)

log = logging.getLogger(__name__)

INVALID, AUTHENTICATION, PERMISSION = "invalid_request_error", "authentication_error", "permission_error"
RATE_LIMIT, SERVER = "rate_limit_error", "server_error"
_TYPES = {401: AUTHENTICATION, 403: PERMISSION, 429: RATE_LIMIT}
_UNAVAILABLE_RETRY_S = 5
_MESSAGE_MAX = 4000


class ErrorBody(BaseModel):
    """Content of OpenAI's error object."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorObject(BaseModel):
    """OpenAI's error object."""

    error: ErrorBody


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorObject, "description": description}
    for status, description in {
        400: "Invalid request",
        401: "Missing or invalid key",
        403: "Forbidden",
        404: "Not found",
        408: "The body is not complete in time",
        413: "Too large",
        421: "Unknown host",
        429: "Over a limit; see Retry-After",
        503: "Temporarily unavailable; see Retry-After",
    }.items()
}
"""Error responses of a route, for the OpenAPI description."""


_DETAILS = {"There was an error parsing the body": "the body is not JSON in UTF-8, or no valid form"}
"""Messages in place of FastAPI's."""
_ERROR = {"$ref": f"#/components/schemas/{ErrorObject.__name__}"}


class ApiError(Exception):
    """A request that is refused."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(status, message, param, code, retry_after_s)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """Error object of the response."""
        kind = _TYPES.get(self.status, SERVER if self.status >= 500 else INVALID)
        message = self.message[:_MESSAGE_MAX].encode(errors="replace").decode()
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Response with the error object."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers)


def not_found(what: str) -> ApiError:
    """Error for a thing that does not exist, or belongs to another client."""
    return ApiError(404, f"{what} does not exist", code="not_found")


_OF_PIPELINE: dict[type[PipelineError], tuple[int, str | None, str]] = {
    ScriptError: (400, "input", "invalid_script"),
    VoiceError: (400, "voice", "invalid_voice"),
    EngineError: (400, "model", "engine_error"),
    CancelledError: (409, None, "cancelled"),
    MissingArtifactError: (404, None, "not_found"),
}
"""Status, parameter and code by kind."""
_FIELDS = {"pace": "speed"}
"""Fields of the convention by the option that they set."""


def of_pipeline(error: PipelineError) -> ApiError:
    """Error for an error of the pipeline."""
    if isinstance(error, OptionError):
        field = _FIELDS.get(error.option, error.option)
        return ApiError(400, str(error), param=field, code="invalid_option")
    for kind, (status, param, code) in _OF_PIPELINE.items():
        if isinstance(error, kind):
            return ApiError(status, str(error), param=param, code=code)
    if isinstance(error, RetryableError):
        return unavailable("the store does not answer")
    return ApiError(500, str(error), code="job_failed")


def unavailable(reason: str) -> ApiError:
    """Error for a part of the service that does not answer."""
    return ApiError(503, reason, code="unavailable", retry_after_s=_UNAVAILABLE_RETRY_S)


def of_any(error: Exception) -> ApiError:
    """Error for any exception; an unexpected one is logged without its message, which may quote a script."""
    match error:
        case ApiError():
            return error
        case PipelineError():
            return of_pipeline(error)
        case BrokerError() | Disconnected() | TimedOut():
            return unavailable("the broker does not answer")
        case DBAPIError():
            return unavailable("the database does not answer")
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown place"
    log.error("unexpected %s at %s", type(error).__name__, where)
    return ApiError(500, "internal error", code="internal_error")


def install(app: FastAPI) -> None:
    """Answer every error of an application with OpenAI's object."""

    async def any_error(_: Request, error: Exception) -> JSONResponse:
        return of_any(error).response()

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
        response = ApiError(error.status_code, _DETAILS.get(error.detail, str(error.detail))).response()
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["Allow"] = ", ".join(_allowed(app, request.url.path))
        return response

    async def validation_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
        return of_validation(error).response()

    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
    for kind in (ApiError, PipelineError, BrokerError, Disconnected, TimedOut, DBAPIError, Exception):
        app.add_exception_handler(kind, any_error)


def _allowed(app: FastAPI, path: str) -> list[str]:
    """Methods of a path, over all of its routes; Starlette's own answer has those of the first one."""
    described = app.openapi()["paths"]
    fitting = [each for each in described if compile_path(each)[0].match(path)]
    fewest = min(fitting, key=lambda each: each.count("{"), default=None)  # .../jobs/upload is no job
    return sorted(each.upper() for each in described.get(fewest, {"get": {}}))


def describe(app: FastAPI) -> None:
    """Correct the OpenAPI description: an invalid field is a 400 here, and every error is JSON."""
    described = app.openapi()
    for operations in described["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    response["content"] = {"application/json": {"schema": _ERROR}}
    for name in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(name, None)


def _field(place: Sequence[int | str]) -> str:
    """Name of a field, without the kinds of value that it may have.

    >>> _field(("voice", "VoiceId", "id")), _field(("input", "list[TurnInput]", 2, "text"))
    ('voice.id', 'input.2.text')
    """
    named = (str(part) for part in place if isinstance(part, int) or _is_name(part))
    return ".".join(named) or "body"


def _is_name(part: str) -> bool:
    return re.fullmatch("[a-z][a-z0-9_]*", part) is not None and part not in ("str", "int", "float", "bool")


def of_validation(error: RequestValidationError) -> ApiError:
    """Error that names every invalid field, without its value."""
    if any(each["loc"] == ("body",) for each in error.errors()):
        message = "the body is no JSON object; send one with `Content-Type: application/json`"
        return ApiError(400, message, code="invalid_value")
    found = [(_field(each["loc"][1:]), str(each["msg"])) for each in error.errors()]
    message = "; ".join(f"{name}: {reason}" for name, reason in found)
    return ApiError(400, message, param=found[0][0] if found else None, code="invalid_value")
