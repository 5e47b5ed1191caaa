"""Archive for a bug report of one job: what explains it, without words of the script, passwords or names.

The log of a worker holds no words and no bodies of messages. All texts are masked again here: passwords of
URLs, secret settings, names of speakers.
"""

import io
import json
import platform
import re
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from tasks.settings import PREFIX, VERSION, Settings, masked

LOG_BYTES_MAX = 4 << 20
"""Longest part of a log, from its end."""
_KEYS = tuple(entry.name for entry in fields(Settings) if not entry.repr)
_SECRET_FIELDS = (*_KEYS, "flower_password", "notify")
_PRIVATE_FIELDS = ("title", "webhook", "namespace")


def write(path: Path, contents: Iterable[tuple[str, str]], secrets: Iterable[str]) -> None:
    """Write texts by name to a compressed archive, without the secrets.

    Args:
        secrets: texts that are masked wherever they occur.
    """
    hidden = sorted({each for each in secrets if len(each) > 2}, key=len, reverse=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in contents:
            data = _without(text, hidden).encode(errors="replace")
            entry = tarfile.TarInfo(f"bundle/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            archive.addfile(entry, io.BytesIO(data))


def secrets_of(found: Settings, plan: Plan | None) -> set[str]:
    """Texts that are masked: passwords, addresses of notifications, the title, and names of the speakers."""
    urls = [found.broker_url, found.result_url, found.database_url, found.store]
    urls += [found.openai_url, found.audiobookshelf_url]
    secrets = {match[1] for url in urls for match in re.finditer(r"://[^:/@]*:([^@/]*)@", url)}
    secrets |= {found.flower_password, found.flower_password.partition(":")[2], *found.notify_urls}
    secrets |= {getattr(found, name) for name in _KEYS}
    password_file = found.state / "flower.password"
    if password_file.is_file():
        secrets |= {password_file.read_text().strip().partition(":")[2]}
    if plan is not None:
        secrets |= {plan.options.title or "", *(speaker.name for speaker in plan.speakers)}
    return secrets - {""}


def contents(
    found: Settings, jobs: Jobs, job: str, rows: Mapping[str, list[dict[str, Any]]]
) -> Iterator[tuple[str, str]]:
    """Texts of the archive, by name.

    Args:
        rows: rows of the history by table.
    """
    plan = jobs.plans.get(job)
    yield "versions.json", _json(_versions())
    yield "settings.json", _json(_settings(found))
    if plan is not None:
        yield "plan.json", _json(_plan(jobs, plan))
    yield "state.json", _json(_state(jobs, job))
    manifest = jobs.outcomes.manifest(job)
    if manifest is not None:
        yield "manifest.json", _json(_manifest(manifest))
    for table, found_rows in rows.items():
        yield f"history/{table}.json", _json(found_rows)
    workers = {str(row["worker"]) for row in rows.get("task_run", ()) if row.get("worker")}
    yield from _logs(found.state / "logs", workers)


def _versions() -> dict[str, Any]:
    packages = {each.metadata["Name"]: each.version for each in distributions() if each.metadata["Name"]}
    return {
        "voxchord": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": dict(sorted(packages.items(), key=lambda item: str(item[0]).lower())),
    }


def _settings(found: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in fields(Settings):
        value = getattr(found, entry.name)
        if entry.name in _SECRET_FIELDS:
            value = "***" if value else ""
        elif isinstance(value, str):
            value = masked(value)
        values[PREFIX + entry.name.upper()] = value
    return values


def _plan(jobs: Jobs, plan: Plan) -> dict[str, Any]:
    """Plan without words, titles and names."""
    record = asdict(plan)
    record["options"] = {
        name: value for name, value in record["options"].items() if name not in _PRIVATE_FIELDS
    }
    record["speakers"] = [{"number": number} for number, _ in enumerate(plan.speakers)]
    try:
        record["pages"] = [
            {
                "index": segment.index,
                "key": segment.key,
                "words": segment.words,
                "speakers": len(segment.speakers),
                "lines": [
                    {"turn": line.turn, "source_line": line.source_line, "characters": len(line.text)}
                    for line in segment.lines
                ],
            }
            for segment in jobs.plans.segments(plan)
        ]
    except StoreError as error:
        record["pages"] = str(error)
    return record


def _state(jobs: Jobs, job: str) -> dict[str, Any]:
    coordination = jobs.coordination
    refusal = jobs.intake.refusal(job)
    return {
        "run": coordination.run_no(job),
        "open": coordination.is_open(job),
        "cancelled": coordination.cancelled(job),
        "failure": jobs.outcomes.failure(job),
        "refused": str(refusal.error) if refusal else None,
        "failed_segments": jobs.outcomes.failures(job),
        "actions": [
            {"action": each.action, "segment": each.segment, "s": each.acted_s}
            for each in jobs.actions.of(job)
        ],
        "objects": {
            name.removeprefix(f"jobs/{job}/"): size
            for name, _, size in jobs.store.objects.names(f"jobs/{job}")
        },
    }


def _manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Manifest without the names of speakers, and without the summary of the script, which quotes it."""
    shown = {name: value for name, value in manifest.items() if name not in ("speakers", "script")}
    return {**shown, "speakers": len(manifest["speakers"])}


def _logs(folder: Path, workers: set[str]) -> Iterator[tuple[str, str]]:
    """Logs on this machine of the job's workers and of the service; all logs if no worker is known."""
    names = {worker.partition("@")[0] for worker in workers}
    for path in sorted(folder.glob("*.log*")) if folder.is_dir() else ():
        if not names or path.name.partition(".")[0] in names or path.name.startswith(("broker", "flower")):
            data = path.read_bytes()[-LOG_BYTES_MAX:]
            yield f"logs/{path.name}", data.decode(errors="replace")


def _without(text: str, secrets: Iterable[str]) -> str:
    """Mask passwords of URLs, and each secret as a whole word."""
    for secret in secrets:
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return re.sub(r"(://[^:/@\s]*:)[^@/\s]*@", r"\1***@", text)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, default=str, ensure_ascii=False)
