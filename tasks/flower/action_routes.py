"""Flower's page of a job, and its buttons: retry, retry one segment, cancel.

`GET /voxchord/jobs/JOB/page` shows the job. `POST /voxchord/jobs/JOB/retry` (with `segment=N` in the form for
one segment) and `POST /voxchord/jobs/JOB/cancel` act on it and answer with the page to browsers, with JSON to
others. Flower's rules against forged requests apply, and a read-only Flower refuses.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlparse

from tornado.web import HTTPError, url

from pipeline.errors import MissingArtifactError, OptionError
from pipeline.jobs.actions import Actor
from tasks.flower.job_routes import JOB, JobRoute
from tasks.flower.request_guard import basic_credentials

PAGE = "voxchord-job"
FAILURES_SHOWN = 100
Act = Callable[[Any, str, int | None, Actor], object]
"""Acts on a job with Celery's app, the job, a segment and the actor."""


class PageRoute(JobRoute):
    """Page of a job."""

    async def get(self, job: str) -> None:
        await self.show(job)

    async def show(self, job: str, problem: str = "") -> None:
        """Answer with the page.

        Args:
            problem: reason why an action was refused.
        """
        shown = await self.away(self._shown, job)
        self.render("job.html", problem=problem, read_only=self.application.options.read_only, **shown)

    def _shown(self, job: str) -> dict[str, Any]:
        state = self._state(job)
        jobs = self.jobs
        failures = sorted(jobs.outcomes.failures(job).items())
        finished = "audio" in state
        ended = finished or state["state"] == "failed"
        planned = jobs.plans.get(job) is not None
        return {
            "job": job,
            "state": "cancelled" if not finished and jobs.coordination.cancelled(job) else state["state"],
            "error": state.get("error", ""),
            "progress": f"{state['segments'] - state['missing']} of {state['segments']} segments"
            if "missing" in state
            else "",
            "audio_s": state.get("duration_s"),
            "finished": finished,
            "can_retry": planned and ended and (bool(failures) or not finished),
            "can_cancel": planned and not ended,
            "failures": failures[:FAILURES_SHOWN],
            "more_failures": max(0, len(failures) - FAILURES_SHOWN),
            "actions": [str(action) for action in jobs.actions.of(job)],
        }


class ActionRoute(PageRoute):
    """Button of the page."""

    def initialize(self, store_url: str, act: Act) -> None:  # type: ignore[override]
        super().initialize(store_url)
        self.act = act

    def check_xsrf_cookie(self) -> None:
        """Apply Flower's rules, and its check of the origin also where no password is set."""
        super().check_xsrf_cookie()
        site, origin = self.request.headers.get("Sec-Fetch-Site"), self.request.headers.get("Origin")
        if site not in (None, "same-origin") or (origin and urlparse(origin).netloc != self.request.host):
            raise HTTPError(403, "Cross-site request forbidden")

    async def get(self, job: str) -> None:
        raise HTTPError(405)

    async def post(self, job: str) -> None:
        """Act on the job."""
        if self.application.options.read_only:
            raise HTTPError(403, "Flower is read-only")
        await self.away(self._state, job)  # 404 if there is none
        try:
            await self.away(self.act, self.application.capp, job, self._segment(), self._actor())
        except (OptionError, MissingArtifactError) as error:
            await self._refuse(job, str(error))
            return
        if self._browser():
            self.redirect(self.reverse_url(PAGE, job), status=303)
        else:
            self.set_status(202)
            self.write({"job": job})

    async def _refuse(self, job: str, reason: str) -> None:
        self.set_status(409)
        if self._browser():
            await self.show(job, reason)
        else:
            self.write({"error": reason})

    def _browser(self) -> bool:
        return "text/html" in self.request.headers.get("Accept", "")

    def _segment(self) -> int | None:
        given = self.get_body_argument("segment", "")
        if given and not (given.isascii() and given.isdigit() and len(given) <= 9):
            raise HTTPError(400, "segment is not an integer")
        return int(given) if given else None

    def _actor(self) -> Actor:
        """User of the password, or of the OAuth provider; a Flower without either has no names."""
        if isinstance(self.current_user, str):
            return Actor(self.current_user, "flower")
        given = basic_credentials(self.request.headers.get("Authorization", "")) or b""
        return Actor(given.partition(b":")[0].decode(errors="replace"), "flower")


def routes(store_url: str, *, retry: Act, cancel: Act) -> list[Any]:
    """URL specifications, to be placed before Flower's."""
    given = {"store_url": store_url}
    return [
        url(f"{JOB}/page", PageRoute, given, name=PAGE),
        url(f"{JOB}/retry", ActionRoute, {**given, "act": retry}, name=f"{PAGE}-retry"),
        url(f"{JOB}/cancel", ActionRoute, {**given, "act": cancel}, name=f"{PAGE}-cancel"),
    ]
