from typing import Any

import pytest

from tasks.message_headers import Subject, subject_in_headers, subject_of_arguments

JOB = "0123456789abcdef0123"


@pytest.mark.parametrize("subject", [Subject(JOB), Subject(JOB, 0), Subject(JOB, 9999)])
def test_headers_give_the_subject_back(subject: Subject) -> None:
    assert subject_in_headers({"id": "another header", **subject.headers()}) == subject


@pytest.mark.parametrize("job", [None, 7, "", "../x", JOB[1:], JOB + "0", JOB.upper(), [JOB]])
def test_invalid_jobs_are_no_subject(job: Any) -> None:
    assert subject_in_headers({"voxchord_job": job, "voxchord_segment": 1}) is None
    assert subject_of_arguments([{"job": job, "segment": 1}], {}) is None


@pytest.mark.parametrize("segment", [-1, 1e3, "1", True, [1], 10**9])
def test_invalid_segments_are_no_subject(segment: Any) -> None:
    assert subject_in_headers({"voxchord_job": JOB, "voxchord_segment": segment}) is None


@pytest.mark.parametrize(
    ("args", "kwargs", "subject"),
    [
        (({"job": JOB, "segment": 3, "ok": False},), {}, Subject(JOB, 3)),
        ([], {"job": JOB}, Subject(JOB)),
        (None, None, None),
        ([], {"script": f"job {JOB} segment 3"}, None),
        ([f"job {JOB}"], {}, None),
        ("text", "text", None),
    ],
)
def test_arguments_name_the_subject(args: Any, kwargs: Any, subject: Subject | None) -> None:
    assert subject_of_arguments(args, kwargs) == subject
