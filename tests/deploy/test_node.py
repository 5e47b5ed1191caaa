"""Tests of the Node client in `examples/node`, installed by npm from its lock file."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from bench.harness.recordings import recording
from tests.console import Console
from tests.deploy import node
from tests.tools import thorough

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "node"
SCRIPT = "Alice: The ferryman hums a barcarolle.\nBob: He always does."

pytestmark = thorough


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy of the example with its dependencies, outside the repository."""
    copy = node.installed(EXAMPLE, tmp_path_factory.mktemp("node") / "example")
    (copy / "alice.wav").write_bytes(recording())
    return copy


def rendered(console: Console, folder: Path, script: str, output: str) -> subprocess.CompletedProcess[str]:
    """Run the example as documented."""
    (folder / "script.txt").write_text(script)
    reach = {"BROKER_URL": console.broker, "FLOWER_URL": console.url, "FLOWER_LOGIN": console.credentials}
    return node.run(folder, "render.mjs", "script.txt", "alice.wav", output, **reach)


def test_node_registers_a_voice_and_fetches_the_audio(console: Console, folder: Path) -> None:
    done = rendered(console, folder, SCRIPT, "play.mp3")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert (manifest["state"], manifest["file_format"], manifest["speakers"]) == (
        "done",
        "mp3",
        ["Alice", "Bob"],
    )
    audio = (folder / "play.mp3").read_bytes()
    assert hashlib.sha256(audio).hexdigest() == manifest["audio"]["sha256"]
    assert not console.telling("barcarolle")


def test_node_gets_the_reason_of_a_refusal(console: Console, folder: Path) -> None:
    done = rendered(console, folder, "Alice: [pause:soon] Hello.", "play.mp3")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ScriptError: ")
    assert "1" in done.stderr, "the line"
