"""Tests of the page in a real browser. Screenshots are written to `out/page`."""

import random
from pathlib import Path
from typing import Any

import pytest
import soundfile

from bench.harness.http_service import HttpService, bearer
from bench.harness.waiting import until
from tests.deploy import node
from tests.markdown import ROOT
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


def long_script() -> str:
    """Script of about half an hour of audio, long enough to be heard before it is done."""
    words, order = WORDS.split(), random.Random(11)
    turns = (" ".join(order.choices(words, k=order.randint(8, 40))) for _ in range(TURNS))
    names = "ABC" * TURNS
    return "\n\n".join(
        f"{name}: {turn.capitalize()}." for name, turn in zip(names[:TURNS], turns, strict=True)
    )


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
