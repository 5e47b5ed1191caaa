"""Base class of all tasks: metering, private arguments and errors."""

from typing import TYPE_CHECKING, Any

import celery
from celery.exceptions import CeleryError

from pipeline.errors import PipelineError
from tasks.message_headers import subject_of_arguments
from tasks.metering import request_identity
from tasks.metering.attempt import attempt
from tasks.orchestration.resources import VoxchordApp
from tasks.privacy import results
from tasks.privacy.errors import redact
from tasks.privacy.requests import public_arguments


class VoxchordTask(celery.Task[..., Any]):
    """A Celery task that records every attempt; its messages carry job and segment in their headers."""

    Request = "tasks.privacy.requests:PrivateRequest"
    if TYPE_CHECKING:

        @property
        def app(self) -> VoxchordApp: ...  # `make_app` alone registers these tasks

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request_identity.adopt_clock(self.request)
        with attempt(self) as measured:
            try:
                result = self.run(*args, **kwargs)
            except (PipelineError, CeleryError):
                raise
            except Exception as error:  # noqa: BLE001 - the message of any error may quote the script
                raise redact(error).with_traceback(error.__traceback__) from None
        return results.redacted(result, measured)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        subject = subject_of_arguments(args, kwargs)
        options.setdefault("argsrepr", "()")
        options.setdefault("kwargsrepr", public_arguments(subject))
        if subject:
            options["headers"] = {**(options.get("headers") or {}), **subject.headers()}
        return super().apply_async(args, kwargs, **options)
