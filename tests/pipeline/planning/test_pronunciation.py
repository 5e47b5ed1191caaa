"""Commands and lexicons in a plan: spoken words, voices, rates, keys and records."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.harness.silence import Silence
from pipeline.engines.hibari.engine import PRESETS, VARIATIONS, VOICE_RATES, Hibari
from pipeline.engines.protocol import Engine
from pipeline.errors import NewerRecordError
from pipeline.jobs import plans
from pipeline.jobs.jobs import Jobs
from pipeline.planning.check import Check, check
from pipeline.planning.lexicon import Lexicon
from pipeline.planning.pronunciation import Pronunciation
from pipeline.planning.request import JobOptions, Request, accepted
from pipeline.script.parser import read
from pipeline.store.artifacts import Store
from pipeline.stored_records import PLAN_VERSION, PLAN_VERSION_RATES, check_version
from pipeline.voices.library import Voices

HIBARI = Hibari()


def checked(
    text: str,
    store: Path,
    *,
    engine: Engine = HIBARI,
    lexicon: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **voices: Any,
) -> Check:
    return check(
        read(text),
        voices,
        engine=engine,
        registered=Voices(Store(str(store))),
        pronunciation=Pronunciation(Lexicon(lexicon or {})),
        engine_options=options,
    )


def request(text: str, store: Path, **given: Any) -> Request:
    found = checked(text, store, **given)
    assert found.problems == ()
    return accepted(found, JobOptions("hibari"), HIBARI.options({}), engine=HIBARI)


def keys(made: Request) -> list[str]:
    return [segment.key for segment in plans.segments_of(made, HIBARI.profile)]


def spoken(text: str, store: Path, **given: Any) -> list[str]:
    return [turn.text for turn in request(text, store, **given).spoken_turns]


def test_given_words_are_spoken_and_the_rest_is_read_as_ever(tmp_path: Path) -> None:
    text = "I [say:met 2]saw[/say] Nuala's [spell]B2B[/spell] box at 8:30–9:15, [say:/ˈdɒktə/]Dr[/say] Fox."
    assert spoken(text, tmp_path, lexicon={"Nuala": "Noola", "met": "x", "B2B": "x"}) == [
        "I met 2 Noola's B-two-B box at 8:30 to 9:15, [Dr](/dˈɑktə/) Fox."
    ]


def test_ssml_says_a_text_as_its_kind(tmp_path: Path) -> None:
    text = " ".join(
        f'Say <say-as interpret-as="{kind}">{words}</say-as>.'
        for kind, words in (("ordinal", "5"), ("digits", "42"), ("cardinal", "1984"), ("date", "3/4/2024"))
    )
    assert spoken(text, tmp_path) == [
        "Say fifth. Say four two. Say one thousand nine hundred eighty-four. "
        "Say March fourth, twenty twenty-four."
    ]


def test_ipa_of_a_lexicon_is_spoken(tmp_path: Path) -> None:
    entry = {"Siobhan": {"ipa": "ʃɪˈvɔːn"}}
    assert spoken("Ask Siobhan's 2 sons.", tmp_path, lexicon=entry) == ["Ask [Siobhan](/ʃɪvˈɔn/)'s 2 sons."]


def test_an_engine_without_ipa_or_rates_refuses_with_the_line(tmp_path: Path) -> None:
    text = "Hello.\n\nI met [say:/ˈnuːlə/]Nuala[/say].\n\n[rate:0.9]Slow.[/rate]"
    found = checked(text, tmp_path, engine=Silence())
    assert [(each.line, each.reason.split(";")[0]) for each in found.refusals] == [
        (3, "has IPA, which engine silence does not take"),
        (5, "has rate 0.9, but engine silence has no other rate than its own"),
    ]


def test_rates_beyond_the_engine_and_letters_that_are_no_ipa_are_problems(tmp_path: Path) -> None:
    found = checked("[rate:0.5]Hi there.[/rate]\n\nSee [say:/жa/]him[/say].", tmp_path)
    assert [(each.line, each.reason) for each in found.problems] == [
        (1, "has rate 0.5, but engine hibari has 0.6 to 1.6"),
        (3, "has 'ж' in its IPA, which is no IPA symbol"),
    ]


def test_the_pace_of_a_cast_times_a_rate_beyond_the_engine_is_a_problem_with_its_line(tmp_path: Path) -> None:
    text = "Ann: Hello.\n\nBen: Well, [rate:1.5]be quick[/rate].\n\nAnn: [rate:1.5]Yes[/rate]."
    found = checked(text, tmp_path, Ben={"pace": 1.2})
    assert [(each.line, each.reason) for each in found.problems] == [
        (3, "has rate 1.5 at a pace of 1.2, which is 1.8, but engine hibari has 0.6 to 1.6")
    ]
    assert checked(text, tmp_path, Ben={"pace": 1.05}).problems == ()
    slow = checked("Ann: [rate:0.5]So[/rate].", tmp_path, Ann={"pace": 1.4})
    assert (slow.problems, slow.script.turns[0].rate) == ((), 0.7)


def test_a_voice_that_cannot_be_so_fast_is_a_notice_and_speaks_at_its_limit(tmp_path: Path) -> None:
    text = "Ann: Hello.\n\nAnn: [rate:1.5]Be quick.[/rate]\n\nAnn: [rate:1.5]Now.[/rate]"
    found = checked(text, tmp_path, Ann="heron+3")
    reason = "has rate 1.5 and is spoken at 1.418, the limit of voice heron+3; so is 1 more"
    assert [(each.line, each.reason) for each in found.notices] == [(3, reason)]
    assert found.problems == ()
    at_pace = checked(text, tmp_path, Ann="wren", options={"pace": 1.4})
    assert [each.reason for each in at_pace.notices] == [
        "has rate 2.1 and is spoken at 2, the limit of voice wren; so is 1 more"
    ]
    assert found.summary().stored()["notices"][0]["reason"] == reason
    assert checked(text, tmp_path, Ann="wren", options={"pace": 1.2}).notices == ()


@pytest.mark.parametrize("voice", [*PRESETS, *VARIATIONS])
def test_the_limits_of_hibaris_voices_are_those_of_its_model(voice: str) -> None:
    tract = (PRESETS | VARIATIONS)[voice]
    least, most = VOICE_RATES[voice]
    assert tract.pace * least / tract.ratio == pytest.approx(0.5, abs=1e-3)
    assert tract.pace * most / tract.ratio == pytest.approx(2.0, abs=1e-3)


def test_a_named_voice_is_a_preset_unless_the_request_gives_it_another(tmp_path: Path) -> None:
    text = "Mia: He said [voice:heron]no[/voice].\nRolf: Yes.\nMia: Oh."
    assert {each.name: each.voice for each in checked(text, tmp_path).speakers}["heron"] == "heron"
    given = checked(text, tmp_path, heron="finch")
    assert {each.name: each.voice for each in given.speakers}["heron"] == "finch"
    unknown = checked(text.replace("heron", "nobody"), tmp_path)
    assert [(each.line, each.reason.split(";")[0]) for each in unknown.problems] == [
        (1, "voice 'nobody': unknown")
    ]


def test_only_segments_with_a_command_have_other_keys(tmp_path: Path) -> None:
    lines = [f"Number {number} is about the sea and the boats on it for a while." for number in range(60)]
    plain = request("\n\n".join(lines), tmp_path)
    assert len(keys(plain)) > 2
    for change in ("[rate:0.9]{}[/rate]", "[voice:heron]{}[/voice]", "{} [spell]USB[/spell]"):
        changed = request("\n\n".join([*lines[:30], change.format(lines[30]), *lines[31:]]), tmp_path)
        assert changed.job != plain.job
        assert len(set(keys(changed)) - set(keys(plain))) == 1, change
    same = request("\n\n".join([*lines[:30], f"[rate:1]{lines[30]}[/rate]", *lines[31:]]), tmp_path)
    assert (same.job, keys(same)) == (plain.job, keys(plain))


def test_a_plan_with_rates_is_left_alone_by_releases_that_know_none(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    for text, version in (("Hello.", PLAN_VERSION), ("[rate:0.9]Hello.[/rate]", PLAN_VERSION_RATES)):
        plan = jobs.plans.create(request(text, tmp_path), HIBARI.profile)
        jobs.plans.forget(plan.job)
        assert jobs.plans.segment(plan.job, 0).lines[0].rate == (1.0 if version == PLAN_VERSION else 0.9)
        for name in (f"jobs/{plan.job}/plan", f"jobs/{plan.job}/plan.00000"):
            assert json.loads(jobs.store.need(name))["version"] == version
    with pytest.raises(NewerRecordError):
        check_version("plan", {"version": PLAN_VERSION_RATES}, PLAN_VERSION)
