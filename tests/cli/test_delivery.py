"""Tests of delivery: what a command may replace, and the permissions of what it writes."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.delivery import Delivery, Input, deliver
from cli.errors import JobFailed
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store

ENDINGS = (".flac", ".srt", ".vtt", ".turns.json", ".words.json")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Store(str(tmp_path / "store")))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "play.flac"


def finished(jobs: Jobs, content: bytes = b"audio") -> dict[str, Any]:
    """Manifest of a job whose files are in the store."""
    retained: dict[str, Any] = {"name": f"jobs/{content.decode()}/audio", "bytes": len(content)}
    retained["sha256"] = hashlib.sha256(content).hexdigest()
    jobs.store.objects.replace(retained["name"], content)
    return {
        "job": "a1",
        "audio": retained,
        "subtitles": {"srt": retained, "vtt": retained},
        "turns": retained,
        "words": retained,
    }


def put(jobs: Jobs, output: Path, content: bytes = b"audio", **options: Any) -> None:
    delivery = Delivery.of_job(jobs, output, **options)
    delivery.check()
    deliver(jobs, finished(jobs, content), output, delivery)


def test_own_files_are_replaced(jobs: Jobs, output: Path) -> None:
    put(jobs, output)
    put(jobs, output, b"another")
    assert [output.with_suffix(ending).read_bytes() for ending in ENDINGS] == [b"another"] * len(ENDINGS)
    assert sorted(path.name for path in output.parent.iterdir()) == [
        *(f"play{ending}" for ending in sorted(ENDINGS)),
        "store",
    ]


def test_machines_with_the_same_paths_may_share_a_store(jobs: Jobs, output: Path) -> None:
    put(jobs, output)
    other = output.read_bytes()
    put(jobs, output, b"another")
    output.write_bytes(other)  # as it is on a machine that has the first job's file
    put(jobs, output, b"a third")
    assert output.read_bytes() == b"a third"


@pytest.mark.parametrize("ending", ENDINGS)
def test_foreign_files_are_replaced_only_with_force(jobs: Jobs, output: Path, ending: str) -> None:
    foreign = output.with_suffix(ending)
    foreign.write_text("of the user")
    with pytest.raises(OptionError, match=rf"play{ending} .* not written by voxchord; .* --force"):
        Delivery.of_job(jobs, output).check()
    assert foreign.read_text() == "of the user"
    put(jobs, output, force=True)
    assert foreign.read_text() == "audio"
    put(jobs, output, b"ours now")


def test_own_files_that_were_edited_are_the_users(jobs: Jobs, output: Path) -> None:
    put(jobs, output)
    output.with_suffix(".srt").write_text("corrected by hand")
    with pytest.raises(OptionError, match=r"play\.srt \(subtitles\) was changed since voxchord wrote it"):
        Delivery.of_job(jobs, output).check()


def test_all_files_in_the_way_are_named_at_once(jobs: Jobs, output: Path) -> None:
    for ending in ENDINGS:
        output.with_suffix(ending).touch()
    with pytest.raises(OptionError) as refused:
        Delivery.of_job(jobs, output).check()
    assert all(f"play{ending}" in str(refused.value) for ending in ENDINGS)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "link", [None, Path.symlink_to, Path.hardlink_to], ids=["itself", "symbolic link", "hard link"]
)
def test_inputs_are_never_replaced(
    jobs: Jobs, output: Path, ending: str, link: Callable[[Path, Path], None] | None
) -> None:
    script, target = output.parent / "script", output.with_suffix(ending)
    script.write_text("Anna: Words.")
    if link is None:
        script = script.rename(target)
    else:
        link(target, script)
    for given in (script, target):
        with pytest.raises(OptionError, match=r"is the script itself; choose another output"):
            Delivery.of_job(jobs, output, inputs=[Input("the script", given)], force=True).check()
    assert script.read_text() == "Anna: Words."


def test_files_that_appear_during_the_work_are_not_replaced(jobs: Jobs, output: Path) -> None:
    delivery, manifest = Delivery.of_job(jobs, output), finished(jobs)
    delivery.check()
    output.with_suffix(".vtt").write_text("of the user")
    with pytest.raises(OptionError, match=r"play\.vtt .* not written by voxchord.*fetch a1 -o OUTPUT"):
        deliver(jobs, manifest, output, delivery)
    assert not output.exists()
    assert output.with_suffix(".vtt").read_text() == "of the user"


def test_symbolic_links_stay_and_their_files_are_written(jobs: Jobs, output: Path) -> None:
    elsewhere = output.parent / "large"
    elsewhere.mkdir()
    output.symlink_to(elsewhere / "play.flac")
    put(jobs, output)
    put(jobs, output, b"again")
    assert output.is_symlink()
    assert (elsewhere / "play.flac").read_bytes() == b"again"


def test_artifacts_of_the_store_are_never_replaced(jobs: Jobs) -> None:
    with pytest.raises(OptionError, match="inside the artifact store"):
        Delivery.of_job(jobs, Path(jobs.store.url) / "jobs" / "a.flac", force=True).check()


def test_folders_and_pipes_are_named(jobs: Jobs, output: Path) -> None:
    output.mkdir()
    os.mkfifo(output.with_suffix(".srt"))
    with pytest.raises(OptionError, match=r"play\.flac \(audio\) is a folder.*play\.srt .* no regular file"):
        Delivery.of_job(jobs, output, force=True).check()


def test_unwritable_folders_are_named_before_the_work(jobs: Jobs, output: Path) -> None:
    output.touch()
    with pytest.raises(OptionError, match=r"cannot write to .*play\.flac: Not a directory"):
        Delivery.of_job(jobs, output / "a.flac").check()


def test_a_full_disk_leaves_earlier_files_and_names_the_remedy(jobs: Jobs, output: Path) -> None:
    put(jobs, output)
    manifest, delivery = finished(jobs, b"longer"), Delivery.of_job(jobs, output)
    delivery.check()

    def fill(path: Path) -> None:
        os.truncate(path, 2**63 - 1)  # larger than any file system allows

    with pytest.raises(OptionError, match=r"cannot write .*play\.srt: File too large; free space"):
        delivery.write(
            {output: lambda path: path.write_bytes(b"new"), output.with_suffix(".srt"): fill}, "free space"
        )
    assert output.read_bytes() == b"audio"
    deliver(jobs, manifest, output, delivery)


def test_damaged_artifacts_are_made_again(jobs: Jobs, output: Path) -> None:
    manifest, delivery = finished(jobs), Delivery.of_job(jobs, output)
    jobs.store.objects.replace(manifest["audio"]["name"], b"oidua")
    with pytest.raises(JobFailed, match="missing or damaged in the store; render the script again"):
        deliver(jobs, manifest, output, delivery)
    assert jobs.store.objects.size(manifest["audio"]["name"]) is None
    assert not output.exists()


@pytest.mark.parametrize(("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750)])
def test_delivered_files_and_folders_follow_the_umask(
    jobs: Jobs, output: Path, umask: int, file: int, folder: int
) -> None:
    before = os.umask(umask)
    try:
        put(jobs, output.parent / "new" / "one" / output.name)
    finally:
        os.umask(before)
    new = output.parent / "new"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (new, new / "one")] == [folder] * 2
    assert {stat.S_IMODE(each.stat().st_mode) for each in (new / "one").iterdir()} == {file}
