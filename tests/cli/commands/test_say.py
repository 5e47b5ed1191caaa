"""`say`: one line without a service, to a file or to a player."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.harness.recordings import recording
from tests.cli.conftest import Run


def test_a_line_is_spoken_to_a_file_without_a_service(ask: Run, tmp_path: Path) -> None:
    output = tmp_path / "line.flac"
    begun_s = time.monotonic()
    done = ask("say", "Well, well. It is late.", "-v", "heron", "-o", output)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun_s < 30
    samples, rate_hz = soundfile.read(output)
    assert rate_hz == 24_000
    assert 1 < len(samples) / rate_hz < 5
    assert f"{output}: {len(samples) / rate_hz:.1f} s" in done.stdout
    folders = {path.name for path in (tmp_path / "state").rglob("*") if path.is_dir()}
    assert folders == {"store", "delivered", ".scratch"}, "no broker, no job, no history"


def test_a_voice_may_be_a_recording(ask: Run, tmp_path: Path) -> None:
    voice = tmp_path / "guest.wav"
    voice.write_bytes(recording(3))
    outputs = [tmp_path / f"{name}.wav" for name in ("preset", "imitated")]
    for output, given in zip(outputs, ("wren", voice), strict=True):
        done = ask("say", "Well, well. It is late.", "-v", given, "-o", output)
        assert done.returncode == 0, done.stderr
    preset, imitated = (soundfile.read(output)[0] for output in outputs)
    assert not np.array_equal(preset, imitated)


def test_an_entry_of_a_lexicon_is_shown_and_heard(ask: Run, tmp_path: Path) -> None:
    lexicon = tmp_path / "lexicon.yaml"
    lexicon.write_text("Nuala: Noola\n")
    plain, respelt = (tmp_path / f"{name}.wav" for name in ("plain", "respelt"))
    done = ask("say", "Nuala came at 8:30–9:15.", "-o", respelt, "--lexicon", lexicon)
    assert (done.returncode, done.stderr.strip()) == (0, "spoken: Noola came at 8:30 to 9:15.")
    assert ask("say", "Nuala came at 8:30–9:15.", "-o", plain).returncode == 0
    assert not np.array_equal(soundfile.read(plain)[0], soundfile.read(respelt)[0])
    refused = ask("say", "Hi.", "-o", lexicon.with_suffix(".wav"), "--lexicon", tmp_path / "none.yaml")
    assert refused.returncode == 3
    assert "cannot read" in refused.stderr


def test_without_a_file_the_line_is_played(ask: Run, tmp_path: Path) -> None:
    programs, played = tmp_path / "bin", tmp_path / "played.wav"
    programs.mkdir()
    player = programs / "aplay"
    player.write_text(f'#!/bin/sh\nexec /bin/cp "$2" {played}\n')
    player.chmod(0o755)
    done = ask("say", "Well, well.", PATH=str(programs))
    assert done.returncode == 0, done.stderr
    assert soundfile.info(played).duration > 0.5
    player.write_text("#!/bin/sh\necho no device >&2\nexit 2\n")
    failed = ask("say", "Well, well.", PATH=str(programs))
    assert failed.returncode == 3
    assert "aplay cannot play it: no device; name a file with `-o`" in failed.stderr
    player.unlink()
    missing = ask("say", "Well, well.", PATH=str(programs))
    assert missing.returncode == 3
    assert "no player is installed" in missing.stderr


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("Hi [rate:9]you[/rate].", (), "line 1: [rate:…] is outside 0.25 to 4.0"),
        ("Hi.", ("--voice", "nobody"), "voice 'nobody': unknown"),
        ("Hi.", ("--normalize", "dates"), "'dates' is unknown; there are all, none, address"),
        ("Hi.", ("--option", "warmth=1"), "unknown option"),
        (" ", (), "the script is empty"),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    ask: Run, tmp_path: Path, text: str, options: tuple[str, ...], reason: str
) -> None:
    output = tmp_path / "line.wav"
    done = ask("say", text, "-o", output, *options)
    assert done.returncode == 3
    assert reason in done.stderr
    assert not output.exists()


def test_a_file_of_the_user_is_not_replaced(ask: Run, tmp_path: Path) -> None:
    output = tmp_path / "mine.wav"
    output.write_bytes(b"mine")
    refused = ask("say", "Hi there.", "-o", output)
    assert (refused.returncode, output.read_bytes()) == (3, b"mine")
    assert ask("say", "Hi there.", "-o", output, "--force").returncode == 0
    assert soundfile.info(output).duration > 0.3
