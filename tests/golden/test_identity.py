"""Golden tests of job IDs and segment keys: a change synthesises all stored audio again."""

from dataclasses import replace

from pipeline.engines.hibari.engine import Hibari
from tests.golden.ten_segments import JOB, REQUEST, segments

CHECKED_JOB = "64354c3deaa6a61df3d9"
"""ID of the same job with the default check."""
KEYS = [
    "0822a7bdc8428b1b1cc20f704c834192",
    "a1d36bbe64e5f120ac25b4a024e18148",
    "fd30352fca1cb029f5ba5d7690e14a4a",
    "30f34357e44722e88e10b9bc6c44fd17",
    "9adfec4205aec5c6a366a83d7c7cb42c",
    "2d38cd720352ad6f6e59ecb766caf9b8",
    "7487bc51880c6f5e8f484255f0fa04ab",
    "ede26acb900171c7f1dbf063830c7818",
    "869aa79512bea34e044841c7cfe06c6c",
    "c16173f463fcf5a56291434b006f5dce",
    "a7ec08c3a69babae525787530504bd99",
    "114c7db2da32fa12819dba5870ae2169",
]


def test_job_ids_are_stable() -> None:
    assert REQUEST.job == JOB
    assert replace(REQUEST, checker="light-1").job == CHECKED_JOB


def test_options_of_a_check_are_part_of_the_job_id_only_if_there_is_one() -> None:
    options = replace(REQUEST.options, verify="off", takes_max=9)
    assert replace(REQUEST, options=options).job == JOB
    assert replace(REQUEST, options=options, checker="light-1").job != CHECKED_JOB


def test_segment_keys_and_seeds_are_stable() -> None:
    assert [segment.key for segment in segments()] == KEYS
    assert [segment.seed for segment in segments()][:3] == [
        5985942913781042551,
        7887192937506728991,
        391653232201859228,
    ]


def test_default_engine_options_in_keys_are_stable() -> None:
    assert Hibari().options({}) == {"pace": 1.0}
    profile = Hibari.profile
    assert (profile.words_min, profile.words_max, profile.speakers_max) == (150, 250, 64)
    assert (profile.stage_version, profile.presets) == (1, ("wren", "heron", "finch", "crane"))
