"""Tables of the history, one schema for SQLite and PostgreSQL.

Every column has a description: PostgreSQL stores it as the column's comment, `column_doc` has the same text
for SQLite. Units are part of names (`_s`, `_bytes`, `_j`, `_pct`). NULL means "not measured", never 0.
Booleans are 0 and 1, so that the same SQL runs on both.

A figure that can be obtained in several ways has a column that names its method (`rss_peak_method`,
`cpu_scope`, `gpu_mem_method`, `energy_scope`).
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

from db.types import BigId, UtcDateTime

STATES = (
    "SUCCESS",
    "FAILURE",
    "RETRY",
    "IGNORED",
    "REJECTED",
    "HANDED_BACK",
    "REVOKED",
    "TIMEOUT",
    "OOM",
    "LOST",
)
"""States in which an attempt can end."""

JOB_STATES = ("RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")
JOB_END_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def _column(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str) -> Column[Any]:
    return Column(name, kind, comment=comment)


def _text(name: str, comment: str) -> Column[Any]:
    return _column(name, Text(), comment)


def _count(name: str, comment: str) -> Column[Any]:
    return _column(name, BigInteger(), comment)


def _bytes(name: str, comment: str) -> Column[Any]:
    return _column(f"{name}_bytes", BigInteger(), comment)


def _seconds(name: str, comment: str) -> Column[Any]:
    return _column(f"{name}_s", Float(53), comment)


def _number(name: str, comment: str) -> Column[Any]:
    return _column(name, Float(53), comment)


def _flag(name: str, comment: str) -> Column[Any]:
    return _column(name, SmallInteger(), f"{comment} 0 or 1.")


def _moment(name: str, comment: str) -> Column[Any]:
    return _column(name, UtcDateTime(), f"{comment} UTC.")


_IDENTITY = (
    Column("id", BigId, primary_key=True, autoincrement=True, comment="Row number, without meaning."),
    Column(
        "attempt_uid",
        String(36),
        nullable=False,
        unique=True,
        comment="UUID (version 7) created when the attempt starts; makes repeated inserts harmless.",
    ),
    _text("task_id", "Celery's task ID, the same for retries and redeliveries."),
    _text("root_id", "Task ID of the root task."),
    _text("parent_id", "Task ID of the sending task."),
    _text("group_id", "ID of its group or chord header."),
    _text("job", "Job ID."),
    _count("segment", "Index of the segment in the job, from 0."),
    _column("attempt", Integer(), "Number of retries before this attempt; equal for redeliveries."),
    _column("delivery_no", Integer(), "Number of deliveries of the message, if the broker counts them."),
    _flag("redelivered", "The broker had delivered the message before."),
    Column("task_name", Text(), nullable=False, comment="Task name."),
    _text("queue", "Queue of the message."),
    _column("priority", Integer(), "Priority of the message."),
    _text("app_version", "Version of the code."),
    _column("stats_version", Integer(), "Version of the measurement methods."),
    _column("labels", JSON(), "Not filled."),
    _text("host", "Host name of the machine."),
    _text("worker", "Celery's worker name."),
    _column("worker_pid", Integer(), "ID of the process that ran it."),
    _text("pool", "Pool type: prefork, threads, solo."),
    _column("concurrency", Integer(), "Slots of the worker."),
    _column("child_seq", Integer(), "Number of attempts started by the process, including this one."),
    _column("overlap_max", Integer(), "Most concurrent attempts in its process; above 1 figures are shared."),
)
_OUTCOME = (
    Column("state", Text(), nullable=False, comment=f"Outcome: {', '.join(STATES)}."),
    _text("exc_type", "Class of the exception raised, or of the failure returned."),
    _text("exc_message", "Its message, at most 500 characters; of unexpected exceptions the source line."),
    _column("exit_signal", Integer(), "Signal that killed the process."),
    _text("oom_source", "Memory that was exhausted: cgroup, host, device, python."),
    _column("max_retries", Integer(), "Retry limit of the task."),
    _seconds("retry_delay", "Delay before the next attempt."),
    _seconds("soft_limit", "Soft time limit."),
    _seconds("hard_limit", "Hard time limit."),
)
_TIME = (
    _moment("published_at", "Send time of this attempt's message."),
    _moment("first_published_at", "Send time of the task's first attempt."),
    _moment("eta_at", "Earliest start: countdown, or back-off of a retry."),
    _moment("received_at", "Time at which the worker received the message."),
    _moment("started_at", "Start of the body."),
    _moment("finished_at", "End of the body."),
    _count("started_epoch", "started_at in whole seconds since 1970."),
    _count("finished_epoch", "finished_at in whole seconds since 1970."),
    _seconds("broker_wait", "Wait in the broker, from the send time or the ETA."),
    _seconds("prefetch_wait", "Wait in the worker between receipt and start."),
    _seconds("queue_wait", "Sum of both waits, without ETA and back-off."),
    _seconds("total", "Time from the first send to the end."),
    _flag("clock_skew", "A negative wait was set to 0, since the clocks of two machines differ."),
    _seconds("run", "Duration of the body, by a monotonic clock."),
    _seconds(
        "share",
        "Share of run_s: time divided among the attempts that ran in the process, as CPU and device figures "
        "are. Compare those with this column. Equal to run_s if the attempt ran alone.",
    ),
)
_CPU = (
    _seconds("cpu_user", "CPU time in user mode; see cpu_scope."),
    _seconds("cpu_system", "CPU time in kernel mode; see cpu_scope."),
    _seconds("cpu_children", "CPU time of child processes that ended and were waited for."),
    _text(
        "cpu_scope",
        "process: the attempt ran alone in its process, exact; share: attempts overlapped, and the use of "
        "the process was divided evenly among them.",
    ),
    _seconds(
        "cpu_wait",
        "Time its threads were runnable with no free core; of ended threads the last known value. Not for "
        "short tasks.",
    ),
    _column("cpus_allowed", Integer(), "Cores that the process may use."),
    _seconds("cpu_throttled", "Time the cgroup was throttled by its CPU quota. Not for short tasks."),
    _seconds(
        "cpu_psi", "Time that some task of the cgroup (v2) or host waited for a core. Not for short tasks."
    ),
    _count("ctx_vol", "Voluntary context switches."),
    _count("ctx_invol", "Involuntary context switches."),
    _count("faults_minor", "Page faults without a read."),
    _count("faults_major", "Page faults with a read from disk."),
    _column("threads_peak", Integer(), "Most threads of the process, sampled."),
)
_MEMORY = (
    _bytes("rss_start", "Resident memory of the process at the start."),
    _bytes("rss_end", "Resident memory of the process at the end."),
    _bytes("rss_mean", "Mean of the samples of resident memory."),
    _bytes("rss_peak", "Peak resident memory during the attempt; see rss_peak_method."),
    _text(
        "rss_peak_method",
        "hwm_reset: exact, the high-water mark was reset at the start; hwm_rose: exact, it rose meanwhile; "
        "sampled: largest sample, may miss a spike; maxrss_lifetime: peak of the process since its start.",
    ),
    _bytes("pss_end", "Proportional set size at the end: shared pages are divided among processes."),
    _bytes("uss_end", "Unique set size at the end: pages that no other process shares."),
    _bytes("swap_end", "Swapped memory at the end."),
    _bytes("children_rss_peak", "Peak resident memory of all child processes together, sampled."),
    _bytes("mem_limit", "Memory limit of the cgroup."),
    _bytes(
        "cgroup_peak",
        "Peak of the cgroup's memory, if it rose meanwhile; includes page cache and other processes.",
    ),
    _count("oom_kills", "Processes of the cgroup or host that the OOM killer killed meanwhile."),
)
_IO = (
    _count("io_read_bytes", "Bytes read from storage."),
    _count("io_write_bytes", "Bytes written to storage."),
    _count("io_rchar", "Bytes read by system calls, including page cache hits."),
    _count("io_wchar", "Bytes written by system calls, including the page cache."),
    _count("io_read_calls", "Read calls."),
    _count("io_write_calls", "Write calls."),
)
_GPU = (
    _column("gpu_count", Integer(), "Devices visible to the process."),
    _text("gpu_uuid", "UUID of the device used."),
    _text("gpu_name", "Name of the device."),
    _flag("gpu_mig", "The device is a MIG slice."),
    _text("driver_version", "Version of the NVIDIA driver."),
    _text("cuda_version", "CUDA version of torch, else of the driver."),
    _bytes("gpu_mem_alloc_peak", "Peak memory allocated by torch's allocator."),
    _bytes("gpu_mem_reserved_peak", "Peak memory reserved by torch's allocator."),
    _bytes("gpu_mem_start", "Memory allocated by torch's allocator at the start."),
    _bytes("gpu_mem_proc_peak", "Peak device memory of this process; see gpu_mem_method."),
    _bytes("gpu_mem_device_peak", "Peak device memory of all processes on the device."),
    _bytes("gpu_mem_total", "Memory of the device."),
    _text(
        "gpu_mem_method", "nvml_pid: own process in the driver's list; device_delta: growth of the device."
    ),
    _number("gpu_util_mean_pct", "Mean share of time with a kernel of any process running on the device."),
    _number("gpu_util_max_pct", "Largest such sample."),
    _number("gpu_sm_proc_pct", "Mean share of the multiprocessors used by this process."),
    _number("gpu_membw_mean_pct", "Mean share of time with device memory reads or writes."),
    _seconds(
        "gpu_active",
        "Utilisation integrated over share_s; additive, unlike a percentage.",
    ),
    _number("gpu_power_mean_w", "Mean power of the device."),
    _number("gpu_temp_max_c", "Highest temperature."),
    _text("gpu_throttle_reasons", "Reasons of clock throttling, if any."),
    _count("gpu_alloc_retries", "Allocations that first had to empty torch's cache."),
    _count("gpu_ooms", "Failed allocations."),
    _column(
        "gpu_cotenants_max", Integer(), "Most other processes on the device; above 0 its figures are shared."
    ),
)
_ENERGY = (
    _number("gpu_energy_j", "Energy of the device during the attempt."),
    _number("cpu_energy_j", "Energy of the CPU packages during the attempt."),
    _text("energy_method", "nvml_counter, nvml_power (mean power times time), rapl; joined by a plus."),
    _text(
        "energy_scope",
        "device_exclusive: the attempt alone used the device; share_by_time: divided among the attempts of "
        "the only process on it; device_shared, host_shared: includes other processes; joined by a plus.",
    ),
)
_WORK = (
    _text("engine", "Engine."),
    _text("model", "Model or voice file."),
    _text("model_version", "Revision of the model."),
    _text("device", "Device of the stage: cpu, or cuda: with the index or UUID. NULL while undecided."),
    _text("dtype", "Number format of the model, if the job requested one."),
    _text("voice", "Not filled: a segment may have several."),
    _text("lang", "Language."),
    _count("chars_in", "Characters of text."),
    _count("tokens_in", "Tokens of text."),
    _count("segments", "Segments planned or joined."),
    _column("batch_size", Integer(), "Mean number of segments in the decoding batch."),
    _column(
        "graphs_refused",
        Integer(),
        "Parts of the decoder that could not be captured as CUDA graphs and are launched kernel by kernel.",
    ),
    _flag("cache_hit", "The result existed already."),
    _seconds("audio", "Duration of the audio made."),
    _column("sample_rate", Integer(), "Samples per second of that audio."),
    _number("rtf", "Real-time factor, run_s / audio_s: below 1 is faster than real time."),
    _seconds("ttfa", "Time from the start to the first audio."),
    _seconds("model_load", "Time spent waiting for a model to load, in this or another attempt."),
    _flag("cold_start", "The attempt loaded a model first, or waited for one."),
    _count("bytes_out", "Bytes stored."),
    _column("take", Integer(), "Take of the segment that was decoded or checked, from 0."),
    _text("findings", "Kinds of the findings for which the check failed the take; empty if it passed."),
    _number("score", "Score of the take: 1 without findings, the lower the worse."),
)
_QUALITY = (
    _column("sample_count", Integer(), "Number of samples of means and sampled peaks."),
    _seconds("sample_interval", "Shortest interval between samples."),
    _seconds("sampler_cpu", "CPU time of the sampling thread during the attempt."),
    _flag("stats_complete", "The attempt recorded its own end."),
    _moment("recorded_at", "Time at which the row was created."),
    _flag("spooled", "The row passed through the local spool."),
)

task_run = Table(
    "task_run",
    metadata,
    *_IDENTITY,
    *_OUTCOME,
    *_TIME,
    *_CPU,
    *_MEMORY,
    *_IO,
    *_GPU,
    *_ENERGY,
    *_WORK,
    *_QUALITY,
    Index(None, "root_id"),
    Index(None, "job"),
    Index(None, "task_id", "attempt"),
    # Each of the next four covers one or two queries, in their order of grouping and ranking.
    Index(
        "task_run_waiting_idx",
        *("started_epoch", "queue", "broker_wait_s", "prefetch_wait_s", "queue_wait_s"),
    ),
    Index(
        "task_run_speed_idx",
        *("task_name", "engine", "device", "rtf", "started_epoch", "app_version", "cold_start", "state"),
        *("run_s", "model_load_s"),
        sqlite_where=text("state = 'SUCCESS'"),
        postgresql_where=text("state = 'SUCCESS'"),
    ),
    Index(
        "task_run_releases_idx",
        *("app_version", "task_name", "engine", "device", "rtf", "started_epoch"),
        sqlite_where=text("state = 'SUCCESS' AND rtf IS NOT NULL AND cold_start = 0"),
        postgresql_where=text("state = 'SUCCESS' AND rtf IS NOT NULL AND cold_start = 0"),
    ),
    Index(
        "task_run_threads_idx",
        *("task_name", "engine", "device", "worker", "started_epoch", "finished_epoch", "run_s"),
        sqlite_where=text("pool = 'threads'"),
        postgresql_where=text("pool = 'threads'"),
    ),
    Index(
        "task_run_segment_takes_idx",
        *("job", "segment"),
        sqlite_where=text("take < 100 AND state = 'SUCCESS'"),
        postgresql_where=text("take < 100 AND state = 'SUCCESS'"),
    ),
    Index(None, "app_version", "started_epoch"),
    Index(
        "task_run_not_success_idx",
        "started_epoch",
        sqlite_where=text("state <> 'SUCCESS'"),
        postgresql_where=text("state <> 'SUCCESS'"),
    ),
    comment="One row per attempt of every task, including killed ones.",
)

job = Table(
    "job",
    metadata,
    Column("id", Text(), primary_key=True, comment="Job ID, a hash of the request."),
    _text("root_id", "Celery's ID of the task whose result is the manifest."),
    Column("state", Text(), nullable=False, comment=f"{', '.join(JOB_STATES)}."),
    Column(
        "run_no",
        Integer(),
        nullable=False,
        server_default="1",
        comment="Raised when an ended job is restarted; an earlier run cannot change a later one.",
    ),
    _moment("created_at", "Time of the request."),
    _moment("started_at", "Time at which its segments were last sent."),
    _moment("finished_at", "End of the job."),
    _count("created_epoch", "created_at in whole seconds since 1970."),
    _count("started_epoch", "started_at in whole seconds since 1970."),
    _count("finished_epoch", "finished_at in whole seconds since 1970."),
    _text("engine", "Engine."),
    _text("format", "Format of the finished file."),
    _count("segments", "Segments planned."),
    _count("segments_done", "Segments that existed at its start; of a successful job, at its end."),
    _count("speakers", "Speakers in the script."),
    _count("words", "Words in the script."),
    _count("chars_in", "Characters in the script."),
    _seconds("audio", "Duration of the finished file."),
    _number("speed", "Audio seconds per second from the request, or the last restart, to the end."),
    _text("error", "Reason of the failure."),
    _flag("refused", "The request was refused before it was planned; the newest are retained."),
    _column("priority", Integer(), "Not filled: task_run has the priority of each message."),
    _column("labels", JSON(none_as_null=True), "Labels of the first request for it: `client` over HTTP."),
    Column(
        "updated_epoch_ms",
        BigInteger(),
        nullable=False,
        server_default="0",
        comment="Time of the newest value in this row; older values never replace it.",
    ),
    Index(None, "created_epoch"),
    Index(None, "state"),
    Index(
        "job_refused_idx",
        *("created_epoch", "id"),
        sqlite_where=text("refused = 1"),
        postgresql_where=text("refused = 1"),
    ),
    comment="One row per job. The artifact store is authoritative; this is the list.",
)

job_action = Table(
    "job_action",
    metadata,
    Column("action_uid", Text(), primary_key=True, comment="ID of the action; of a retry that of its task."),
    Column("job", Text(), nullable=False, comment="Job ID."),
    _text("action", "cancel or retry."),
    _text("actor", "Person: user@host on the command line, or the user of Flower."),
    _text("via", "Where it was requested: cli, flower, or task for another app."),
    _count("segment", "The only segment that was retried; NULL for all."),
    _moment("acted_at", "Time of the action."),
    _count("acted_epoch", "acted_at in whole seconds since 1970."),
    Index(None, "job"),
    Index(None, "acted_epoch"),
    comment="One row per action of a person on a job.",
)

http_client = Table(
    "http_client",
    metadata,
    Column("name", Text(), primary_key=True, comment="Name of the client."),
    Column("key_hash", Text(), nullable=False, unique=True, comment="SHA-256 of its key, in hex."),
    _count("characters_per_day", "Most characters of text in 24 hours; NULL: unlimited."),
    _count("jobs_at_once", "Most unfinished requests; NULL: unlimited."),
    _count("requests_per_minute", "Most requests in 60 seconds; NULL: unlimited."),
    _moment("created_at", "Time at which the key was created."),
    _moment("revoked_at", "Time at which the key was revoked; NULL: it is valid."),
    comment="One row per client of the HTTP service.",
)

http_request = Table(
    "http_request",
    metadata,
    Column("task_id", Text(), primary_key=True, comment="ID of the task that it sent; root_id in task_run."),
    Column("client", Text(), nullable=False, comment="Name of the client."),
    _count("chars_in", "Characters of its text."),
    _count("requested_epoch", "Time of the request, in whole seconds since 1970."),
    _count("ended_epoch", "End of the response or of the job; NULL while it lasts."),
    Index(None, "client", "requested_epoch"),
    Index(None, "requested_epoch"),
    comment="One row per request of a client with a key.",
)

worker_proc = Table(
    "worker_proc",
    metadata,
    Column("proc_uid", String(36), primary_key=True, comment="UUID created when the process starts."),
    _text("worker", "Celery's worker name."),
    _text("host", "Host name of the machine."),
    _column("pid", Integer(), "Process ID."),
    _column("parent_pid", Integer(), "Process ID of the worker's main process."),
    _text("pool", "Pool type."),
    _column("concurrency", Integer(), "Slots of the worker."),
    _moment("started_at", "Time at which the process ran its first task."),
    _count("started_epoch", "started_at in whole seconds since 1970."),
    _text("boot_id", "The kernel's ID of this boot of the machine."),
    _text("app_version", "Version of the code."),
    _column("stats_version", Integer(), "Version of the measurement methods."),
    _text("python_version", "Version of Python."),
    _text("platform", "Kernel and architecture."),
    _text("cpu_model", "Name of the CPU."),
    _column("cpus", Integer(), "Cores of the machine."),
    _column("cpus_allowed", Integer(), "Cores that the process may use."),
    _bytes("ram", "Memory of the machine."),
    _bytes("mem_limit", "Memory limit of the cgroup."),
    _column("gpus", JSON(), "Names and UUIDs of measured devices, if any."),
    Index(None, "worker", "pid"),
    comment="One row per process that ran tasks.",
)

task_sample = Table(
    "task_sample",
    metadata,
    Column("attempt_uid", String(36), primary_key=True, comment="The attempt."),
    Column(
        "at_ms", BigInteger(), primary_key=True, autoincrement=False, comment="Milliseconds since its start."
    ),
    _bytes("rss", "Resident memory of the process."),
    _bytes("children_rss", "Resident memory of its child processes."),
    _seconds("cpu", "CPU time of the process since the attempt started."),
    _column("threads", Integer(), "Threads of the process."),
    _number("gpu_util_pct", "Share of time with a kernel running on the device."),
    _bytes("gpu_mem", "Device memory in use by all processes."),
    _number("gpu_power_w", "Power of the device."),
    _count("sampled_epoch", "Time of the sample, in whole seconds since 1970."),
    Index(None, "sampled_epoch"),
    comment="Samples of long attempts.",
)

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Upper bounds of run time in histograms, whose counts can be added up, unlike percentiles."""
TAKES_BY_HAND = 100
"""First number of takes made by hand, as in `pipeline.jobs.takes`."""


def bucket_column(bound_s: float) -> str:
    """Name of the column that counts runs up to a bound.

    >>> bucket_column(0.25), bucket_column(30.0)
    ('run_le_250ms', 'run_le_30000ms')
    """
    return f"run_le_{round(bound_s * 1000)}ms"


def _key(name: str, comment: str) -> Column[Any]:
    return Column(name, Text(), primary_key=True, comment=f"{comment} Empty if unknown.")


rollup_hour = Table(
    "rollup_hour",
    metadata,
    Column(
        "hour_epoch",
        BigInteger(),
        primary_key=True,
        autoincrement=False,
        comment="Start of the hour, since 1970.",
    ),
    _key("task_name", "Task."),
    _key("queue", "Queue."),
    _key("engine", "Engine."),
    _key("device", "Device."),
    _key("app_version", "Version of the code."),
    _count("n", "Attempts that started in the hour."),
    _count("n_not_success", "Those that did not end in SUCCESS."),
    _count("n_retry", "Those that ended in RETRY."),
    _count("n_killed", "Those that ended in TIMEOUT, OOM or LOST."),
    _seconds("run_sum", "Sum of run_s."),
    _seconds("run_max", "Largest run_s."),
    _seconds("cpu_sum", "Sum of CPU seconds, user, system and children."),
    _seconds("cpu_wait_sum", "Sum of cpu_wait_s."),
    _count("n_queue_wait", "Attempts whose wait is known."),
    _seconds("queue_wait_sum", "Sum of queue_wait_s."),
    _seconds("queue_wait_max", "Largest queue_wait_s."),
    _bytes("rss_peak_max", "Largest rss_peak_bytes."),
    _bytes("gpu_mem_reserved_peak_max", "Largest gpu_mem_reserved_peak_bytes."),
    _seconds("gpu_active_sum", "Sum of gpu_active_s; NULL if none was measured."),
    _number("energy_j_sum", "Sum of energy; NULL if none was measured."),
    _seconds("audio_sum", "Sum of audio_s."),
    _count("chars_in_sum", "Sum of chars_in."),
    _count("bytes_out_sum", "Sum of bytes_out."),
    *(_count(bucket_column(bound), f"Attempts with run_s of at most {bound:g} s.") for bound in BUCKETS_S),
    comment="Permanent hourly aggregates, with counts per bound in place of percentiles.",
)


def _rollup(
    name: str,
    comment: str,
    *columns: Column[Any],
    hour: str = "Start of the hour in which the attempts started, since 1970.",
) -> Table:
    """Table of aggregates by hour; several rows of one key add up."""
    return Table(
        f"rollup_{name}",
        metadata,
        Column("id", BigId, primary_key=True, autoincrement=True, comment="Row number, without meaning."),
        _count("hour_epoch", hour),
        *columns,
        Index(None, "hour_epoch"),
        comment=comment,
    )


rollup_outcome = _rollup(
    "outcome",
    "Permanent aggregates by hour and outcome; several rows of one hour and outcome add up.",
    _text("task_name", "Task."),
    _text("engine", "Engine."),
    _text("device", "Device."),
    _text("pool", "Pool type."),
    _text("state", "Outcome."),
    _text("exc_type", "Class of the exception."),
    _text("energy_scope", "As in task_run."),
    _flag("cold_start", "As in task_run."),
    _text(
        "bound_by", "gpu, cpu, starved or waiting, as the query `bound` defines them; NULL if not measured."
    ),
    _flag("has_audio", "audio_s is above 0."),
    _count("n", "Attempts."),
    _count("n_run", "Attempts with run_s."),
    _seconds("run_sum", "Sum of run_s."),
    _count("n_ended", "Attempts with run_s and an end."),
    _seconds("ended_run_sum", "Sum of run_s of attempts with an end."),
    _seconds("cpu_sum", "Sum of CPU seconds, where all three kinds are known."),
    _count("n_gpu_active", "Attempts with gpu_active_s."),
    _seconds("gpu_active_sum", "Sum of gpu_active_s."),
    _count("n_energy", "Attempts with measured energy."),
    _number("energy_sum_j", "Sum of energy."),
    _seconds("audio_sum", "Sum of audio_s."),
    _seconds("made_audio_sum", "Sum of audio_s that was decoded, not reused."),
    _count("n_model_load", "Attempts with model_load_s."),
    _seconds("model_load_sum", "Sum of model_load_s."),
    _seconds("model_load_max", "Largest model_load_s."),
    _count("n_gpu_mem", "Attempts that reserved device memory; the next columns refer to them."),
    _bytes("gpu_mem_reserved_sum", "Sum of gpu_mem_reserved_peak_bytes."),
    _bytes("gpu_mem_reserved_max", "Largest gpu_mem_reserved_peak_bytes."),
    _bytes("gpu_mem_alloc_sum", "Sum of gpu_mem_alloc_peak_bytes."),
    _bytes("gpu_mem_total_max", "Largest gpu_mem_total_bytes."),
    _count("gpu_alloc_retries_sum", "Sum of gpu_alloc_retries."),
    _count("gpu_ooms_sum", "Sum of gpu_ooms."),
)

rollup_process = _rollup(
    "process",
    "Aggregates by hour and process, for the slope of its memory; rows of one key add up.",
    _text("task_name", "Task."),
    _text("worker", "Celery's worker name."),
    _column("worker_pid", Integer(), "ID of the process."),
    _count("n", "Attempts with child_seq and rss_start_bytes."),
    _column("seq_sum", Numeric(), "Sum of child_seq."),
    _column("rss_start_sum", Numeric(), "Sum of rss_start_bytes."),
    _column("seq_rss_sum", Numeric(), "Sum of child_seq times rss_start_bytes."),
    _column("seq_seq_sum", Numeric(), "Sum of child_seq squared."),
    _bytes("rss_start_max", "Largest rss_start_bytes."),
    _bytes("rss_start_min", "Smallest rss_start_bytes."),
)

rollup_request = _rollup(
    "request",
    "First start and last end by hour and request; several rows of one key add up.",
    _text("root_id", "Task ID of the root task."),
    _count("first_epoch", "Earliest started_epoch."),
    _count("last_epoch", "Latest finished_epoch."),
)

rollup_memory = _rollup(
    "memory",
    "Aggregates by hour and peak memory, for percentiles in MiB; rows of one key add up.",
    _text("task_name", "Task."),
    _count("peak_mib", "rss_peak_bytes in whole MiB."),
    _count("n", "Attempts with an exact peak."),
    _bytes("rss_peak_max", "Largest rss_peak_bytes."),
    _number("limit_max_pct", "Largest rss_peak_bytes in percent of mem_limit_bytes."),
)

rollup_request_cost = _rollup(
    "request_cost",
    "Aggregates by hour and request; rows of one key add up.",
    _text("root_id", "Task ID of the root task."),
    _text("job", "Job ID."),
    _count("n", "Attempts."),
    _seconds("run_sum", "Sum of run_s."),
    _seconds("cpu_sum", "Sum of CPU seconds, user, system and children."),
    _seconds("audio_sum", "Sum of audio_s of decoding."),
    _seconds("gpu_active_sum", "Sum of gpu_active_s."),
)

rollup_take = _rollup(
    "take",
    "Permanent aggregates of takes by hour and findings; rows of one key add up.",
    _text("engine", "Engine."),
    _text("findings", "Kinds of the findings; empty if the take passed."),
    _count("n", "Takes that were checked; negative where later attempts changed what had been counted."),
    _count("n_score", "Takes with a score."),
    _number("score_sum", "Sum of score."),
    _count("n_made_again", "Takes with findings that have a next take."),
    _count("n_replaced", "Those whose next take passed."),
    _seconds("next_run_sum", "Sum of run_s of their next takes."),
    _seconds("next_cpu_sum", "Sum of CPU seconds of their next takes, user, system and children."),
    hour="Start of the hour of the take's first attempt, since 1970.",
)

rollup_worker = _rollup(
    "worker",
    "Aggregates by hour and worker; rows of one key add up.",
    _text("worker", "Celery's worker name."),
    _count("n", "Attempts that overlap the hour."),
    _seconds("busy_sum", "Sum of their run time within the hour."),
    _column("concurrency_max", Integer(), "Largest number of slots."),
    hour="Start of the hour, since 1970.",
)

rollup_mark = Table(
    "rollup_mark",
    metadata,
    Column("name", Text(), primary_key=True, comment="task_run."),
    Column(
        "through_id",
        BigInteger(),
        nullable=False,
        comment="Rows of task_run up to this id are in rollup_outcome, rollup_process and rollup_request, "
        "each once.",
    ),
    Column(
        "figures_through_id",  # not in a row: releases before 0014 set through_id of all rows
        BigInteger(),
        nullable=False,
        server_default="0",
        comment="Rows of task_run up to this id are in rollup_memory, rollup_request_cost, rollup_take and "
        "rollup_worker, each once.",
    ),
    comment="Progress of the aggregates that follow task_run by its id.",
)

column_doc = Table(
    "column_doc",
    metadata,
    Column("table_name", Text(), primary_key=True, comment="Table."),
    Column("column_name", Text(), primary_key=True, comment="Column."),
    _text("doc", "Description."),
    comment="Description of each column: the text of PostgreSQL's column comments, for SQLite.",
)

TABLES = metadata.tables
