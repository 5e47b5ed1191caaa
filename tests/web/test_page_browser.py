"""Tests of the page in a real browser. Screenshots are written to `out/page`."""

import random
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import soundfile

from bench.harness import forked
from bench.harness.http_service import HttpService, bearer, http_service
from bench.harness.recordings import speech
from bench.harness.waiting import until
from tests.books import other_forms, samples
from tests.deploy import node
from tests.markdown import ROOT
from tests.takes import SETTING
from tests.tools import thorough

HERE = Path(__file__).parent / "browser"
PICTURES = ROOT / "out" / "page"
WORDS = "the mill stood by the river where a heron waited for the frost and nobody in the village had seen it"
TURNS = 200
CHANGED = "Nevertheless the miller went home."

pytestmark = thorough


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs that drive the browser, with their dependencies."""
    return node.installed(HERE, tmp_path_factory.mktemp("browser") / "programs")


def long_script(count: int = TURNS) -> str:
    """Script of about half an hour of audio, long enough to be heard before it is done."""
    words, order = WORDS.split(), random.Random(11)
    turns = (" ".join(order.choices(words, k=order.randint(8, 40))) for _ in range(count))
    names = "ABC" * count
    return "\n\n".join(
        f"{name}: {turn.capitalize()}." for name, turn in zip(names[:count], turns, strict=True)
    )


def walk(service: HttpService, driver: Path, program: str, *arguments: str) -> dict[str, Any]:
    """Walk through the page, which has no serious findings of accessibility at any width."""
    seen = node.walked(driver, program, PICTURES, {"PAGE_URL": service.url}, *arguments)
    assert seen["axe"] == [], f"serious findings of accessibility: {seen['axe']}"
    assert seen["wide"] == [], "nothing sticks out of the page"
    return seen


def finished(service: HttpService, **request: Any) -> str:
    """ID of a job that is completed, with its figures in the history."""
    created = service.ask("POST", "/v1/audio/jobs", request)
    assert created.status == 201, created.json
    name = str(created.json["id"])
    until(lambda: service.ask("GET", f"/v1/audio/jobs/{name}").json["completed_at"], timeout_s=90)
    return name


def test_a_script_becomes_a_file_and_a_line_is_changed(
    service: HttpService, driver: Path, tmp_path: Path
) -> None:
    script, file = tmp_path / "script.txt", tmp_path / "mill.mp3"
    script.write_text(long_script())
    seen = node.walked(
        driver, "path.mjs", PICTURES, {"PAGE_URL": service.url, "FILE": str(file)}, str(script), CHANGED
    )
    assert seen["complaints"] == []
    assert seen["axe"] == [], f"serious findings of accessibility: {seen['axe']}"
    assert seen["wide"] == [], "nothing sticks out of the page"
    assert (seen["faulty"], seen["blocked"]) == (["Ben: Well 😀 there."], True)
    assert seen["selected"] == "Ben: Well 😀 there."
    assert seen["preview"] == 200
    assert "segments" in seen["facts"]
    check_sound_before_the_end(seen)
    word = seen["word"]
    assert word["marked"] in word["expected"]
    check_changed_line(service, seen)
    assert seen["revision"] == 1
    assert seen["file"] == "The mill.mp3"
    assert soundfile.info(str(file)).duration > 1000
    assert seen["jobs"] == ["The mill", "The mill"]


def check_sound_before_the_end(seen: dict[str, Any]) -> None:
    early = [each for each in seen["early"] if each["status"] == "in_progress"]
    assert len(early) >= 2, "the sound began before the job was done"
    assert early[-1]["at"] > early[0]["at"], "the sound goes on while the job runs"
    assert early[0]["length"] < seen["whole"]["duration_s"] - 1
    assert seen["whole"]["length"] == pytest.approx(seen["whole"]["duration_s"], abs=1)
    assert seen["whole"]["at"] >= early[-1]["at"], "the whole file takes over where the shorter one was"


def check_changed_line(service: HttpService, seen: dict[str, Any]) -> None:
    changed = seen["changed"]
    assert changed["text"].strip() == CHANGED
    assert changed["turn"]["start_s"] <= changed["at"] <= changed["turn"]["end_s"] + 1

    def made(job: str) -> int:
        cost = service.ask("GET", f"/v1/audio/jobs/{job}").json["cost"]
        return int(cost["attempts"]) if cost else 0

    until(lambda: made(changed["id"]) > 0, timeout_s=30)
    assert made(changed["id"]) * 5 < made(seen["first"]), "only the segment of the line was made again"


def test_names_and_titles_are_text(service: HttpService, driver: Path) -> None:
    code = "<img src=x onerror=alert(1)>"
    seen = node.walked(driver, "attacks.mjs", PICTURES, {"PAGE_URL": service.url})
    assert code in seen["cast"]
    assert code in seen["speakers"]
    assert seen["title"] == code
    assert seen["jobs"][0] == code
    assert seen["images"] == 0
    assert seen["refused"] == "TypeError", "the policy of the page admits no HTML from text"
    assert all("TrustedHTML" in each for each in seen["complaints"])


def test_the_page_asks_for_a_key_and_has_it_in_its_tab_alone(keyed: HttpService, driver: Path) -> None:
    key = keyed.key("page")
    seen = node.walked(driver, "keys.mjs", PICTURES, {"PAGE_URL": keyed.url, "KEY": key})
    assert seen["axe"] == []
    assert "voxchord.key" in seen["stored"]["session"]
    assert (seen["stored"]["local"], seen["stored"]["cookie"]) == (0, "")
    assert seen["source"] == "blob:"
    assert keyed.ask("GET", "/v1/audio/jobs", **bearer(key)).json["data"], "the job is the key's own"


# -- books and comparisons ---------------------------------------------------------------------------------


def test_a_book_is_uploaded_once_and_its_chapters_are_chosen(
    service: HttpService, driver: Path, tmp_path: Path
) -> None:
    book, text, broken = tmp_path / "lamp.epub", tmp_path / "lamp.md", tmp_path / "broken.epub"
    book.write_bytes(samples.epub(3))
    text.write_text(other_forms.markdown())
    broken.write_bytes(b"PK\x03\x04 no archive")
    seen = walk(service, driver, "books.mjs", str(book), str(text), str(broken))
    assert all("400" in each for each in seen["complaints"]), "only the broken book is refused"
    assert "no archive" not in seen["refused"]
    assert seen["title"] == samples.TITLE
    chapters = seen["chapters"]
    assert [each["title"] for each in chapters if each["read"]] == list(samples.CHAPTERS)
    assert {each["facts"].rpartition(" · ")[2] for each in chapters if not each["read"]} == {
        "front matter",
        "back matter",
    }
    assert any("footnote" in each for each in seen["leftOut"])
    assert seen["part"]["words"] < seen["whole"]["words"]
    assert seen["status"] == "2 of 6 chapters chosen"
    assert seen["blocked"], "without a chapter there is nothing to render"
    assert [each["name"] for each in seen["speakers"]] == ["Narrator", "Quoted"]
    assert seen["speakers"][0]["voice"] != seen["speakers"][1]["voice"]
    assert ["Quoted", "heron"] in seen["voices"]
    assert (seen["reloaded"], seen["uploads"]) == (6, 2), "the broken file, and the book once"
    assert seen["contents"] == list(samples.CHAPTERS)
    made = service.ask("GET", f"/v1/audio/jobs/{seen['job']}/chapters").json
    assert seen["at"] == pytest.approx(made[2]["start_s"], abs=0.1)
    assert seen["text"] > 100
    assert seen["markdown"][-3:] == list(samples.CHAPTERS)


def test_pace_and_other_names_of_a_cast_and_an_archive(
    service: HttpService, driver: Path, tmp_path: Path
) -> None:
    file = tmp_path / "play.mp3.zip"
    seen = node.walked(driver, "cast.mjs", PICTURES, {"PAGE_URL": service.url, "FILE": str(file)})
    assert (seen["axe"], seen["wide"], seen["complaints"]) == ([], [], [])
    assert (seen["before"], seen["after"]) == (["Ben", "Benny", "Ann"], ["Ben", "Ann"])
    assert "pace 1.9: engine hibari has 0.6 to 1.6" in seen["faulty"][0]["reason"]
    assert seen["focus"] == "Pace of Ben", "the focus stays where it was when the cast is shown again"
    assert seen["summary"] == "Pace and other names of Ben: pace 1.2, also Benny"
    assert seen["request"]["voices"] == {"Ben": {"pace": 1.2, "aliases": ["Benny"]}}
    assert seen["heard"] in (200, 206)
    assert "M4B, a file per chapter (ZIP)" in seen["offered"]
    assert "MP3, a file per chapter (ZIP)" not in seen["offered"]
    with zipfile.ZipFile(file) as archive:
        assert [name for name in archive.namelist() if name.endswith(".mp3")] == ["01 One.mp3", "02 Two.mp3"]


def test_two_jobs_are_compared_side_by_side(service: HttpService, driver: Path) -> None:
    lines = [
        f"{'Ann' if n % 2 else 'Ben'}: Entry {n} of the log, and the tide had turned." for n in range(20)
    ]
    finished(service, title="Log, first", input="\n\n".join(lines), voices={"Ann": "wren"})
    lines[10] = "Ben: Entry ten, and nobody came."
    finished(
        service, title="Log, second", input="\n\n".join([*lines, "Ann: Good night."]), voices={"Ann": "finch"}
    )
    seen = walk(service, driver, "compare.mjs", "Log, first", "Log, second")
    assert all("404" in each for each in seen["complaints"]), "only the job that does not exist"
    assert seen["titles"] == ["Log, first", "Log, second"]
    assert "2 changes in the script, 19 lines equal" in seen["summary"]
    assert seen["settings"] == [["voice of Ann", "wren", "finch"]]
    assert seen["removed"] == ["Entry 10 of the log, and the tide had turned."]
    assert seen["added"] == ["Entry ten, and nobody came.", "Good night."]
    assert {"text", "diffusion", "stitch"} <= set(seen["stages"])
    assert all(len(row) == 4 for row in seen["figures"])
    assert any(row[0] == "Run time" and row[1] != "–" for row in seen["figures"])


# -- voices, takes, failures -------------------------------------------------------------------------------


def test_a_voice_is_recorded_heard_and_chosen(service: HttpService, driver: Path, tmp_path: Path) -> None:
    microphone = tmp_path / "microphone.wav"
    soundfile.write(microphone, speech(sample_rate_hz=48_000), 48_000, subtype="PCM_16")
    name = f"Nora {uuid4().hex[:6]}"
    seen = walk(service, driver, "voices.mjs", str(microphone), name)
    assert seen["complaints"] == []
    assert seen["refused"].startswith("voice 'Beeps'")
    assert seen["stillOpen"], "the reason can be read beside the form"
    assert ["Ben", name] in seen["voices"]
    assert seen["preview"] == 200
    voices = service.ask("GET", "/v1/audio/voices").json["voices"]
    assert {"id": name, "name": name, "kind": "recording"} in voices


def line(name: str, word: str, words: int = 25) -> str:
    """Line of about one segment of the engine of bad takes."""
    return f"{name}: {word} " + "word " * words + "end."


def test_warnings_takes_failures_and_the_list(driver: Path, tmp_path: Path) -> None:
    scripts = {
        "suspicious": [line("Ann", "Sound"), line("Ben", "faults:noise+noise"), line("Ann", "Sound")],
        "failing": [
            line("Ann", "Sound"),
            line("Ben", "faults:refused+refused"),
            line("Ann", "Sound"),
        ],
        "long": long_script(100).split("\n\n"),
    }
    files = []
    for name, lines in scripts.items():
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text("\n\n".join(lines))
    with http_service(tmp_path / "state", spawn=forked.spawn, engines=dict([SETTING.split("=")])) as service:
        seen = walk(service, driver, "troubles.mjs", *map(str, files))
    assert seen["complaints"] == []
    sound, noisy, last = seen["warnings"]
    assert (sound, last) == ([], [])
    assert any("take 0" in each for each in noisy)
    assert (seen["report"]["open"], seen["report"]["summary"]) == (True, "Report: 1 check failed")
    assert "1 without a take that passes" in seen["report"]["text"]
    assert "Presetpassespodcast" in seen["report"]["text"]
    assert "LUFS (−20.0 to −18.0 LUFS)" in seen["report"]["text"]
    takes = seen["takes"]
    assert len(takes) == 2
    assert len({take["top"] for take in takes}) == 1, "takes are side by side"
    assert len({take["left"] for take in takes}) == 2
    assert [take["used"] for take in takes].count(True) == 1
    assert all("noise" in take["text"] and "score" in take["text"] for take in takes), takes
    assert seen["heard"] in (200, 206)
    check_failure(seen)
    assert seen["cancelledAt"]["error"]["code"] == "cancelled"
    assert 0 < seen["cancelledAt"]["segments_done"] < seen["cancelledAt"]["segments"]
    assert (seen["finished"]["status"], seen["finished"]["error"]) == ("completed", None)
    check_list(seen)


def check_failure(seen: dict[str, Any]) -> None:
    assert "cannot be decoded" in seen["error"]
    assert "cannot be decoded" in seen["failedLine"]
    assert "failed" in seen["stages"]
    assert seen["retried"] == 202


def check_list(seen: dict[str, Any]) -> None:
    assert seen["all"] == ["Long story", "Broken take", "Noisy take"]
    assert seen["found"] == seen["failed"] == ["Broken take"]
    assert seen["retriedInTheList"] == 202
    assert seen["left"] == ["Long story", "Noisy take"]


def test_everything_is_reached_by_keyboard(service: HttpService, driver: Path) -> None:
    seen = node.walked(driver, "keyboard.mjs", PICTURES, {"PAGE_URL": service.url})
    assert seen["complaints"] == []
    assert seen["unmarked"] == [], "every control shows its focus"
    assert seen["covered"] == [], "no control with the focus is behind another"
    assert (seen["first"], seen["skipped"]) == ("Skip to content", ["view", ""])
    assert seen["selected"] == "Ben: Well 😀 there."
    assert "escaped" not in seen, "the focus stays in a dialog"
    assert seen["returned"] == "Add a voice…"
    assert seen["view"] == "view", "another view gets the focus"
    assert seen["sought"]
    assert (seen["editing"], seen["closed"]) == ("New text of line 3", "Change line 3, Ben")
    assert seen["file"] == "By keyboard.srt"
    assert seen["compared"] in (["It was not."], ["It was, until the boat came home that night."])
