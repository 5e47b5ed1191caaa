"""The script of a job, sent again, makes the same segments."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines.hibari.engine import Hibari
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan, segments_of
from pipeline.planning.cast_entry import Entry
from pipeline.planning.pronunciation import pronunciation_of
from pipeline.planning.request import Request, checked, read_script, reading_options, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.views.script_source import _Part, source, turns_of
from pipeline.voices.library import Voices

HIBARI = Hibari()


def request_of(store: Store, script: Any, voices: dict[str, Any], options: dict[str, Any]) -> Request:
    """Request of a script as the intake makes it."""
    own, rest = split_options(options, engine="hibari")
    reading = reading_options(options)
    request = checked(
        read_script(script, reading, characters_max=10**6, voices=voices),
        voices,
        own,
        rest,
        engine=HIBARI,
        registered=Voices(store),
        pronunciation=pronunciation_of("", reading.lexicon, reading.normalize),
        unspeakable=reading.unspeakable,
    )
    return replace(request, reading=reading.again)


def again(jobs: Jobs, plan: Plan) -> Request:
    """Request of a job's script as it is given back."""
    turns = [
        {"speaker": each.speaker, "text": each.text}
        | ({"pause_ms": each.pause_ms} if each.pause_ms else {})
        | ({"begins_chapter": each.begins_chapter} if each.begins_chapter else {})
        for each in turns_of(jobs, plan)
    ]
    voices = {each.name: Entry(each.voice, each.pace, each.gain_db).given() for each in plan.speakers}
    options = {**jobs.plans.reading(plan.job).options, **plan.engine_options}
    request = request_of(jobs.store, turns, voices, options)
    if not jobs.plans.is_book(plan.job):
        return request
    return replace(request, script=replace(request.script, work=jobs.plans.book(plan.job)[0]))


def keys(request: Request) -> list[str]:
    return [segment.key for segment in segments_of(request, HIBARI.profile)]


def assert_same(
    folder: Path, script: Any, voices: dict[str, Any] | None = None, options: dict[str, Any] | None = None
) -> list[str]:
    """Check that a script that is given back has the same turns and keys; returns its texts."""
    jobs = Jobs(Store(str(folder)))
    request = request_of(jobs.store, script, voices or {}, options or {})
    plan = jobs.plans.create(request, HIBARI.profile)
    found = again(jobs, plan)
    assert found.spoken_turns == request_lines(request, found)
    assert keys(found) == keys(request)
    return [each.text for each in turns_of(jobs, plan)]


def request_lines(request: Request, other: Request) -> tuple[Any, ...]:
    """Turns of a request with the line numbers of another."""
    assert len(request.spoken_turns) == len(other.spoken_turns)
    return tuple(
        replace(turn, line=same.line, start_ms=None)
        for turn, same in zip(request.spoken_turns, other.spoken_turns, strict=True)
    )


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("Hello there.", ["Hello there."]),
        ("I met [say:Noola]Nuala[/say]'s [spell]B2B[/spell] box.", None),
        ("See [say:/ˈdɒktə/]Dr[/say] Fox.", ["See [say:/ˈdɒktə/]Dr[/say] Fox."]),
        (
            'It is <say-as interpret-as="date">3/4/2024</say-as>, <sub alias="/x/">so</sub>.',
            ['It is <say-as interpret-as="date">3/4/2024</say-as>, <sub alias="/x/">so</sub>.'],
        ),
        ("Say [say:a \\[b\\] c]x[/say].", ["Say [say:a \\[b\\] c]x[/say]."]),
        ("One [rate:0.8]two (three)[/rate]. Four.", None),
        (
            "One [rate:0.9]two [pause:1s]three[/rate] four.",
            ["One [rate:0.9]two [pause:1000ms] three[/rate] four."],
        ),
        ("One [rate:1]two[/rate] three.", ["One [rate:1][/rate] two [rate:1][/rate] three."]),
        ("[pause:2s] So.", ["[pause:2000ms] So."]),
        ("(sighs) It is \\[so\\], \\*he\\* said & AT&amp;amp;T &lt;b&gt;.", None),
        ("Ten 10:30 :smile\\: &#58;thumbs_up: m² of snow\\¹ and snow\\†.", None),
        ("Narrator: he said. Bob: no.", None),
        ('She said "[voice:heron]no[/voice]," and [voice:crane][rate:1.2]left[/rate][/voice].', None),
        ("A very [rate:0.5][rate:1.4]slow[/rate][/rate] day", ["A very [rate:0.7]slow[/rate] day"]),
    ],
)
def test_a_text_is_given_back_with_its_commands(tmp_path: Path, script: str, texts: list[str] | None) -> None:
    found = assert_same(tmp_path, script, options={"form": "prose"})
    assert found == (texts or found)
    assert texts is not None or "".join(found) != ""


def test_casts_with_paces_are_given_back_with_the_rates_of_the_script(tmp_path: Path) -> None:
    script = "Ann: Well, [rate:1.1]go[/rate].\n\nBen: [rate:0.9]No.[/rate] Oh.\n\nMister Ben: Yes."
    voices = {"Ann": {"pace": 1.2}, "Ben": {"pace": 0.87, "aliases": ["Mister Ben"]}}
    assert assert_same(tmp_path, script, voices) == [
        "Well, [rate:1.1]go.[/rate]",
        "[rate:0.9]No.[/rate] Oh.",
        "Yes.",
    ]


@pytest.mark.parametrize("rate", ["0.12", "0.01", "6", "20"])
def test_rates_beyond_those_of_a_command_are_read_again(rate: str) -> None:
    part = _Part("Ann", "It goes.", 0, float(rate), ())
    (turn,) = parse([{"speaker": "Ann", "text": source("Ann", [part])}], characters_max=100).turns
    assert (turn.text, turn.rate) == ("It goes.", float(rate))


@pytest.mark.parametrize(
    "options",
    [
        {"lexicon": {"Nuala": "Noola", "read": [{"say": "red", "after": ["had"]}, {"say": "reed"}]}},
        {"normalize": "none"},
        {"normalize": "-date"},
        {"unspeakable": "spell"},
        {"unspeakable": "skip"},
    ],
)
def test_options_that_shape_the_words_are_given_back(tmp_path: Path, options: dict[str, Any]) -> None:
    script = "Nuala had read it on 3/4/2024."
    assert_same(tmp_path, script + (" It is при." if "unspeakable" in options else ""), options=options)


def test_books_and_plays_are_given_back(tmp_path: Path) -> None:
    book = "# One\n\n(sighs) A [note] of \\*this\\*.\n\n* * *\n\n# Two\n\nHe read [spell]USB[/spell] (twice)."
    assert_same(tmp_path, book, options={"form": "md"})
    assert_same(tmp_path, "Ann: (to Ben) Hi.[pause:1s] So.\n\nBen: [laughs] Oh *sighs* no.\n\nAnn: Yes.")
    assert_same(tmp_path, "<speak><p>Hi <s>you</s> <s>there</s></p> <voice name='heron'>yes</voice></speak>")


def test_one_changed_word_leaves_the_other_segments_as_they_are(tmp_path: Path) -> None:
    lines = [
        f"Number {n} is [spell]A{n}[/spell], [rate:0.9]on 3/{n % 28 + 1}[/rate] for Nuala." for n in range(90)
    ]
    jobs = Jobs(Store(str(tmp_path)))
    options = {"form": "prose", "lexicon": {"Nuala": "Noola"}}
    request = request_of(jobs.store, "\n\n".join(lines), {}, options)
    plan = jobs.plans.create(request, HIBARI.profile)
    turns = [{"speaker": each.speaker, "text": each.text} for each in turns_of(jobs, plan)]
    turns[40]["text"] = turns[40]["text"].replace("for", "against")
    changed = request_of(jobs.store, turns, {}, dict(jobs.plans.reading(plan.job).options))
    assert len(keys(request)) > 3
    assert len(set(keys(changed)) - set(keys(request))) == 1


_WORDS = st.text(
    st.sampled_from("abcXYZ 0123456789.,;:!?'\"()*_~<>[]{}/\\&#-+|=@%$†‡¹²½é（）【】—…"),
    min_size=1,
    max_size=25,
)
_WHOLE = st.sampled_from(
    (
        *(
            "(sighs)",
            "*sighs*",
            "[laughs]",
            "[1]",
            "word[2]",
            "&amp;",
            "&lt;b&gt;",
            ":smile:",
            "<@U01>",
            "Ann: yes",
        ),
        *(
            "10:30",
            "(00:12)",
            "_so_",
            "**so**",
            "http://a.org/x_y_z",
            "/* so */",
            "[[so]]",
            "a~~b~~",
            "x¹",
            "\\*",
        ),
    )
)
_TEXT = st.lists(st.one_of(_WORDS, _WHOLE), min_size=1, max_size=4).map(" ".join)
_ALNUM = _TEXT.map(lambda text: f"so {text} on")


def _around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    plain = _TEXT.map(lambda text: text.replace("[", "").replace("]", "").replace("<", ""))
    return st.one_of(
        st.builds("{}[pause:{}ms]{}".format, inner, st.integers(1, 900), inner),
        st.builds("[rate:{}]{}[/rate] {}".format, st.sampled_from(["0.9", "110%", "1"]), inner, inner),
        st.builds("{} [voice:{}]{}[/voice]".format, inner, st.sampled_from(["heron", "Ann"]), inner),
        st.builds("{} [say:so {}]{}x[/say]".format, inner, plain, plain),
        st.builds("{}[spell]{}x[/spell]{}".format, inner, plain, inner),
        st.builds('{} <sub alias="so">{}x</sub>, {}'.format, inner, plain, inner),
    )


_MARKED = st.recursive(_ALNUM, _around, max_leaves=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_MARKED, min_size=1, max_size=4), st.sampled_from(["prose", "labels"]))
def test_every_script_that_is_accepted_is_given_back(tmp_path: Path, texts: list[str], form: str) -> None:
    script = "\n\n".join(f"{'Ann: ' if form == 'labels' else ''}{text}" for text in texts)
    reading = reading_options({"form": form, "unspeakable": "skip"})
    found = read_script(script, reading, characters_max=10**6, voices={"Ann": "wren"})
    if found.problems or not found.turns:
        return
    voices = {name: {"pace": 1.1} for name in found.speakers if name == "Ann"}
    assert_same(tmp_path, script, voices, {"form": form, "unspeakable": "skip"})
