"""Fixtures: a planned job whose takes are checked."""

from pathlib import Path

import pytest

from pipeline.jobs.jobs import Jobs
from pipeline.jobs.takes import Takes
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.takes import BadTakes


@pytest.fixture
def takes(tmp_path: Path) -> Takes:
    """Takes of the only segment of a planned job with a check."""
    jobs, engine = Jobs(Store(str(tmp_path))), BadTakes()
    options, rest = split_options({}, engine="takes")
    request = checked(
        parse("Anna: Five words are spoken here."),
        {},
        options,
        rest,
        engine=engine,
        registered=Voices(jobs.store),
        checker="light-1",
    )
    return jobs.takes(jobs.plans.create(request, engine.profile), 0)
