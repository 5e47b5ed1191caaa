"""The tables of the history, one schema for SQLite and PostgreSQL.

Every column carries a sentence: PostgreSQL keeps it as the column's comment, `column_doc` holds the same text
for SQLite. Units ride in names (`_s`, `_bytes`, `_j`, `_pct`). NULL means "not measured", never 0. Truth
values are 0 and 1, so that one query text runs on both.

`task_run` never says more than was measured: each figure that can be had in several ways has a neighbour that
names the way (`rss_peak_method`, `cpu_scope`, `gpu_mem_method`, `energy_scope`).
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
"""How an attempt can end."""

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
    Column("id", BigId, primary_key=True, autoincrement=True, comment="Row number; no meaning."),
    Column(
        "attempt_uid",
        String(36),
        nullable=False,
        unique=True,
        comment="UUID (version 7) made when the attempt starts; makes a replayed row the same row.",
    ),
    _text("task_id", "Celery's id of the task; the same over retries and redeliveries."),
    _text("root_id", "Id of the task that began it all."),
    _text("parent_id", "Id of the task that sent this one."),
    _text("group_id", "Id of the group or chord header it belongs to."),
    _text("job", "Id of the job it worked for."),
    _count("segment", "Index of the job's segment, from 0."),
    _column("attempt", Integer(), "Retries before this attempt; a redelivery has the same number."),
    _column(
        "delivery_no", Integer(), "How often the broker handed the message out, where the broker counts."
    ),
    _flag("redelivered", "The broker handed the message out before."),
    Column("task_name", Text(), nullable=False, comment="Name of the task on the wire."),
    _text("queue", "Queue that it came from."),
    _column("priority", Integer(), "Priority of the message."),
    _text("app_version", "Version of the code."),
    _column("stats_version", Integer(), "Version of the way of measuring."),
    _column("labels", JSON(), "Not filled."),
    _text("host", "Name of the machine."),
    _text("worker", "Celery's name of the worker."),
    _column("worker_pid", Integer(), "Process that ran it."),
    _text("pool", "Kind of pool: prefork, threads, solo."),
    _column("concurrency", Integer(), "Slots of that worker."),
    _column("child_seq", Integer(), "How many attempts this process had begun, this one included."),
    _column("overlap_max", Integer(), "Most attempts at once in its process; above 1 figures are shared."),
)
_OUTCOME = (
    Column("state", Text(), nullable=False, comment=f"How it ended: {', '.join(STATES)}."),
    _text("exc_type", "Class of what it raised, or returned as its failure."),
    _text("exc_message", "Its message, at most 500 characters; for a bug only where it was raised."),
    _column("exit_signal", Integer(), "Signal that ended the process."),
    _text("oom_source", "Who ran out of memory: cgroup, host, device, python."),
    _column("max_retries", Integer(), "Retries that the task allows."),
    _seconds("retry_delay", "Time to wait before the next attempt."),
    _seconds("soft_limit", "Soft time limit."),
    _seconds("hard_limit", "Hard time limit."),
)
_TIME = (
    _moment("published_at", "When the message of this attempt was sent."),
    _moment("first_published_at", "When the task was sent for the first time."),
    _moment("eta_at", "Earliest start that was asked for: countdown, or back-off of a retry."),
    _moment("received_at", "When the worker took the message."),
    _moment("started_at", "When the body began."),
    _moment("finished_at", "When the body ended."),
    _count("started_epoch", "started_at in whole seconds since 1970."),
    _count("finished_epoch", "finished_at in whole seconds since 1970."),
    _seconds("broker_wait", "Wait in the broker: received, less published or the ETA."),
    _seconds("prefetch_wait", "Wait in the worker, received but not begun."),
    _seconds("queue_wait", "The two waits together; neither ETA nor back-off count."),
    _seconds("total", "From the first publication to the end."),
    _flag("clock_skew", "A wait came out negative and was set to 0: the clocks of two machines differ."),
    _seconds("run", "Duration of the body by a steady clock."),
    _seconds(
        "share",
        "Its part of that time: each moment divided among the attempts that ran in the process, as CPU and "
        "device figures are, so they are compared with this. The same as run_s where it was alone.",
    ),
)
_CPU = (
    _seconds("cpu_user", "CPU time in user mode; what it covers is in cpu_scope."),
    _seconds("cpu_system", "CPU time in the kernel; what it covers is in cpu_scope."),
    _seconds("cpu_children", "CPU time of child processes that ended and were waited for."),
    _text(
        "cpu_scope",
        "process: the attempt was alone in it, exact; share: others ran beside it, and what the process used "
        "was divided evenly among those that ran at the time.",
    ),
    _seconds(
        "cpu_wait",
        "Time its threads stood ready with no core free, of those that ended as far as it was seen. Not for "
        "short tasks.",
    ),
    _column("cpus_allowed", Integer(), "Cores that the process may use."),
    _seconds("cpu_throttled", "Time the cgroup was held back by its CPU quota. Not for short tasks."),
    _seconds(
        "cpu_psi", "Time that some task of the cgroup (v2) or host waited for a core. Not for short tasks."
    ),
    _count("ctx_vol", "Context switches because it waited."),
    _count("ctx_invol", "Context switches because it was pushed off the core."),
    _count("faults_minor", "Page faults without a read."),
    _count("faults_major", "Page faults with a read from disk."),
    _column("threads_peak", Integer(), "Most threads of the process, as sampled."),
)
_MEMORY = (
    _bytes("rss_start", "Resident memory of the process when it began."),
    _bytes("rss_end", "Resident memory of the process when it ended."),
    _bytes("rss_mean", "Mean of the samples of resident memory."),
    _bytes("rss_peak", "Most resident memory while it ran; how it was had is in rss_peak_method."),
    _text(
        "rss_peak_method",
        "hwm_reset: exact, the kernel's mark was reset at the start; hwm_rose: exact, it rose meanwhile; "
        "sampled: largest sample, may miss a spike; maxrss_lifetime: peak of the process since its start.",
    ),
    _bytes("pss_end", "Memory at the end, shared pages divided among those who share them."),
    _bytes("uss_end", "Memory at the end that no other process shares."),
    _bytes("swap_end", "Swapped out at the end."),
    _bytes("children_rss_peak", "Most resident memory of child processes together, as sampled."),
    _bytes("mem_limit", "Memory limit of the cgroup."),
    _bytes(
        "cgroup_peak",
        "Peak of the cgroup's memory, where it rose meanwhile; page cache and neighbours included.",
    ),
    _count("oom_kills", "Processes of the cgroup or host that the kernel killed for memory meanwhile."),
)
_IO = (
    _count("io_read_bytes", "Read from storage."),
    _count("io_write_bytes", "Sent to storage."),
    _count("io_rchar", "Bytes read by calls, page cache included."),
    _count("io_wchar", "Bytes written by calls, page cache included."),
    _count("io_read_calls", "Read calls."),
    _count("io_write_calls", "Write calls."),
)
_GPU = (
    _column("gpu_count", Integer(), "Devices that the process could see."),
    _text("gpu_uuid", "UUID of the device used."),
    _text("gpu_name", "Its name."),
    _flag("gpu_mig", "It is a MIG slice of a device."),
    _text("driver_version", "Version of the NVIDIA driver."),
    _text("cuda_version", "CUDA version of torch, else of the driver."),
    _bytes("gpu_mem_alloc_peak", "Most that torch's allocator had handed out."),
    _bytes("gpu_mem_reserved_peak", "Most that torch's allocator held."),
    _bytes("gpu_mem_start", "What torch's allocator had handed out when the attempt began."),
    _bytes("gpu_mem_proc_peak", "Most device memory of this process; how is in gpu_mem_method."),
    _bytes("gpu_mem_device_peak", "Most device memory of everybody on the device."),
    _bytes("gpu_mem_total", "Memory of the device."),
    _text(
        "gpu_mem_method", "nvml_pid: own process as the driver lists it; device_delta: growth of the device."
    ),
    _number("gpu_util_mean_pct", "Mean share of time with a kernel running on the device, by everybody."),
    _number("gpu_util_max_pct", "Largest such sample."),
    _number("gpu_sm_proc_pct", "Mean share of the multiprocessors that this process used."),
    _number("gpu_membw_mean_pct", "Mean share of time that device memory was read or written."),
    _seconds(
        "gpu_active",
        "Utilisation summed over its part of the time, share_s; can be added up, unlike a percentage.",
    ),
    _number("gpu_power_mean_w", "Mean power of the device."),
    _number("gpu_temp_max_c", "Highest temperature."),
    _text("gpu_throttle_reasons", "Why the clock was held back, where it was."),
    _count("gpu_alloc_retries", "Allocations that first had to empty torch's cache."),
    _count("gpu_ooms", "Allocations that failed."),
    _column(
        "gpu_cotenants_max", Integer(), "Most other processes on the device; above 0 its figures are shared."
    ),
)
_ENERGY = (
    _number("gpu_energy_j", "Energy of the device while the attempt ran."),
    _number("cpu_energy_j", "Energy of the CPU packages while the attempt ran."),
    _text("energy_method", "nvml_counter, nvml_power (mean power times time), rapl, joined by a plus."),
    _text(
        "energy_scope",
        "device_exclusive: alone on it; share_by_time: divided among the attempts of its process, which was "
        "alone on it; device_shared, host_shared: other processes are in it too.",
    ),
)
_WORK = (
    _text("engine", "Engine that did it."),
    _text("model", "Model or voice file."),
    _text("model_version", "Its revision."),
    _text(
        "device",
        "What a stage computed on: cpu, or cuda: with the device's index or UUID. NULL while undecided.",
    ),
    _text("dtype", "Number format of the model, where the job asked for one."),
    _text("voice", "Not filled: a segment may have several."),
    _text("lang", "Language."),
    _count("chars_in", "Characters of text."),
    _count("tokens_in", "Tokens of text."),
    _count("segments", "Segments that it planned or joined."),
    _column("batch_size", Integer(), "Segments decoded together with it."),
    _flag("cache_hit", "The result was there already."),
    _seconds("audio", "Duration of the audio it made."),
    _column("sample_rate", Integer(), "Samples per second of that audio."),
    _number("rtf", "run_s / audio_s: below 1 is faster than real time."),
    _seconds("ttfa", "From the start to the first audio."),
    _seconds("model_load", "Time it waited for models to be loaded, by itself or by another attempt."),
    _flag("cold_start", "It loaded a model first, or waited for one."),
    _count("bytes_out", "Bytes of what it stored."),
)
_QUALITY = (
    _column("sample_count", Integer(), "Samples behind means and sampled peaks."),
    _seconds("sample_interval", "Shortest time between them."),
    _seconds("sampler_cpu", "CPU time of the sampling itself, in the process, while it ran."),
    _flag("stats_complete", "The attempt lived to report its own end."),
    _moment("recorded_at", "When the row was made."),
    _flag("spooled", "It passed through the local spool."),
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
    # Each of the next six holds all that a query or two read, in the order that they group and rank by.
    Index(
        "task_run_waiting_idx",
        *("started_epoch", "queue", "broker_wait_s", "prefetch_wait_s", "queue_wait_s"),
    ),
    Index(
        "task_run_energy_idx",
        *("task_name", "engine", "device", "energy_scope", "started_epoch", "audio_s", "cpu_user_s"),
        *("cpu_system_s", "cpu_children_s", "gpu_active_s", "gpu_energy_j", "cpu_energy_j", "state"),
        sqlite_where=text("state = 'SUCCESS' AND audio_s > 0"),
        postgresql_where=text("state = 'SUCCESS' AND audio_s > 0"),
    ),
    Index(
        "task_run_bound_idx",
        *(
            "task_name",
            "started_epoch",
            "run_s",
            "cpu_user_s",
            "cpu_system_s",
            "cpu_children_s",
            "cpu_wait_s",
        ),
        *("gpu_active_s", "share_s"),
    ),
    Index(
        "task_run_leaks_idx",
        *("task_name", "worker", "worker_pid", "child_seq", "rss_start_bytes", "started_epoch"),
    ),
    Index(
        "task_run_speed_idx",
        *("task_name", "engine", "device", "rtf", "started_epoch", "app_version", "cold_start", "state"),
        *("run_s", "model_load_s"),
        sqlite_where=text("state = 'SUCCESS'"),
        postgresql_where=text("state = 'SUCCESS'"),
    ),
    Index(
        "task_run_memory_idx",
        *("task_name", "rss_peak_bytes", "started_epoch", "mem_limit_bytes", "rss_peak_method"),
        sqlite_where=text("rss_peak_method IN ('hwm_reset', 'hwm_rose')"),
        postgresql_where=text("rss_peak_method IN ('hwm_reset', 'hwm_rose')"),
    ),
    Index(None, "app_version", "started_epoch"),
    Index(
        "task_run_not_success_idx",
        "started_epoch",
        sqlite_where=text("state <> 'SUCCESS'"),
        postgresql_where=text("state <> 'SUCCESS'"),
    ),
    comment="One row per attempt of every task, also of those that were killed.",
)

job = Table(
    "job",
    metadata,
    Column("id", Text(), primary_key=True, comment="The job's id, derived from what was asked for."),
    _text("root_id", "Celery's id of the task whose result is the manifest."),
    Column("state", Text(), nullable=False, comment=f"{', '.join(JOB_STATES)}."),
    Column(
        "run_no",
        Integer(),
        nullable=False,
        server_default="1",
        comment="Counts up when an ended job is begun again; an earlier run can't change a later one.",
    ),
    _moment("created_at", "When it was asked for."),
    _moment("started_at", "When its segments were sent, the last time that it was begun."),
    _moment("finished_at", "When it ended."),
    _count("created_epoch", "created_at in whole seconds since 1970."),
    _count("started_epoch", "started_at in whole seconds since 1970."),
    _count("finished_epoch", "finished_at in whole seconds since 1970."),
    _text("engine", "Engine."),
    _text("format", "Format of the finished file."),
    _count("segments", "Segments planned."),
    _count("segments_done", "Segments that were there when it was begun; once it has succeeded, at its end."),
    _count("speakers", "Speakers in the script."),
    _count("words", "Words in the script."),
    _count("chars_in", "Characters in the script."),
    _seconds("audio", "Duration of the finished file."),
    _number("speed", "Audio seconds per second from the request to the end; once begun again, from then."),
    _text("error", "Why it failed."),
    _column("priority", Integer(), "Not filled: that of each message is in task_run."),
    _column("labels", JSON(), "Not filled."),
    Column(
        "updated_epoch_ms",
        BigInteger(),
        nullable=False,
        server_default="0",
        comment="When the newest fact in this row was written; an older fact never replaces it.",
    ),
    Index(None, "created_epoch"),
    Index(None, "state"),
    comment="One row per job. The artifact store is the truth of the work; this is the list.",
)

worker_proc = Table(
    "worker_proc",
    metadata,
    Column("proc_uid", String(36), primary_key=True, comment="UUID made when the process starts."),
    _text("worker", "Celery's name of the worker."),
    _text("host", "Name of the machine."),
    _column("pid", Integer(), "Process id."),
    _column("parent_pid", Integer(), "Process id of the worker's main process."),
    _text("pool", "Kind of pool."),
    _column("concurrency", Integer(), "Slots of the worker."),
    _moment("started_at", "When the process ran its first task."),
    _count("started_epoch", "started_at in whole seconds since 1970."),
    _text("boot_id", "The kernel's id of this boot of the machine."),
    _text("app_version", "Version of the code."),
    _column("stats_version", Integer(), "Version of the way of measuring."),
    _text("python_version", "Version of Python."),
    _text("platform", "Kernel and architecture."),
    _text("cpu_model", "Name of the CPU."),
    _column("cpus", Integer(), "Cores of the machine."),
    _column("cpus_allowed", Integer(), "Cores that the process may use."),
    _bytes("ram", "Memory of the machine."),
    _bytes("mem_limit", "Memory limit of the cgroup."),
    _column("gpus", JSON(), "Names and UUIDs of the devices, where the process measures any."),
    Index(None, "worker", "pid"),
    comment="One row per process that ran tasks.",
)

task_sample = Table(
    "task_sample",
    metadata,
    Column("attempt_uid", String(36), primary_key=True, comment="The attempt."),
    Column("at_ms", BigInteger(), primary_key=True, autoincrement=False, comment="Since its start."),
    _bytes("rss", "Resident memory of the process."),
    _bytes("children_rss", "Resident memory of its child processes."),
    _seconds("cpu", "CPU time of the process since the attempt began."),
    _column("threads", Integer(), "Threads of the process."),
    _number("gpu_util_pct", "Share of time with a kernel running on the device."),
    _bytes("gpu_mem", "Device memory in use, by everybody."),
    _number("gpu_power_w", "Power of the device."),
    _count("sampled_epoch", "When, in whole seconds since 1970."),
    Index(None, "sampled_epoch"),
    comment="A series of samples of attempts that took longer than a setting.",
)

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Upper bounds of the roll-ups' counts: percentiles can't be added up, counts can."""


def bucket_column(bound_s: float) -> str:
    """Name of the column that counts the runs up to a bound.

    >>> bucket_column(0.25), bucket_column(30.0)
    ('run_le_250ms', 'run_le_30000ms')
    """
    return f"run_le_{round(bound_s * 1000)}ms"


def _key(name: str, comment: str) -> Column[Any]:
    return Column(name, Text(), primary_key=True, comment=f"{comment} Empty where it is not known.")


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
    _seconds("gpu_active_sum", "Sum of gpu_active_s; NULL where none was measured."),
    _number("energy_j_sum", "Sum of energy; NULL where none was measured."),
    _seconds("audio_sum", "Sum of audio_s."),
    _count("chars_in_sum", "Sum of chars_in."),
    _count("bytes_out_sum", "Sum of bytes_out."),
    *(_count(bucket_column(bound), f"Attempts with run_s of at most {bound:g} s.") for bound in BUCKETS_S),
    comment="Sums per hour, kept for ever. Percentiles don't roll up: the counts per bound do.",
)

column_doc = Table(
    "column_doc",
    metadata,
    Column("table_name", Text(), primary_key=True, comment="Table."),
    Column("column_name", Text(), primary_key=True, comment="Column."),
    _text("doc", "What it holds."),
    comment="What each column holds: the text of PostgreSQL's column comments, for SQLite.",
)

TABLES = metadata.tables
