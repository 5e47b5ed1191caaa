"""Schemathesis over the OpenAPI description of a running service.

It sends valid and invalid requests of every operation, also in sequences, and compares each answer with the
description: status, content type, shape, headers, authentication. It does not check that a request of the
right shape is accepted, since scripts, voices and models have rules that no schema has.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness.http_service import HttpService, bearer
from bench.harness.waiting import until

JOBS = "/v1/audio/jobs"
SCRIPT = "Ann: Good morning.\n\nBen: Hello there, Ann, how are you today?"
EXAMPLES = 25
"""Most requests of an operation in each phase."""
LIMIT_S = 300
CONFIGURATION = """
[dictionaries.jobs]
values = ["described"]

[dictionaries.segments]
values = [0, 1]

[[operations]]
include-method-regex = "GET|POST"  # the job is not deleted

[operations.parameters]
"path.id" = { dictionary = "jobs", probability = 0.6 }
"path.segment" = { dictionary = "segments", probability = 0.6 }

[[operations]]
include-path = ["/v1/audio/books", "/v1/audio/jobs/upload", "/v1/audio/voices", "/v1/audio/voice_consents"]
include-method = "POST"

# In a form, a file of any type is sent as its text, which is a file.
[operations.checks.negative_data_rejection]
enabled = false

[checks.positive_data_acceptance]
enabled = false
"""


@pytest.fixture(scope="module")
def key(service_with_keys: HttpService) -> str:
    """Key of a client that has a completed job."""
    key = service_with_keys.key("schemathesis")
    fields = {"id": "described", "input": SCRIPT, "first_segment_words": 4}
    assert service_with_keys.ask("POST", JOBS, fields, **bearer(key)).status == 201

    def status() -> str:
        found: str = service_with_keys.ask("GET", f"{JOBS}/described", **bearer(key)).json["status"]
        return found

    until(lambda: status() == "completed", timeout_s=60, every_s=0.2)
    return key


@pytest.mark.http
def test_every_answer_is_described_and_none_is_a_server_error(
    service_with_keys: HttpService, key: str, tmp_path: Path
) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(configuration)),
        *("run", f"{service_with_keys.url}/openapi.json", "--header", f"Authorization: Bearer {key}"),
        *("--max-examples", str(EXAMPLES), "--seed", "1", "--continue-on-failure", "--request-timeout", "60"),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths = service_with_keys.ask("GET", "/openapi.json").json["paths"]
    tested = re.search(r"Tested: +(\d+)", done.stdout)
    assert tested is not None
    assert int(tested[1]) == sum(len(operations) for operations in paths.values())
    logs = service_with_keys.settings.state / "logs"
    assert [
        line for log in logs.iterdir() for line in log.read_text().splitlines() if "unexpected" in line
    ] == []


@pytest.mark.http
@pytest.mark.parametrize("value", ["4", True, 4.5, [4]])
def test_numbers_are_not_converted(keyed: HttpService, value: object) -> None:
    key = keyed.key("numbers")
    for fields in (
        {"first_segment_words": value},
        {"speed": "1.0"},
        {"input": [{"speaker": "A", "text": "B", "pause_ms": value}]},
    ):
        refused = keyed.ask("POST", JOBS, {"input": SCRIPT, **fields}, **bearer(key))
        assert refused.status == 400, fields
    whole = keyed.ask("POST", JOBS, {"input": SCRIPT, "first_segment_words": 4.0}, **bearer(key))
    assert whole.status == 201


def test_refused_methods_name_the_others(service: HttpService) -> None:
    for path, methods in {
        "/v1/audio/jobs": "GET, POST",
        "/v1/audio/jobs/upload": "POST",
        "/v1/audio/jobs/some": "DELETE, GET",
        "/v1/models/a/b": "GET",
    }.items():
        refused = service.ask("PATCH", path, {})
        assert (refused.status, refused.headers["allow"]) == (405, methods), path
    assert service.ask("POST", JOBS, {"id": "upload", "input": SCRIPT}).error["param"] == "id"
