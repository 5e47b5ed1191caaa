"""The base of all tasks: metering around the body, private arguments and errors, publishing without words."""

from typing import Any

import celery
from celery.exceptions import CeleryError

from pipeline.errors import PipelineError
from tasks.metering.attempt import attempt
from tasks.privacy import results
from tasks.privacy.errors import redact
from tasks.privacy.requests import shown


class VoxchordTask(celery.Task[..., Any]):
    """A Celery task whose every attempt leaves a row and whose arguments are shown as job and segment."""

    Request = "tasks.privacy.requests:PrivateRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with attempt(self) as measured:
            try:
                result = self.run(*args, **kwargs)
            except (PipelineError, CeleryError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, its words stay here
                raise redact(error).with_traceback(error.__traceback__) from None
        return results.shown(result, measured)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        options.setdefault("argsrepr", "()")
        options.setdefault("kwargsrepr", shown(args or (), kwargs or {}))
        return super().apply_async(args, kwargs, **options)
