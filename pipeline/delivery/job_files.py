"""Files of a finished job, copied out of the store: the audio, and what is written beside it."""

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.delivery.delivery import Delivery, Input, sha256_of
from pipeline.errors import RetryableError
from pipeline.file_formats import ARCHIVE, SUBTITLE_FORMATS
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.script.turns import Work

Content = Callable[[Path], object]
"""Writes the content of a file to a path."""
_SUBTITLES = {kind: f".{kind}" for kind in SUBTITLE_FORMATS}
_OTHERS = {"turns": ".turns.json", "words": ".words.json", "chapters": ".chapters.json", "cues": ".cues.json"}
_BESIDE = {
    **dict.fromkeys(_SUBTITLES.values(), "subtitles"),
    _OTHERS["turns"]: "turns",
    _OTHERS["words"]: "word times",
    _OTHERS["chapters"]: "chapters",
    _OTHERS["cues"]: "times of cues",
}
"""Endings of the files that are written beside the audio, and what they hold."""
_BLOCK = 1 << 20


def delivery_of(
    jobs: Jobs, output: Path, *, folder: bool = False, inputs: tuple[Input, ...] = (), force: bool = False
) -> Delivery:
    """Delivery of a job: the audio, and subtitles, turns and word times beside it.

    Args:
        output: path of the audio's file, or of the folder of one file per chapter.
    """
    targets = {} if folder else {output: "audio"}
    targets |= {_beside(output, ending, folder=folder): what for ending, what in _BESIDE.items()}
    return Delivery(jobs.store, targets, folder=output if folder else None, inputs=inputs, force=force)


def deliver(jobs: Jobs, manifest: Mapping[str, Any], output: Path, delivery: Delivery) -> None:
    """Copy a finished job's files to where `delivery_of` checked that they can be written.

    Raises:
        RetryableError: a file of the job is missing or damaged.
        OptionError: a file cannot be written or may not be replaced.
    """
    folder = delivery.folder is not None
    beside = {ending: manifest["subtitles"][kind] for kind, ending in _SUBTITLES.items()}
    beside |= {ending: manifest[name] for name, ending in _OTHERS.items() if manifest.get(name)}
    contents: dict[Path, Content] = {
        _beside(output, ending, folder=folder): partial(copy_artifact, jobs, manifest, artifact)
        for ending, artifact in beside.items()
    }
    with contextlib.ExitStack() as stack:
        if folder:
            files = stack.enter_context(audio_files(jobs, manifest, ""))
            contents = {output / name: content for name, content in files.items()} | contents
        else:
            contents = {output: partial(copy_artifact, jobs, manifest, manifest["audio"]), **contents}
        advice = f"the finished job is retained: `fetch {manifest['job']} -o OUTPUT` copies it"
        delivery.write(contents, advice)


@contextlib.contextmanager
def audio_files(jobs: Jobs, manifest: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Content]]:
    """Files of a job's audio by their names: those of its archive, or one alone.

    Args:
        name: name of a file alone, without its ending.

    Raises:
        RetryableError: the file is missing or damaged; raised by the contents too.
    """
    file_format = manifest["file_format"]
    if not file_format.endswith(ARCHIVE):
        yield {f"{name}.{file_format}": partial(copy_artifact, jobs, manifest, manifest["audio"])}
        return
    with tempfile.TemporaryDirectory(dir=jobs.store.scratch(), prefix="deliver-") as scratch:
        path = Path(scratch) / "audio.zip"
        copy_artifact(jobs, manifest, manifest["audio"], path)
        with zipfile.ZipFile(path) as archive:
            yield {Path(member).name: partial(_extract, archive, member) for member in archive.namelist()}


def _extract(archive: zipfile.ZipFile, member: str, path: Path) -> None:
    with archive.open(member) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)


def title_of(plan: Plan, work: Work) -> str:
    """Title of a job's file for listeners: the job's, the book's, or one with the job's ID."""
    return plan.options.title or work.title or f"Job {plan.job}"


def copy_artifact(jobs: Jobs, manifest: Mapping[str, Any], artifact: Mapping[str, Any], path: Path) -> None:
    """Copy a file of a job.

    Raises:
        RetryableError: it is missing or damaged.
    """
    objects, name = jobs.store.objects, artifact["name"]
    whole = objects.size(name) == artifact["bytes"]
    if whole:
        objects.get_file(name, path)
        whole = sha256_of(path) == artifact["sha256"]
    if not whole:
        objects.delete(manifest["audio"]["name"])  # without it, the next request joins the segments again
        raise RetryableError(f"{name} is missing or damaged in the store; render the script again")


def _beside(output: Path, ending: str, *, folder: bool) -> Path:
    """Path of a file beside the audio, or beside the folder of it."""
    return output.with_name(output.name + ending) if folder else output.with_suffix(ending)
