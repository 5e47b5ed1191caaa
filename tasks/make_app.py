"""Creation of the Celery app.

The settings follow measurements of Celery 5.7 on Redis: late acknowledgement, bounded retries of tasks that
kill their worker, a short visibility timeout that live workers renew, and private keys for unacknowledged
messages (all apps on a broker share the default ones). `tasks.broker.transport` has what depends on the
broker.
"""

import os
from typing import Any

from celery import signals

from pipeline.engines.heap import use_one_heap
from tasks import diff, reconcile, render, retry, stages, stitch, takes
from tasks.broker.message_screen import ScreenMessages
from tasks.broker.queues import QUEUES
from tasks.broker.transport import Broker, queue, redis_tls, sentinel_options
from tasks.broker.transport import of as broker_of
from tasks.handover.sender import HandOverBooks
from tasks.metering import install, instruments, prometheus
from tasks.notification.notifier import SendNotices
from tasks.orchestration.resources import VoxchordApp
from tasks.privacy import requests
from tasks.settings import VERSION, Settings
from tasks.worker import heartbeat, parent_watch, pool_commands, shutdown
from tasks.worker.clock_step import SynchroniseClock
from tasks.worker.event_batching import GatherEvents
from tasks.worker.internals_check import CheckInternals
from tasks.worker.reconcile_timer import SendReconcile
from tasks.worker.stall_watchdog import EndAtStandstill
from tasks.worker.visibility import RenewVisibility

STEPS = (SynchroniseClock, RenewVisibility, GatherEvents, SendReconcile, EndAtStandstill, ScreenMessages)
_DAY_S = 24 * 3600


def make_app(settings: Settings, broker_url: str) -> VoxchordApp:
    """Create the app with its tasks, for workers and clients.

    Args:
        broker_url: the broker to use, for example the embedded one's if the settings name none.
    """
    app = VoxchordApp(settings, broker_of(settings, broker_url))
    app.conf.update(_configuration(settings, app.broker))
    for module in (render, retry, diff, stages, stitch, takes, reconcile):
        module.register(app)
    app.steps["consumer"].update(STEPS)
    app.steps["worker"].update((parent_watch.EndWithStarter, CheckInternals, SendNotices, HandOverBooks))
    app.user_options["worker"].add(parent_watch.OPTION)
    signals.celeryd_init.connect(_make_private, weak=False)
    signals.celeryd_init.connect(_make_safe, weak=False)
    signals.celeryd_init.connect(_bound_memory, weak=False)
    signals.celeryd_after_setup.connect(heartbeat.introduce, weak=False)
    signals.worker_shutting_down.connect(shutdown.note_shutdown, weak=False)
    signals.worker_process_shutdown.connect(shutdown.end_child, weak=False)
    _install_metering(app)
    return app


def _configuration(settings: Settings, broker: Broker) -> dict[str, Any]:
    """Celery's configuration."""
    results = settings.result_url or broker.url
    return {
        "broker_url": broker.url,
        "result_backend": _result_backend(results),
        # JSON only, no pickle
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        # routing
        "task_queues": [queue(name) for name in QUEUES],
        "task_default_queue": "voxchord",
        "task_create_missing_queues": True,  # the workers of gpu.<host>.<n> declare them
        "task_routes": {task: {"queue": name} for name, tasks in QUEUES.items() for task in tasks},
        "task_inherit_parent_priority": True,
        "worker_prefetch_multiplier": 1,
        # delivery
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_deduplicate_successful_tasks": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_publish_retry_policy": {
            "max_retries": 60,
            "interval_start": 0.2,
            "interval_step": 0.5,
            "interval_max": 3,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,  # READONLY, OOM, MISCONF: a worker connects again, and goes on
        "broker_transport_options": broker.transport_options(),
        "broker_use_ssl": broker.tls(),
        "broker_heartbeat": settings.visibility_timeout_s,  # AMQP only
        "result_backend_transport_options": {
            "visibility_timeout": settings.visibility_timeout_s,
            **sentinel_options(results, settings.sentinel_master),
        },
        "redis_backend_use_ssl": redis_tls(results, settings.tls_ca),
        "result_backend_always_retry": True,
        "result_backend_max_retries": 200,
        "result_expires": _DAY_S,
        "result_chord_expires": 3 * _DAY_S,
        "result_failure_expires": 7 * _DAY_S,
        # states and events
        "task_track_started": True,  # for roots; stages turn it off
        "result_extended": False,
        "worker_send_task_events": True,
        "worker_hijack_root_logger": True,
        "worker_redirect_stdouts": False,
        "worker_proc_alive_timeout": 120,
        "worker_eta_task_limit": 1000,
        "enable_utc": True,
    }


def _result_backend(url: str) -> str:
    if url.startswith(("redis://", "rediss://", "redis+socket://", "socket://")):
        return f"tasks.broker.result_backend:ReliableRedisBackend+{url}"
    if url.startswith("sentinel://"):
        return f"tasks.broker.result_backend:ReliableSentinelBackend+{url}"
    return "cache+memory://" if url == "memory://" else url


def _make_private(**_: object) -> None:
    """Make the worker's files private to its user, and keep script text out of its log."""
    os.umask(0o077)
    requests.shut()


def _bound_memory(**_: object) -> None:
    """Let all threads of the worker and of its children use one heap.

    Each thread that reads segments for a stitch would leave its own behind: 25 MB, of which nothing is used.
    """
    use_one_heap()


def _make_safe(**_: object) -> None:
    """Replace the commands of operators that would stop a worker's work."""
    pool_commands.register()


def _install_metering(app: VoxchordApp) -> None:
    settings, meter_settings = app.settings, app.resources.meter_settings
    history = install.install(meter_settings, lambda: settings.history_url)
    if settings.metrics_port:
        history.on_written = prometheus.install(
            app,
            meter_settings.spool,
            VERSION,
            port=settings.metrics_port,
            address=settings.metrics_address,
        ).count
    if not settings.metering:
        instruments.configure(None)
