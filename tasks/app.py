"""The Celery app. Workers start as `python -m celery -A tasks.app worker …` in the project's folder.

The settings follow measurements of Celery 5.7 on Redis: late acknowledgement, bounded retries of tasks that
kill their worker, a short visibility timeout that live workers renew, and private keys for unacknowledged
messages (all apps on a broker share the default ones). `tasks.broker.transport` has what depends on the
broker.
"""

import os

from celery import Celery, signals

from pipeline.engines.registry import ENGINES
from tasks import settings as _settings
from tasks.broker.queues import QUEUES
from tasks.broker.transport import of as broker_of
from tasks.broker.transport import queue, redis_tls, sentinel_options
from tasks.local.embedded_broker import url_of_running
from tasks.metering import install, instruments
from tasks.metering.settings import MeterSettings
from tasks.worker import heartbeat, parent_watch
from tasks.worker.event_batching import GatherEvents
from tasks.worker.reconcile_timer import SendReconcile
from tasks.worker.stall_watchdog import EndAtStandstill
from tasks.worker.visibility import RenewVisibility

settings = _settings.load()
ENGINES.update(settings.engines)
_DAY_S = 24 * 3600


def _broker_url() -> str:
    return settings.broker_url or url_of_running(settings.state) or "memory://"


def _result_backend(url: str) -> str:
    if url.startswith(("redis://", "rediss://", "redis+socket://", "socket://")):
        return f"tasks.broker.result_backend:ReliableRedisBackend+{url}"
    if url.startswith("sentinel://"):
        return f"tasks.broker.result_backend:ReliableSentinelBackend+{url}"
    return "cache+memory://" if url == "memory://" else url


app = Celery("voxchord", task_cls="tasks.task:VoxchordTask", amqp="tasks.broker.transport:Wire")
broker = broker_of(settings, _broker_url())
_results = settings.result_url or broker.url
app.conf.update(
    broker_url=broker.url,
    result_backend=_result_backend(_results),
    include=["tasks.render", "tasks.stages", "tasks.stitch", "tasks.reconcile"],
    # JSON only, no pickle
    task_serializer="json",
    result_serializer="json",
    event_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    # routing
    task_queues=[queue(name) for name in QUEUES],
    task_default_queue="voxchord",
    task_create_missing_queues=True,  # the workers of gpu.<host>.<n> declare them
    task_routes={task: {"queue": queue} for queue, tasks in QUEUES.items() for task in tasks},
    task_inherit_parent_priority=True,
    worker_prefetch_multiplier=1,
    # delivery
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_deduplicate_successful_tasks=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_publish_retry_policy={
        "max_retries": 60,
        "interval_start": 0.2,
        "interval_step": 0.5,
        "interval_max": 3,
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options=broker.transport_options(),
    broker_use_ssl=broker.tls(),
    broker_heartbeat=settings.visibility_timeout_s,  # AMQP only
    result_backend_transport_options={
        "visibility_timeout": settings.visibility_timeout_s,
        **sentinel_options(_results, settings.sentinel_master),
    },
    redis_backend_use_ssl=redis_tls(_results, settings.tls_ca),
    result_backend_always_retry=True,
    result_backend_max_retries=200,
    result_expires=_DAY_S,
    result_chord_expires=3 * _DAY_S,
    result_failure_expires=7 * _DAY_S,
    # states and events
    task_track_started=True,  # for roots; stages turn it off
    result_extended=False,
    worker_send_task_events=True,
    worker_hijack_root_logger=True,
    worker_redirect_stdouts=False,
    worker_proc_alive_timeout=120,
    worker_eta_task_limit=1000,
    enable_utc=True,
)
SendReconcile.interval_s = settings.reconcile_s
EndAtStandstill.limit_s = settings.visibility_timeout_s
app.steps["consumer"].update((RenewVisibility, GatherEvents, SendReconcile, EndAtStandstill))
app.steps["worker"].add(parent_watch.EndWithStarter)
app.user_options["worker"].add(parent_watch.OPTION)


@signals.celeryd_init.connect
def _private(**_: object) -> None:
    """Make the worker's files private to its user, and keep script text out of its log."""
    from tasks.privacy import requests

    os.umask(0o077)
    requests.shut()


signals.celeryd_after_setup.connect(heartbeat.introduce, weak=False)
history_settings = MeterSettings(folder=settings.history_folder, app_version=_settings.VERSION)
_history = install.install(history_settings, lambda: settings.history_url)
if settings.metrics_port:
    from tasks.metering import prometheus

    _history.on_written = prometheus.install(
        app,
        history_settings.spool,
        _settings.VERSION,
        port=settings.metrics_port,
        address=settings.metrics_address,
    ).count
if not settings.metering:
    instruments.configure(None)
