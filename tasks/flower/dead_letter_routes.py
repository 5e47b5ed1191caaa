"""Flower route of the dead letters, `GET /voxchord/dead-letters`: messages that could not be understood."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tornado.web import url

from tasks.flower.job_routes import Route

Entries = Callable[[Any], list[Any]]
"""Entries of an app's dead letters, the latest first."""


class DeadLettersRoute(Route):
    def initialize(self, entries: Entries) -> None:
        self.entries = entries

    async def get(self) -> None:
        """Answer with all entries; they hold no word of a message."""
        found = await self.away(self.entries, self.capp)
        self.write({"dead_letters": [asdict(entry) for entry in found]})


def routes(entries: Entries) -> list[Any]:
    """URL specifications, to be placed before Flower's."""
    return [url("/voxchord/dead-letters", DeadLettersRoute, {"entries": entries})]
