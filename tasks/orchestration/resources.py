"""Resources of an app's tasks: settings, store, jobs, engines and history spool."""

import math
import time
from datetime import UTC, datetime
from functools import cached_property

from celery import Celery

from db.ingest.spool import Spool
from pipeline import clock
from pipeline.checking.checkers import Checkers
from pipeline.checking.full.recognizer import RecognizerSettings
from pipeline.engines.protocol import Engine
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.request import JobOptions
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from tasks.broker.transport import Broker
from tasks.metering.settings import MeterSettings
from tasks.orchestration.job_rows import JobRows
from tasks.orchestration.roots import Roots
from tasks.settings import VERSION, Settings
from tasks.worker.hang_watchdog import HangWatchdog

_TOUCH_S = 5.0
_TOUCHED_MAX = 1000


class Resources:
    """Resources of one app in one process, each created on first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engines = settings.registry()
        self.hang_watchdog = HangWatchdog(settings.hung_s)
        self.meter_settings = MeterSettings(folder=settings.history_folder, app_version=VERSION)
        self.left_to_later: set[str] = set()
        """Jobs of a later release that the reconciler has reported."""
        self.swept_s = -math.inf
        """Time at which this process last deleted what had expired (monotonic)."""
        self._touched_s: dict[str, float] = {}

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(Store(self.settings.store_url))

    @cached_property
    def roots(self) -> Roots:
        return Roots(self.jobs)

    @cached_property
    def job_rows(self) -> JobRows:
        spool, jobs = Spool(self.meter_settings.spool), self.jobs
        return JobRows(spool, jobs.coordination, jobs.actions, self.settings.notify_events)

    @cached_property
    def checkers(self) -> Checkers:
        return Checkers(RecognizerSettings(self.settings.recognizer, self.settings.recognizer_device))

    def engine_of(self, options: JobOptions) -> Engine:
        """Engine of a job, loaded once per process.

        Raises:
            OptionError: unknown engine or model.
        """
        settings = self.settings
        name = options.model or (settings.model if options.engine == settings.engine else "") or None
        return self.engines.load(
            options.engine, settings.checkpoint(name), settings.slots or None, settings.own_kernels
        )

    def work_of(self, plan: Plan, segment: int, take: int | None = None) -> SegmentWork:
        planned = self.jobs.plans.segment(plan.job, segment)
        return SegmentWork(self.jobs.store, plan, planned, self.engine_of(plan.options), take)

    def touch(self, job: str) -> None:
        """Record progress of the job, at most every few seconds."""
        now = time.monotonic()
        if now - self._touched_s.get(job, -_TOUCH_S) >= _TOUCH_S:
            if len(self._touched_s) > _TOUCHED_MAX:
                self._touched_s.clear()
            self._touched_s[job] = now
            self.jobs.coordination.touch(job)


class VoxchordApp(Celery):
    """Celery app with its broker and the resources of its tasks; `tasks.make_app` makes it."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        super().__init__(
            "voxchord",
            task_cls="tasks.task:VoxchordTask",
            amqp="tasks.broker.transport:Wire",
            events="tasks.privacy.events:Events",
        )
        self.settings, self.broker = settings, broker
        self.resources = Resources(settings)

    def now(self) -> datetime:
        """Time from which the ETAs of retries are counted, by the service's clock."""
        return datetime.fromtimestamp(clock.now(), UTC).astimezone(self.timezone)
