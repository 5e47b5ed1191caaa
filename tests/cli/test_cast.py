"""Casts with paces, levels and aliases, through the command line and real workers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

SCRIPT = """Nora: The harbour is quiet tonight, and the lamps along the pier are out.
Bob: Then we should wait here until the first boat comes in from the bay.
Bobby (laughing): Nobody will come tonight, not even for all the fish in the sea.
Nora: Go home, both of you, and leave the long rope on the wall behind the door.
"""
CAST = """cast:
  Nora: {voice: heron, pace: 0.8}
  Bob: {voice: wren, gain_db: -6, aliases: [Bobby]}
"""
Turns = list[dict[str, Any]]


def rendered(run: Run, tmp_path: Path, name: str, cast: str) -> tuple[dict[str, Any], Turns]:
    script, file, out = tmp_path / "play.txt", tmp_path / f"{name}.yaml", tmp_path / f"{name}.wav"
    script.write_text(SCRIPT)
    file.write_text(cast)
    done = run("render", script, "-o", out, "--cast", file, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), json.loads(out.with_suffix(".turns.json").read_text())


@pytest.mark.slow
def test_a_cast_sets_paces_levels_and_aliases(run: Run, tmp_path: Path) -> None:
    plain = "cast:\n  Nora: heron\n  Bob: {voice: wren, aliases: [Bobby]}\n"
    before, turns_before = rendered(run, tmp_path, "plain", plain)
    after, turns_after = rendered(run, tmp_path, "extras", CAST)
    assert before["speakers"] == after["speakers"] == ["Nora", "Bob"]
    assert [turn["speaker"] for turn in turns_after] == ["Nora", "Bob", "Bob", "Nora"]
    lengths_s = [[turn["end_s"] - turn["start_s"] for turn in turns] for turns in (turns_before, turns_after)]
    ratios = [now_s / then_s for then_s, now_s in zip(*lengths_s, strict=True)]
    assert [ratios[1], ratios[2]] == pytest.approx([1.0, 1.0], abs=0.01)
    assert all(1.1 < ratio < 1.3 for ratio in (ratios[0], ratios[3])), (
        "the voice does not slow down by all of it"
    )
    then, now = (
        {each["speaker"]: each["gain_db"] for each in done["loudness"]["voices"]} for done in (before, after)
    )
    assert now["Bob"] - then["Bob"] == pytest.approx(-6, abs=0.5)
    assert now["Nora"] == pytest.approx(then["Nora"], abs=1)


def test_what_an_engine_cannot_do_is_named_with_the_line(ask: Run, tmp_path: Path) -> None:
    script, file = tmp_path / "play.txt", tmp_path / "cast.yaml"
    script.write_text(SCRIPT)
    file.write_text(CAST.replace("0.8", "3"))
    done = ask("check", script, "--cast", file, "--json")
    assert done.returncode == 3
    reasons = [problem["reason"] for problem in json.loads(done.stdout)["problems"]]
    assert f"pace 3: engine hibari has 0.6 to 1.6 ({file}, line 2)" in reasons
