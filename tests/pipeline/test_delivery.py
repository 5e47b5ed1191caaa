"""Tests of delivery: what a command may replace, and the permissions of what it writes."""

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.delivery.delivery import Input
from pipeline.delivery.job_files import deliver, delivery_of
from pipeline.errors import OptionError, RetryableError
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store

ENDINGS = (".flac", ".srt", ".vtt", ".turns.json", ".words.json")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Store(str(tmp_path / "store")))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "play.flac"


def finished(jobs: Jobs, content: bytes = b"audio", file_format: str = "flac") -> dict[str, Any]:
    """Manifest of a job whose files are in the store."""
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"jobs/{sha256}/audio"
    jobs.store.objects.replace(name, content)
    retained = {"name": name, "bytes": len(content), "sha256": sha256}
    return {
        "job": "a1",
        "file_format": file_format,
        "audio": retained,
        "subtitles": {"srt": retained, "vtt": retained},
        "turns": retained,
        "words": retained,
    }


def put(jobs: Jobs, output: Path, content: bytes = b"audio", **options: Any) -> None:
    delivery = delivery_of(jobs, output, **options)
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
        delivery_of(jobs, output).check()
    assert foreign.read_text() == "of the user"
    put(jobs, output, force=True)
    assert foreign.read_text() == "audio"
    put(jobs, output, b"ours now")


def test_own_files_that_were_edited_are_the_users(jobs: Jobs, output: Path) -> None:
    put(jobs, output)
    output.with_suffix(".srt").write_text("corrected by hand")
    with pytest.raises(OptionError, match=r"play\.srt \(subtitles\) was changed since voxchord wrote it"):
        delivery_of(jobs, output).check()


def test_all_files_in_the_way_are_named_at_once(jobs: Jobs, output: Path) -> None:
    for ending in ENDINGS:
        output.with_suffix(ending).touch()
    with pytest.raises(OptionError) as refused:
        delivery_of(jobs, output).check()
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
            delivery_of(jobs, output, inputs=(Input("the script", given),), force=True).check()
    assert script.read_text() == "Anna: Words."


def test_files_that_appear_during_the_work_are_not_replaced(jobs: Jobs, output: Path) -> None:
    delivery, manifest = delivery_of(jobs, output), finished(jobs)
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
        delivery_of(jobs, Path(jobs.store.url) / "jobs" / "a.flac", force=True).check()


def test_folders_and_pipes_are_named(jobs: Jobs, output: Path) -> None:
    output.mkdir()
    os.mkfifo(output.with_suffix(".srt"))
    with pytest.raises(OptionError, match=r"play\.flac \(audio\) is a folder.*play\.srt .* no regular file"):
        delivery_of(jobs, output, force=True).check()


def test_unwritable_folders_are_named_before_the_work(jobs: Jobs, output: Path) -> None:
    output.touch()
    with pytest.raises(OptionError, match=r"cannot write to .*play\.flac: Not a directory"):
        delivery_of(jobs, output / "a.flac").check()


def test_a_full_disk_leaves_earlier_files_and_names_the_remedy(jobs: Jobs, output: Path) -> None:
    put(jobs, output)
    manifest, delivery = finished(jobs, b"longer"), delivery_of(jobs, output)
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
    manifest, delivery = finished(jobs), delivery_of(jobs, output)
    jobs.store.objects.replace(manifest["audio"]["name"], b"oidua")
    with pytest.raises(RetryableError, match="missing or damaged in the store; render the script again"):
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


def archive(*names: str) -> bytes:
    """A ZIP archive of files that hold their own names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name in names:
            written.writestr(name, name)
    return buffer.getvalue()


def put_folder(jobs: Jobs, folder: Path, *names: str, force: bool = False) -> None:
    delivery = delivery_of(jobs, folder, folder=True, force=force)
    delivery.check()
    deliver(jobs, finished(jobs, archive(*names), "mp3.zip"), folder, delivery)


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_holds_the_files_of_the_archive(jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / "St. Mary"
    put_folder(jobs, folder, "01 One.mp3", "02 Two.mp3", "playlist.m3u8")
    assert held(folder) == {name: name for name in ("01 One.mp3", "02 Two.mp3", "playlist.m3u8")}
    beside = [f"St. Mary{ending}" for ending in ENDINGS[1:]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["St. Mary", "store", *beside])


def test_a_folder_never_mixes_two_deliveries(jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / "book"
    put_folder(jobs, folder, "01 One.mp3", "02 Two.mp3", "playlist.m3u8")
    put_folder(jobs, folder, "01 One.mp3", "02 Another.mp3", "playlist.m3u8")
    assert sorted(held(folder)) == ["01 One.mp3", "02 Another.mp3", "playlist.m3u8"]
    (folder / ".nomedia").touch()  # of a player
    put_folder(jobs, folder, "01 One.mp3")
    assert sorted(held(folder)) == [".nomedia", "01 One.mp3"]


def test_a_folder_with_other_files_is_refused(jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    put(jobs, folder / "play.flac")  # even if voxchord wrote them
    with pytest.raises(OptionError, match=r"files that are not of a folder of chapters \(play\.flac, "):
        put_folder(jobs, folder, "01 One.mp3")
    put_folder(jobs, folder, "01 One.mp3", force=True)
    put_folder(jobs, folder, "01 Two.mp3", force=True)
    assert {path.name for path in folder.iterdir()} == {
        "01 Two.mp3",
        *(f"play{ending}" for ending in ENDINGS),
    }


def test_a_path_may_be_that_of_a_file_and_later_of_a_folder(jobs: Jobs, tmp_path: Path) -> None:
    place = tmp_path / "book.mp3"
    for _ in range(2):
        put(jobs, place)
        place.unlink()
        put_folder(jobs, place, "01 One.mp3")
        put_folder(jobs, place, "02 Two.mp3")
        assert held(place) == {"02 Two.mp3": "02 Two.mp3"}
        (place / "02 Two.mp3").unlink()
        place.rmdir()


def test_a_file_in_place_of_a_folder_is_refused(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "book").touch()
    with pytest.raises(OptionError, match="book is no folder"):
        put_folder(jobs, tmp_path / "book", "01 One.mp3")


def test_chapters_that_were_edited_are_the_users(jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / "book"
    put_folder(jobs, folder, "01 One.mp3", "02 Two.mp3")
    (folder / "02 Two.mp3").write_text("cut by hand")
    with pytest.raises(OptionError, match=r"02 Two\.mp3 \(audio\) was changed since voxchord wrote it"):
        put_folder(jobs, folder, "01 One.mp3")
    put_folder(jobs, folder, "01 One.mp3", force=True)
    assert held(folder)["02 Two.mp3"] == "cut by hand"


def test_members_of_an_archive_stay_in_the_folder(jobs: Jobs, tmp_path: Path) -> None:
    put_folder(jobs, tmp_path / "book", "../escaped.mp3")
    assert sorted(held(tmp_path / "book")) == ["escaped.mp3"]
