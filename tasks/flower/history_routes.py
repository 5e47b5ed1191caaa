"""Flower routes that read the history: a job's report, and the attempts of one task.

They never create or migrate the database. If it does not answer, they return 503.
"""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from tornado.web import HTTPError, url

from db.database import open_database, parse_url
from db.queries.jobs import attempts, count_attempts
from db.reports import attempts_page, job_page
from db.reports.job_timeline import load
from tasks.flower.job_routes import JOB, Route

ATTEMPTS_MAX = 20_000
"""Most attempts of a job that Flower reports on; the command line has no limit."""
_SHOWN_MAX = 100
_ALONE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


class HistoryRoute(Route):
    """Base of routes that read the history outside Flower's event loop, one page at a time."""

    _one_at_a_time: asyncio.Lock | None = None

    def initialize(self, history_url: str) -> None:
        self.history_url = history_url

    async def read(self, question: Any, *arguments: Any) -> Any:
        if HistoryRoute._one_at_a_time is None:
            HistoryRoute._one_at_a_time = asyncio.Lock()
        async with HistoryRoute._one_at_a_time:
            return await self.away(self._read, question, *arguments)

    def _read(self, question: Any, *arguments: Any) -> Any:
        place = parse_url(self.history_url)
        if place.drivername.startswith("sqlite") and not Path(str(place.database)).exists():
            raise HTTPError(404, "no history yet")
        try:
            engine = open_database(self.history_url, migrate=False)
            try:
                return question(engine, *arguments)
            finally:
                engine.dispose()
        except DBAPIError:
            raise HTTPError(503, "the history does not answer") from None

    def page(self, html: str) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", _ALONE)
        self.write(html)


class ReportRoute(HistoryRoute):
    async def get(self, job: str) -> None:
        """Answer with the page that `voxchord.py report` writes."""
        self.page(await self.read(self._report, job))

    def _report(self, engine: Engine, job: str) -> str:
        if count_attempts(engine, job) > ATTEMPTS_MAX:
            raise HTTPError(413, f"more than {ATTEMPTS_MAX:,} attempts; use `voxchord.py report`")
        timeline = load(engine, job)
        if timeline is None or not timeline.attempts:
            raise HTTPError(404, "no attempt of this job in the history yet")
        return job_page.page(timeline)


class TaskRoute(HistoryRoute):
    async def get(self, task: str) -> None:
        """Answer with the rows of `task_run` of one task, oldest first; `?format=json` gives JSON."""
        rows = await self.read(attempts, task, _SHOWN_MAX)
        if not rows:
            raise HTTPError(404, "no attempt of this task in the history yet")
        if self.get_query_argument("format", "html") == "json":
            self.write({"task": task, "attempts": attempts_page.plain(rows)})
        else:
            self.page(attempts_page.page(task, rows))


def routes(history_url: str) -> list[Any]:
    """URL specifications, to be placed before Flower's."""
    given = {"history_url": history_url}
    return [
        url(f"{JOB}/report", ReportRoute, given, name="voxchord-report"),
        url(r"/voxchord/tasks/([^/]{1,255})", TaskRoute, given, name="voxchord-task"),
    ]
