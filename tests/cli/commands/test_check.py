"""`check` as people and programs run it, and the same summary before a render and in its manifest."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.harness.recordings import speech, wav
from cli.scripts import given_voices, inputs
from tests.cli.conftest import Run

SCRIPT = """Title: The Lamp

Mia: We begin at nine. (quietly) Bring a lamp.
rolf: I shall.[pause:1s] Yes.
Mia: Good¹.

The door closed.
Rolf: Go.
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.txt"
    path.write_text(SCRIPT)
    return path


def test_a_sound_script_is_summed_up(ask: Run, script: Path) -> None:
    done = ask("check", script, "--json", "--voice", "ROLF=heron")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) >= {"form", "speakers", "words", "problems", "notices"}
    assert found["form"] == "labels"
    assert [
        (speaker["name"], speaker["voice"], speaker["turns"], speaker["words"])
        for speaker in found["speakers"]
    ] == [("Mia", "crane", 3, 11), ("Rolf", "heron", 2, 4)]
    assert (found["words"], found["problems"]) == (15, [])
    assert [notice["line"] for notice in found["notices"]] == [1, 3, 4, 5, 7]
    assert all(set(notice) == {"line", "reason"} for notice in found["notices"])
    assert found["omitted"]["footnote mark"] == {"count": 1, "words": 0}


def test_every_problem_is_named_at_once_with_exit_code_3(ask: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("Mia: Hello \u2603.\nRolf: [pause:9]\nMia: это\nRolf: Fine.\n")
    done = ask("check", path, "--json", "--voice", "Nobody=wren", "--voice", "Mia=unknown")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert [problem["line"] for problem in found["problems"]] == [1, 1, 1, 2, 3]
    assert [speaker["name"] for speaker in found["speakers"]] == ["Mia", "Rolf"]
    shown = ask("check", path)
    assert shown.returncode == 3
    assert "line 3" in shown.stdout
    assert "Mia: это" in shown.stdout, "the line itself is printed below its problem"
    rendered = ask("render", path, "-o", tmp_path / "x.wav")
    assert rendered.returncode == 3
    assert rendered.stderr.count("line ") == 3


def test_a_cast_file_gives_voices_and_its_faults_are_named_with_lines(ask: Run, script: Path) -> None:
    cast = script.with_name("cast.yaml")
    cast.write_text("cast:\n  MIA: finch\n  Rolf: {voice: crane}\n")
    done = ask("check", script, "--json", "--cast", cast, "--voice", "rolf=wren")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(each["name"], each["voice"]) for each in found["speakers"]] == [
        ("Mia", "finch"),
        ("Rolf", "wren"),
    ]
    cast.write_text("cast:\n  Mia: unknown\n  Rolf: heron\n  Nobody: wren\n")
    done = ask("check", script, "--json", "--cast", cast)
    assert done.returncode == 3
    reasons = [problem["reason"] for problem in json.loads(done.stdout)["problems"]]
    assert len(reasons) == 2
    assert "voice 'wren': assigned to 'Nobody', who does not speak; speakers: Mia and Rolf" in reasons[0]
    assert "cast.yaml, line 4)" in reasons[0]
    assert "voice 'unknown': unknown; available: presets wren, heron, finch, crane" in reasons[1]
    assert "cast.yaml, line 2)" in reasons[1]
    cast.write_text("Mia\n")
    done = ask("check", script, "--cast", cast)
    assert done.returncode == 3
    assert "line 1: is not a mapping of speakers to voices" in done.stderr
    assert ask("check", script, "--cast", cast.with_name("none.yaml")).returncode == 3


def test_recordings_of_a_cast_file_are_found_beside_it(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "mia.wav").write_bytes(b"")
    cast = tmp_path / "cast.toml"
    cast.write_text('Mia = "voices/mia.wav"\nRolf = "voices/rolf.wav"\n')
    given = given_voices(["Ann=heron"], cast)
    assert given.voices == {
        "Ann": "heron",
        "Mia": str(tmp_path / "voices" / "mia.wav"),
        "Rolf": "voices/rolf.wav",
    }
    assert given.places == {"Mia": f"{cast}, line 1", "Rolf": f"{cast}, line 2"}
    described = {str(each.path) for each in inputs(tmp_path / "script.txt", given)}
    assert {str(cast), given.voices["Mia"]} <= described


def test_recordings_that_cannot_be_used_are_problems_beside_all_others(ask: Run, script: Path) -> None:
    tone = script.with_name("tone.wav")
    tone.write_bytes(wav(np.sin(np.arange(48_000) / 9).astype(np.float32)))
    cast = script.with_name("cast.yaml")
    cast.write_text("Mia: tone.wav\nRolf: ./none.wav\nNobody: wren\n")
    done = ask("check", script, "--json", "--cast", cast)
    assert done.returncode == 3, done.stderr
    reasons = sorted(problem["reason"] for problem in json.loads(done.stdout)["problems"])
    assert len(reasons) == 3
    assert "is not speech: a voice is heard in 0% of it" in reasons[1]
    assert "cast.yaml, line 1)" in reasons[1]
    assert "voice './none.wav': there is no such file" in reasons[0]
    shifted = script.with_name("shifted.wav")
    shifted.write_bytes(wav(speech() * np.float32(0.5) + np.float32(0.2)))
    done = ask("check", script, "--json", "--voice", f"Mia={shifted}")
    assert done.returncode == 0, done.stderr
    notices = [notice["reason"] for notice in json.loads(done.stdout)["notices"]]
    assert any(notice.endswith(": a constant offset was removed") for notice in notices)


def test_a_form_and_an_encoding_are_options(ask: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("Butter: Schön.\nEggs: Six.\n".encode("cp1252"))
    assert ask("check", path).returncode == 3
    done = ask("check", path, "--encoding", "cp1252", "--json")
    assert done.returncode == 3
    assert "--form" in json.loads(done.stdout)["problems"][0]["reason"]
    done = ask("check", path, "--encoding", "cp1252", "--form", "prose", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["speakers"][0]["name"] == "Narrator"


@pytest.mark.slow
def test_a_render_shows_the_summary_and_keeps_it_in_the_manifest(
    run: Run, ask: Run, script: Path, tmp_path: Path
) -> None:
    done = run("render", script, "-o", tmp_path / "play.wav")
    assert done.returncode == 0, done.stderr
    assert "2 speakers" in done.stderr
    assert "title block" in done.stderr
    (job,) = json.loads(ask("jobs", "--json").stdout)
    manifest = json.loads(ask("fetch", job["id"], "-o", tmp_path / "copy.wav", "--json").stdout)
    checked = json.loads(ask("check", script, "--json").stdout)
    del checked["problems"], checked["chapters"]
    assert manifest["script"] == checked


FOREIGN = "Mia: He said привет ☃ to her.\nRolf: Да.\nMia: Good night, Rolf.\nRolf: Good night.\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "words", "omitted", "spelled"),
    [
        ("skip", 9, {"unspeakable text": {"count": 2, "words": 2}, "symbol": {"count": 1, "words": 0}}, 0),
        ("spell", 12, {}, 8),
    ],
)
def test_unspeakable_characters_are_left_out_or_spelled_and_counted(
    run: Run, tmp_path: Path, way: str, words: int, omitted: dict[str, object], spelled: int
) -> None:
    script, out = tmp_path / "foreign.txt", tmp_path / f"{way}.flac"
    script.write_text(FOREIGN)
    checked = json.loads(run("check", script, "--unspeakable", way, "--json").stdout)
    done = run("render", script, "-o", out, "--unspeakable", way, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["script"]
    assert {name: found[name] for name in ("omitted", "spelled", "words")} == {
        **{"omitted": omitted, "spelled": spelled, "words": words},
    }
    assert (checked["omitted"], checked["spelled"], checked["problems"]) == (omitted, spelled, [])
    shown = [word["word"] for word in json.loads(out.with_suffix(".words.json").read_text())]
    assert ("привет" in shown, "Да." in shown) == (way == "spell", way == "spell")


def test_unspeakable_characters_are_problems_by_default(ask: Run, tmp_path: Path) -> None:
    script = tmp_path / "foreign.txt"
    script.write_text(FOREIGN)
    done = ask("check", script, "--json")
    assert done.returncode == 3
    assert [problem["line"] for problem in json.loads(done.stdout)["problems"]] == [1, 1, 2]
    assert "there are error, skip, spell" in ask("check", script, "--unspeakable", "drop").stderr
