"""`doctor` says what is wrong with the history or a speech server, and what to do."""

import json
import sqlite3
from pathlib import Path

from tests.cli.conftest import Run
from tests.pipeline.engines.openai.speech_server import error, speech_server


def test_a_history_of_a_later_release_is_named(ask: Run, tmp_path: Path) -> None:
    assert ask("jobs").returncode == 0
    with sqlite3.connect(tmp_path / "state" / "history.db") as history:
        history.execute("UPDATE alembic_version SET version_num = '9999'")
    done = ask("jobs")
    assert done.returncode == 0
    assert "a later release of voxchord made the history (revision 9999)" in done.stderr
    checked = ask("doctor", "--json")
    assert checked.returncode == 3
    (finding,) = (each for each in json.loads(checked.stdout) if each["what"] == "history")
    assert finding["state"] == "bad"
    assert "revision 9999" in finding["detail"]


def speech_server_finding(ask: Run, **settings: str) -> dict[str, str]:
    done = ask("doctor", "--json", **settings)
    assert "sk-secret" not in done.stdout + done.stderr
    (found,) = (each for each in json.loads(done.stdout) if each["what"] == "speech server")
    return dict(found)


def test_a_speech_server_is_asked_for_its_models_and_voices(ask: Run) -> None:
    assert speech_server_finding(ask)["state"] == "off"
    with speech_server() as server:
        given = {"VOXCHORD_OPENAI_URL": server.url, "VOXCHORD_OPENAI_KEY": "sk-secret"}
        server.models, server.voices = {"data": [{"id": "tts-1"}]}, {"voices": ["anna"]}
        found = speech_server_finding(ask, **given)
        assert (found["state"], found["detail"].split(": ")[1]) == (
            "ok",
            "models 1, voices 1; no default voices",
        )
        assert {each.headers["authorization"] for each in server.asked} == {"Bearer sk-secret"}
        server.models = error(401)
        assert speech_server_finding(ask, **given)["state"] == "bad"
    away = speech_server_finding(ask, **given)
    assert away["state"] == "bad"
    assert away["detail"].endswith("cannot be reached")
