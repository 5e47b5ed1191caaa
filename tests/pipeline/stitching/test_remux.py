"""Files joined from runs that were encoded before."""

from array import array
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soxr
from mutagen.mp4 import MP4

from bench.harness.controls import Watch
from bench.stitch import RATE_HZ, sentence
from pipeline.arrays import Pcm, Samples
from pipeline.engines.protocol import Utterance
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span
from pipeline.script.turns import ScriptChapter
from pipeline.stitching import mixer
from pipeline.stitching.encoders import pcm, writer
from pipeline.stitching.loudness import spans
from pipeline.stitching.mixer import PAUSES, Mix, Sound, Stitched, stitch
from pipeline.stitching.remux import boxes
from pipeline.stitching.remux.encoded_run import AAC, AAC_FRAME, MP3, OPUS, Codec, EncodedRun
from pipeline.stitching.tags import ChapterTag, Tags
from pipeline.stitching.timeline import Timeline, lay_out

CHAPTER_PAUSE_MS = 500
every_format = pytest.mark.parametrize(
    ("file_format", "codec"), [("m4b", AAC), ("aac", AAC), ("mp3", MP3), ("opus", OPUS)]
)


class Runs:
    """Encoded runs in memory, with a log of what was encoded."""

    def __init__(self) -> None:
        self.runs: dict[str, EncodedRun] = {}
        self.encoded = 0

    def sound(self, segment: PlannedSegment) -> str:
        return segment.key

    def get(self, key: str) -> EncodedRun | None:
        return self.runs.get(key)

    def put(self, key: str, run: EncodedRun) -> None:
        self.runs[key] = run
        self.encoded += 1


class Book:
    """Chapters of two sentences of speech-like sound, by the seeds of the sentences."""

    def __init__(self, *chapters: tuple[int, int], floor: float = 0.0) -> None:
        self.parts: list[tuple[PlannedSegment, SegmentAudio | None]] = []
        self.samples: dict[str, Samples] = {}
        for index, seeds in enumerate(chapters):
            joined, found = _joined(seeds, floor)
            key = f"{seeds}"
            lines = tuple(
                PlannedLine(
                    2 * index + line, 2 * index + line + 1, "A", "Words.", 0 if line else CHAPTER_PAUSE_MS
                )
                for line in (0, 1)
            )
            self.samples[key] = joined
            self.parts.append(
                (PlannedSegment(index, key, 0, lines, ("A",), 2), SegmentAudio(RATE_HZ, len(joined), found))
            )
        self.chapters = [ScriptChapter(f"Chapter {i + 1}", 2 * i) for i in range(len(chapters))]

    def stitch(self, out: Path, runs: Runs | None = None, file_format: str = "m4b") -> Stitched:
        return stitch(
            self.parts,
            lambda planned: self.samples[planned.key],
            out=out,
            file_format=file_format,
            sample_rate_hz=RATE_HZ,
            words_per_s=2.5,
            control=Watch(),
            chapters=self.chapters,
            encoded_runs=runs,
        )

    def timeline(self, codec: Codec = AAC) -> Timeline:
        turns = {chapter.turn for chapter in self.chapters}
        return lay_out(
            self.parts,
            pauses=PAUSES,
            sample_rate_hz=RATE_HZ,
            words_per_s=2.5,
            frame=codec.frame(RATE_HZ),
            run_pause_frames=codec.pause_frames,
            chapter_turns=turns,
        )

    def pcm(self, codec: Codec = AAC) -> Pcm:
        """Samples of the file before they are encoded."""
        timeline = self.timeline(codec)
        mix = Mix(timeline, mixer.TARGETS)
        sound = Sound(
            self.parts, lambda planned: self.samples[planned.key], mix, Watch(), lambda done, of: None
        )
        return np.concatenate([pcm(block) for run in timeline.runs() for block in sound.blocks(run)])


@cache
def _joined(seeds: tuple[int, int], floor: float) -> tuple[Samples, tuple[Span, ...]]:
    heard = [Utterance(line, "Words.", _spoken(seed, floor)) for line, seed in enumerate(seeds)]
    return spans(heard, RATE_HZ)


@cache
def _spoken(seed: int, floor: float) -> Samples:
    """Start and end of a sentence, with a floor of noise that is half a second longer."""
    whole = sentence(seed)
    speech = np.concatenate([whole[:RATE_HZ], whole[-RATE_HZ:]])
    noise = np.random.default_rng(seed).standard_normal(len(speech) + RATE_HZ // 2).astype(np.float32)
    noise *= np.float32(floor)
    noise[: len(speech)] += speech
    return noise


def decoded(path: Path) -> Samples:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames)


BOOK = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


def test_runs_begin_at_frames_and_cover_the_file() -> None:
    runs = Book(*BOOK).timeline().runs()
    assert len(runs) == len(BOOK)
    assert all(run.start % AAC_FRAME == 0 for run in runs)
    assert [run.end for run in runs[:-1]] == [run.start for run in runs[1:]]
    assert all(run.items[0].start == run.start + AAC_FRAME for run in runs[1:])


def test_files_of_known_runs_are_equal_and_read_no_samples(tmp_path: Path) -> None:
    runs, book = Runs(), Book(*BOOK)
    first = book.stitch(tmp_path / "first.m4b", runs)
    book.samples.clear()
    again = book.stitch(tmp_path / "again.m4b", runs)
    assert again == first
    assert runs.encoded == len(BOOK)


@pytest.mark.parametrize("edited", [0, 2, 4])
def test_an_edit_encodes_its_own_run(tmp_path: Path, edited: int) -> None:
    runs, chapters = Runs(), [*BOOK]
    Book(*chapters).stitch(tmp_path / "first.m4b", runs)
    before, chapters[edited] = runs.encoded, BOOK[edited][::-1]
    changed = Book(*chapters)
    result = changed.stitch(tmp_path / "again.m4b", runs)
    assert runs.encoded - before == 1
    assert result.sha256 == changed.stitch(tmp_path / "fresh.m4b").sha256


def both(book: Book, folder: Path, file_format: str, codec: Codec) -> tuple[Samples, Samples, Samples]:
    """The file joined from runs, the file encoded as a whole, and the samples that are in both."""
    joined, whole = folder / f"joined.{file_format}", folder / f"whole.{file_format}"
    book.stitch(joined, file_format=file_format)
    samples = book.pcm(codec)
    with writer(whole, file_format, sample_rate_hz=RATE_HZ, samples=len(samples)) as file:
        file.write(samples)
    heard = [
        soxr.resample(decoded(path), 48_000, RATE_HZ) if file_format == "opus" else decoded(path)
        for path in (joined, whole)
    ]
    assert len(heard[0]) == pytest.approx(len(heard[1]), abs=2 * codec.frame(RATE_HZ))
    return heard[0], heard[1], samples.astype(np.float32) / np.float32(32768)


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@every_format
def test_joints_decode_as_one_encoding_of_the_whole_does(
    tmp_path: Path, file_format: str, codec: Codec
) -> None:
    book = Book(*BOOK)
    joined, whole, exact = both(book, tmp_path, file_format, codec)
    runs = book.timeline(codec).runs()
    assert len(runs) == len(BOOK)
    frame = codec.frame(RATE_HZ)
    for run in runs[1:]:
        near = slice(run.start - 3 * frame, run.start + 3 * frame)
        assert rms(joined[near] - exact[near]) < 1.1 * rms(whole[near] - exact[near]) + 5e-4
        assert np.abs(joined[run.start - frame : run.start]).max() < 1e-3, "no click in the pause"
    length = min(len(exact), len(joined), len(whole))
    assert rms(joined[:length] - exact[:length]) < 1.2 * rms(whole[:length] - exact[:length])


@every_format
def test_floors_have_no_dip_and_no_click_at_joints(tmp_path: Path, file_format: str, codec: Codec) -> None:
    book = Book(*BOOK, floor=3e-4)
    joined, whole, _ = both(book, tmp_path, file_format, codec)
    for run in book.timeline(codec).runs()[1:]:
        for start in range(run.start - 3 * AAC_FRAME, run.start + AAC_FRAME // 2, AAC_FRAME // 2):
            part = slice(start, start + AAC_FRAME // 2)
            assert 0.5 < rms(joined[part]) / rms(whole[part]) < 2
            assert np.abs(joined[part]).max() < 2 * np.abs(whole[part]).max()


def test_chapters_start_just_before_their_words(tmp_path: Path) -> None:
    result = Book(*BOOK).stitch(tmp_path / "book.m4b")
    loud = np.abs(decoded(tmp_path / "book.m4b")) > 0.003
    with av.open(str(tmp_path / "book.m4b")) as container:
        starts = [chapter["start"] * chapter["time_base"] for chapter in container.chapters()]
    assert [float(start) for start in starts] == [chapter.start_s for chapter in result.chapters]
    for chapter in result.chapters[1:]:
        start = round(chapter.start_s * RATE_HZ)
        assert not loud[start - RATE_HZ // 5 : start - RATE_HZ // 50].any()
        assert loud[start : start + RATE_HZ // 20].any()


def test_other_formats_are_one_run(tmp_path: Path) -> None:
    runs = Runs()
    Book(*BOOK).stitch(tmp_path / "book.flac", runs, "flac")
    assert not runs.runs


def test_runs_are_stored_as_arrays() -> None:
    run = EncodedRun(b"abcdef", array("I", (2, 4)))
    assert EncodedRun.of(run.arrays()) == run


def test_tables_are_before_the_sound_and_files_have_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "long.m4b"
    chapters = tuple(ChapterTag(f"Chapter {n}" + "é" * 200, n / 100, (n + 1) / 100) for n in range(300))
    with writer(
        path, "m4b", sample_rate_hz=RATE_HZ, samples=3 * RATE_HZ, tags=Tags("Long", chapters=chapters)
    ) as file:
        file.write(np.zeros(3 * RATE_HZ, np.int16))
    names, data = [], path.read_bytes()
    position = 0
    while position < len(data):
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        names.append(name)
        position += size if size > 1 else int.from_bytes(data[position + 8 : position + 16], "big")
    assert (names, position) == ([b"ftyp", b"moov", b"free", b"mdat"], len(data))
    with av.open(str(path)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [
            chapter.title for chapter in chapters
        ]
    assert len(MP4(path).chapters) == 255, "Nero's list has no more"


@pytest.mark.parametrize("samples", [0, 1, AAC_FRAME, 31 * AAC_FRAME, 31 * AAC_FRAME + 1])
def test_lengths_are_exact(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "short.m4b"
    with writer(path, "m4b", sample_rate_hz=RATE_HZ, samples=samples) as file:
        file.write(np.zeros(samples, np.int16))
    with av.open(str(path)) as container:
        assert (container.streams.audio[0].duration or 0) == samples


def test_durations_beyond_32_bits_have_64() -> None:
    assert boxes.movie_header(1, 1 << 33, 2)[8] == 1
    assert (1 << 33).to_bytes(8, "big") in boxes.track_header(1, 1 << 33, enabled=True, volume=0)
    assert (1 << 33).to_bytes(8, "big") in boxes.media_header(1, 1 << 33, "eng")
    assert (1 << 33).to_bytes(8, "big") in boxes.edit_list(1 << 33, 1024)
