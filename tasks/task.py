"""The base of all tasks: metering around the body, private arguments, publishing without words."""

from typing import Any

import celery

from tasks.metering import attempt
from tasks.privacy import shown


class VoxchordTask(celery.Task[..., Any]):
    """A Celery task whose every attempt leaves a row and whose arguments are shown as job and segment."""

    Request = "tasks.privacy:PrivateRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with attempt(self):
            return self.run(*args, **kwargs)

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        options.setdefault("argsrepr", "()")
        options.setdefault("kwargsrepr", shown(args or (), kwargs or {}))
        return super().apply_async(args, kwargs, **options)
