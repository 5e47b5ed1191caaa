"""Tests of the difference between two versions of a script."""

from pathlib import Path
from typing import Any

import pytest

from bench.harness.prose import turns
from pipeline.errors import OptionError, ScriptError
from tasks.diff import compare
from tasks.orchestration.resources import Resources
from tasks.render import accept
from tasks.settings import Settings
from tests.tasks.conftest import Service

TURNS = 120


def script(changed: dict[int, str] | None = None) -> str:
    spoken = turns(7, 3)
    lines = [next(spoken) for _ in range(TURNS)]
    said = [f"Speaker {number + 1}: {(changed or {}).get(i, text)}" for i, (number, text) in enumerate(lines)]
    return "\n".join(said)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    return Resources(Settings(state=Path(tmp_path_factory.mktemp("diff"))))


def planned(resources: Resources, said: str, **request: Any) -> str:
    return accept(resources, said, request.get("voices", {}), request.get("options", {}), set()).job


def test_equal_versions_differ_in_nothing(resources: Resources) -> None:
    job = planned(resources, script())
    found = compare(resources, script(), job)
    assert found == compare(resources, script(), old_script=script())
    assert (found["changed"], found["removed"], found["audio_s"]) == ((), (), 0)
    assert found["unchanged"] == found["segments"] > 5


def test_an_edited_line_changes_its_own_segment(resources: Resources) -> None:
    job = planned(resources, script())
    found = compare(resources, script({60: "The secret word is xylophone."}), job)
    (changed,), (removed,) = found["changed"], found["removed"]
    assert changed["first_line"] <= 61 <= changed["last_line"]
    assert removed["first_line"] <= 61 <= removed["last_line"]
    assert found["audio_s"] == changed["audio_s"] > 0
    assert found["unchanged"] == found["segments"] - 1
    assert "xylophone" not in repr(found)


def test_voices_and_options_of_the_job_are_adopted(resources: Resources) -> None:
    given: dict[str, Any] = {"voices": {"Speaker 1": "finch"}, "options": {"seed": 5, "pace": 1.1}}
    job = planned(resources, script(), **given)
    assert compare(resources, script(), job)["changed"] == ()
    slower = compare(resources, script(), job, options={"pace": 0.9})
    assert len(slower["changed"]) == slower["segments"]
    other = compare(resources, script(), job, voices={"Speaker 1": "crane"})
    assert other["changed"]
    alone = "\n".join(line for line in script().splitlines() if not line.startswith("Speaker 1:"))
    assert compare(resources, alone, job)["changed"], "a voice of somebody who no longer speaks is no error"


def test_without_a_history_the_duration_is_unknown(resources: Resources) -> None:
    estimate = compare(resources, script(), old_script=script({3: "Something else."}))["estimate"]
    assert estimate == {
        "work_s": None,
        "wall_s": None,
        "processes": None,
        "based_on_audio_s": None,
        "days": 30,
    }


def test_reasons_have_no_words_of_the_scripts(resources: Resources) -> None:
    words = "the treaty was signed in the cellar of the bakery"
    with pytest.raises(OptionError) as refused:
        compare(resources, f"A: {words}", old_script="B: Yes.", options={"form": words})
    assert "cellar" not in str(refused.value)
    with pytest.raises(OptionError, match="no job has this ID"):
        compare(resources, script(), "0" * 20)
    with pytest.raises(OptionError, match="either a job or an old script"):
        compare(resources, script())
    with pytest.raises(ScriptError, match="neither text nor a list"):
        compare(resources, None, old_script=script())


def test_another_app_asks_for_a_difference_and_its_duration(service: Service) -> None:
    job = service.render("Anna: One two three.\nBen: Four five six.", options={"title": "Diff"})["job"]
    service.attempts(job, "stitch")
    asked = {"job": job, "script": f"Anna: One two three.\nBen: {8 * 'Seven, eight, nine and ten. '}"}
    found = service.app.send_task("voxchord.diff", kwargs=asked, queue="voxchord").get(timeout=60)
    (changed,) = found["changed"]
    assert (changed["first_line"], changed["last_line"], changed["made"]) == (1, 2, False)
    assert 0 < found["estimate"]["wall_s"] <= found["estimate"]["work_s"] < 60
    service.render(asked["script"])
    again = service.app.send_task("voxchord.diff", kwargs=asked, queue="voxchord").get(timeout=60)
    assert (again["changed"][0]["made"], again["audio_s"]) == (True, 0)
