import json
import os
import re
import signal
import stat
import subprocess
from pathlib import Path

import pytest
import soundfile
import typer
from kombu.exceptions import OperationalError as BrokerAway
from redis.exceptions import ConnectionError as Gone

from bench.harness import forked
from bench.harness.waiting import until
from cli.errors import reporting_errors
from tasks.local.embedded_broker import EmbeddedBroker
from tests.cli.conftest import ROOT, Run, command, environment

LINES = [
    f"{'Ann' if i % 2 else 'Ben'}: This is line number {i} of a script that takes a little while."
    for i in range(24)
]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.txt"
    path.write_text("\n".join(LINES))
    return path


def test_render_writes_the_file_and_reports_costs(run: Run, ask: Run, script: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "play.flac"
    before = os.umask(0o027)
    done = run("render", script, "-o", out, "--title", "A play", "--workers", 1)
    os.umask(before)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(out.parent.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.parent.iterdir()} == {0o640}
    assert soundfile.info(out).duration > 50
    assert "-->" in out.with_suffix(".srt").read_text()
    assert out.with_suffix(".vtt").read_text().startswith("WEBVTT")
    assert [turn["turn"] for turn in json.loads(out.with_suffix(".turns.json").read_text())] == list(
        range(24)
    )
    assert re.search(r"diffusion", done.stdout)
    assert "times real time" in done.stdout
    assert "2 speakers" in done.stderr
    state = tmp_path / "state"
    for path in (state, *state.rglob("*")):
        if not path.is_socket():
            assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, f"{path} is open to others"

    (job,) = json.loads(ask("jobs", "--json").stdout)
    assert job["state"] == "SUCCEEDED"
    fetched = ask("fetch", job["id"][:6], "-o", tmp_path / "copy.flac")
    assert fetched.returncode == 0
    assert (tmp_path / "copy.flac").read_bytes() == out.read_bytes()
    status = json.loads(ask("status", job["id"], "--json").stdout)
    assert (status["state"], status["segments_done"]) == ("SUCCEEDED", status["segments"])
    asked = ask("stats", "job", "-p", "job=" + job["id"], "--json")
    assert asked.returncode == 0, asked.stderr


def test_the_same_render_is_the_same_job(served: Run, tmp_path: Path) -> None:
    script, out = tmp_path / "twice.txt", tmp_path / "play.flac"
    script.write_text("Ann: This is said twice.\nBen: It is made once.")
    first, again = (served("render", script, "-o", out, "--title", "A play", "--json") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    manifest = json.loads(again.stdout)
    checked = json.loads(served("check", script, "--json").stdout)
    more = {"problems", "chapters"}  # a manifest has chapters with their times, beside its script
    assert manifest["script"] == {name: found for name, found in checked.items() if name not in more}
    jobs = [job["id"] for job in json.loads(served("jobs", "--json").stdout)]
    assert jobs.count(json.loads(first.stdout)["job"]) == jobs.count(manifest["job"]) == 1


@pytest.mark.slow
def test_render_works_without_the_history(run: Run, tmp_path: Path) -> None:
    script, out = tmp_path / "short.txt", tmp_path / "short.wav"
    script.write_text("Ann: One line.\nBen: And another.")
    away = {"VOXCHORD_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = run("render", script, "-o", out, **away)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert soundfile.info(out).duration > 1


def begun(script: Path, out: Path, folder: Path) -> subprocess.Popen[str]:
    """Start a render with one worker and wait until it decodes."""
    return subprocess.Popen(
        command("render", script, "-o", out, "--workers", "1"),
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_concurrent_renders_in_a_folder_share_a_service(script: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("Ann: One line.")
    outs = [tmp_path / f"{number}.wav" for number in range(3)]
    renders = [begun(source, out, tmp_path) for source, out in zip((short, script, short), outs, strict=True)]
    printed = [render.communicate(timeout=120)[0] for render in renders]
    assert [render.returncode for render in renders] == [0, 0, 0], printed
    assert all(out.exists() for out in outs)
    logs = tmp_path / "state" / "logs"
    assert sorted(path.name for path in logs.iterdir()) == ["intake.log", "work.log"]
    assert not (tmp_path / "state" / "broker.url").exists()


@pytest.mark.slow
def test_render_ends_if_workers_never_stay_up(run: Run, script: Path, tmp_path: Path) -> None:
    done = run("render", script, "-o", tmp_path / "play.wav", VOXCHORD_LOG_LEVEL="NONE")
    assert done.returncode == 5, done.stderr
    assert "a process of the service exited" in done.stderr


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_same_command_resumes(script: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "play.wav"
    # a shell's background job ignores it, and whatever that starts does too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    first = begun(script, out, tmp_path)
    segments = tmp_path / "state" / "store" / "segments"
    until(lambda: list(segments.rglob("spans")), 60)
    os.kill(first.pid, signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode == 130
    stored = {path: path.stat().st_mtime_ns for path in segments.rglob("audio")}
    assert stored
    assert not out.exists()

    done = run("render", script, "-o", out)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(out).duration > 50
    assert stored.items() <= {path: path.stat().st_mtime_ns for path in segments.rglob("audio")}.items()


def test_outputs_that_would_replace_something_are_refused_before_the_work(ask: Run, tmp_path: Path) -> None:
    script, recording = tmp_path / "play.srt", tmp_path / "play.flac"
    script.write_text("1\n00:00:01,000 --> 00:00:02,000\nAnn: One line.\n")
    recording.write_bytes(b"not a recording")
    done = ask("render", script, "-o", recording, "--voice", f"Ann={recording}", "--force")
    assert done.returncode == 3
    assert "play.flac (audio) is the recording of 'Ann' itself" in done.stderr
    assert "play.srt (subtitles) is the script itself" in done.stderr
    (tmp_path / "other.turns.json").write_text("{}")
    done = ask("render", script, "-o", tmp_path / "other.mp3")
    assert done.returncode == 3
    assert "other.turns.json (turns) exists and was not written by voxchord" in done.stderr
    assert "--force" in done.stderr
    assert not (tmp_path / "other.mp3").exists()
    assert not (tmp_path / "state" / "broker").exists()


def test_a_script_on_standard_input_is_not_replaced(tmp_path: Path) -> None:
    script = tmp_path / "play.srt"
    script.write_text("1\n00:00:01,000 --> 00:00:02,000\nAnn: One line.\n")
    arguments = ["render", "-", "-o", str(tmp_path / "play.mp3"), "--force"]
    done = forked.run(arguments, environment(tmp_path), tmp_path, stdin=script)
    assert done.returncode == 3
    assert "play.srt (subtitles) is the script itself" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["render", "missing.txt", "-o", "x.flac"], 3, "cannot read missing.txt"),
        (["render", "LICENSE", "-o", "x.avi"], 3, "unknown ending"),
        (["render", "examples/radio_play.txt", "-o", "/proc/nowhere/x.flac"], 3, "cannot write to"),
        (["render", "LICENSE"], 2, "--output"),
        (["status", "123"], 3, "no job ID starts with"),
        (["status", "../jobs"], 3, "no job ID starts with"),
        (["stats", "speed", "-p", "days=inf"], 2, "parameter days must be a number"),
        (["submit", "examples/radio_play.txt"], 5, "no service is running"),
        (["voices", "add", "me", "LICENSE"], 3, "voice 'me'"),
        (["voices", "add", "wren", "LICENSE"], 3, "an engine has a preset of that name"),
        (["worker"], 5, "no service is running"),
    ],
)
def test_exit_codes_and_messages(ask: Run, arguments: list[str], code: int, words: str) -> None:
    done = ask(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr


@pytest.mark.parametrize(
    "arguments", [["jobs"], ["status", "a"], ["doctor"], ["render", "LICENSE", "-o", "x.wav"]]
)
@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("VOXCHORD_STATE", "LICENSE", "LICENSE is not a folder"),
        ("VOXCHORD_STORE", "LICENSE", "LICENSE is not a folder"),
        ("VOXCHORD_STATE", "/proc/none/state", "/proc/none"),
        ("VOXCHORD_DATABASE_URL", "sqlite:////proc/none/history.db", "/proc/none"),
        ("VOXCHORD_MODELS", "x", "cannot read 'x' as NAME=VALUE"),
        ("VOXCHORD_SLOTS", "x", "cannot read 'x' as a whole number"),
        ("VOXCHORD_ENGINE", "espeak", "available: hibari, openai, vibevoice"),
    ],
)
def test_unusable_settings_are_named_without_a_traceback(
    ask: Run, arguments: list[str], setting: str, value: str, words: str
) -> None:
    done = ask(*arguments, **{setting: value})
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 3, 5), done.stderr
    if done.returncode and not (arguments[0] == "status" and "no job ID" in done.stderr):
        assert words in " ".join((done.stdout + done.stderr).split()), "the table wraps long lines"


def test_voices_that_resemble_files_are_named_as_such(ask: Run, tmp_path: Path) -> None:
    script, out = tmp_path / "script.txt", tmp_path / "out.wav"
    script.write_text("Ann: One line.\nBen: And another.\nCid: A third.")
    voices = [f"Ann={tmp_path}", "Ben=missing.wav", f"Cid={script}"]
    done = ask("render", script, "-o", out, *(word for voice in voices for word in ("--voice", voice)))
    assert done.returncode == 3
    assert f"voice '{tmp_path}': is a folder; name a recording" in done.stderr
    assert "voice 'missing.wav': there is no such file" in done.stderr
    assert f"voice '{script}': not audio" in done.stderr


def test_unknown_settings_are_refused_by_name(ask: Run) -> None:
    done = ask("jobs", VOXCHORD_BROKER="redis://x")
    assert done.returncode == 3
    assert "VOXCHORD_BROKER" in done.stderr


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("postgresql://me:secretword@127.0.0.1:1/x", 5, "the history database does not answer"),
        ("mysql://me:secretword@127.0.0.1/x", 3, "VOXCHORD_DATABASE_URL"),
    ],
)
@pytest.mark.parametrize("arguments", [["jobs"], ["stats", "speed"], ["trim"], ["report", "abc"]])
def test_unreachable_histories_are_one_line_errors(
    ask: Run, arguments: list[str], url: str, code: int, words: str
) -> None:
    done = ask(*arguments, VOXCHORD_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "secretword" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["jobs"], ["stats", "speed"], ["trim"], ["report", "abc"]])
def test_damaged_histories_are_one_line_errors(ask: Run, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "history.db").write_bytes(b"no database " * 1000)
    done = ask(*arguments)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "error: the history database is unusable: DatabaseError\n"


def test_up_is_refused_if_it_would_start_no_worker(ask: Run, tmp_path: Path) -> None:
    done = ask("up", VOXCHORD_BROKER_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 3
    assert "VOXCHORD_BROKER_URL" in done.stderr
    another = EmbeddedBroker(tmp_path / "state")
    another.start()
    done = ask("up")
    another.stop()
    assert done.returncode == 5
    assert "is already running in" in done.stderr


@pytest.mark.parametrize(
    "away", [BrokerAway("redis://:secretword@host"), Gone("at redis://:secretword@host")]
)
def test_unreachable_brokers_are_one_line_errors(away: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, reporting_errors():
        raise away
    assert ended.value.exit_code == 5
    assert capsys.readouterr().err == "error: the broker does not answer\n"


def test_unsupported_stores_are_refused_at_once(ask: Run) -> None:
    done = ask("worker", "--intake", "1", VOXCHORD_STORE="nosuch://me:secretword@bucket/x")
    assert done.returncode == 3
    assert "nosuch://bucket/x" in done.stderr
    assert "secretword" not in done.stderr


def test_brackets_in_messages_are_printed(ask: Run) -> None:
    assert "'[bold]x'" in ask("fetch", "[bold]x", "-o", "x.flac").stderr


def test_doctor_names_unreachable_parts(ask: Run) -> None:
    assert ask("doctor").returncode == 0
    done = ask("doctor", "--json", VOXCHORD_BROKER_URL="redis://:secret@127.0.0.1:1/0")
    assert done.returncode == 3
    assert "secret" not in done.stdout + done.stderr
    bad = [finding for finding in json.loads(done.stdout) if finding["state"] == "bad"]
    assert [finding["what"] for finding in bad] == ["broker"]


@pytest.mark.slow
def test_render_prints_the_report_of_a_loudness_preset(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "short.txt"
    script.write_text("\n".join(LINES[:2]))
    done = run("render", script, "-o", tmp_path / "short.flac", "--loudness", "audiobook")
    assert done.returncode == 0, done.stderr
    assert "loudness preset audiobook: passed" in done.stdout
    assert re.search(r"ok rms_dbfs -[\d.]+ \(at least -23, at most -18\)", done.stdout)
    assert "ok floor_dbfs silence (at most -60)" in done.stdout

    wrong = run("render", script, "-o", tmp_path / "other.flac", "--loudness", "loud")
    assert "unknown value 'loud'; available: podcast, audiobook, broadcast" in wrong.stderr
