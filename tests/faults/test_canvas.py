"""Every form in which another app may compose renders, with what Celery promises for it.

The other app has a worker of its own. One running service serves all forms.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Signature, chain, chord, group
from celery.canvas import StampingVisitor  # type: ignore[attr-defined]  # missing in celery-types

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from tests.faults.scripts import script

LIMIT_S = 40
FAILS = "faulty"


@pytest.fixture(scope="module")
def caller(shared_fleet: Fleet) -> Iterator[Celery]:
    """The other app, with a worker."""
    command = [sys.executable, "-m", "celery", "-A", "tests.faults.caller", "worker", "-P", "threads"]
    command += ["-c", "4", "-Q", "caller", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    worker = subprocess.Popen(command, env={**os.environ, "CALLER_BROKER": shared_fleet.url})
    yield shared_fleet.app
    worker.terminate()
    worker.wait(30)


class Forms:
    """Signatures of the other app."""

    def __init__(self, app: Celery, name: str) -> None:
        self.app, self.name, self.made = app, name, 0

    def render(self, *lines: str, immutable: bool = True) -> Signature[Any]:
        """A render with missing segments, one per line."""
        self.made += 1
        kwargs = {"script": script(f"{self.name}{self.made}", *(lines or ("", "")))}
        return self.app.signature("voxchord.render", kwargs=kwargs, queue="voxchord", immutable=immutable)

    def task(self, name: str, *args: Any, immutable: bool = False) -> Signature[Any]:
        return self.app.signature(
            f"tests.faults.caller.{name}", args=args, queue="caller", immutable=immutable
        )


@pytest.fixture
def forms(caller: Celery, request: pytest.FixtureRequest) -> Forms:
    return Forms(
        caller, request.node.name.replace("_", "").replace("[", "").replace("]", "").replace("-", "")
    )


def chain_of_renders(forms: Forms) -> tuple[Any, Any]:
    return chain(forms.render(""), forms.render("", ""), forms.render("", "", "")), 3


def first_of_a_chain(forms: Forms) -> tuple[Any, Any]:
    return chain(forms.render("", ""), forms.task("segments")), 2


def middle_of_a_chain(forms: Forms) -> tuple[Any, Any]:
    return chain(forms.task("say", "so"), forms.render("", ""), forms.task("segments")), 2


def last_of_a_chain(forms: Forms) -> tuple[Any, Any]:
    return chain(forms.task("say", "so"), forms.render("", "")), 2


def script_from_the_step_before(forms: Forms) -> tuple[Any, Any]:
    text = script(forms.name, "", "")
    render = forms.app.signature("voxchord.render", queue="voxchord")
    return chain(forms.task("say", text), render, forms.task("segments")), 2


def before_a_group(forms: Forms) -> tuple[Any, Any]:
    return chain(forms.render("", ""), group(forms.task("segments"), forms.task("segments"))), [2, 2]


def before_a_group_and_a_step(forms: Forms) -> tuple[Any, Any]:
    both = group(forms.task("segments"), forms.render(""))
    return chain(forms.render("", ""), both, forms.task("gather")), [2, 1]


def group_of_renders(forms: Forms) -> tuple[Any, Any]:
    return group(forms.render(""), forms.render("", "")), [1, 2]


def group_of_chains(forms: Forms) -> tuple[Any, Any]:
    one = chain(forms.render("", ""), forms.task("segments"))
    return group(one, chain(forms.task("say", "so"), forms.render(""))), [2, 1]


def header_of_a_chord(forms: Forms) -> tuple[Any, Any]:
    return chord([forms.render(""), forms.task("say", "so"), forms.render("", "")], forms.task("gather")), [
        1,
        "so",
        2,
    ]


def header_of_chains(forms: Forms) -> tuple[Any, Any]:
    header = [chain(forms.render("", ""), forms.task("segments")), chain(forms.render(""), forms.render(""))]
    return chord(header, forms.task("gather")), [2, 1]


def body_of_a_chord(forms: Forms) -> tuple[Any, Any]:
    return chord([forms.task("say", "a"), forms.task("say", "b")], forms.render("", "")), 2


def header_and_body_of_a_chord(forms: Forms) -> tuple[Any, Any]:
    body = chain(forms.render("", ""), forms.task("segments"))
    return chord([forms.render(""), forms.render("")], body), 2


def chord_within_a_chain(forms: Forms) -> tuple[Any, Any]:
    inner = chord([forms.render(""), forms.render("", "")], forms.task("gather"))
    return chain(forms.render(""), inner, forms.task("say")), [1, 2]


def chord_within_a_chord(forms: Forms) -> tuple[Any, Any]:
    inner = chord([forms.render("", ""), forms.task("say", "so")], forms.task("gather"))
    return chord([inner, forms.render("")], forms.task("gather")), [[2, "so"], 1]


FORMS = (
    chain_of_renders,
    first_of_a_chain,
    middle_of_a_chain,
    last_of_a_chain,
    script_from_the_step_before,
    before_a_group,
    before_a_group_and_a_step,
    group_of_renders,
    group_of_chains,
    header_of_a_chord,
    header_of_chains,
    body_of_a_chord,
    header_and_body_of_a_chord,
    chord_within_a_chain,
    chord_within_a_chord,
)


def shown(value: Any) -> Any:
    """Number of segments in place of a manifest."""
    if isinstance(value, list):
        return [shown(each) for each in value]
    return value["segments"] if isinstance(value, dict) else value


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_forms_yield_what_celery_promises(fleet: Fleet, forms: Forms, form: Any) -> None:
    signature, expected = form(forms)
    result = signature.apply_async()
    assert shown(result.get(timeout=LIMIT_S)) == expected
    until(lambda: not list(fleet.jobs.coordination.opened()), LIMIT_S)


def test_links_run_once_after_a_render(fleet: Fleet, forms: Forms) -> None:
    for place in ("alone", "chain"):
        signature = forms.render("", "").on_error(forms.task("failed", "no"))
        signature.link(forms.task("note", place))
        steps = signature if place == "alone" else chain(signature, forms.render(""))
        steps.apply_async().get(timeout=LIMIT_S)
        until(lambda place=place: fleet.client.llen(place) == 1, LIMIT_S)  # type: ignore[misc]
    assert fleet.client.llen("no") == 0


def test_error_links_run_once_if_a_render_fails(fleet: Fleet, forms: Forms) -> None:
    after = forms.render("")
    for place, lines in (("refused", ()), ("failed", ("", FAILS)), ("chained", ("", FAILS))):
        signature = forms.render(*lines) if lines else forms.render()
        if not lines:
            signature.kwargs["script"] = "Anna: [pause:"
        signature.link_error(forms.task("failed", place))
        steps = chain(signature, after) if place == "chained" else signature
        result = steps.apply_async()
        failed: Any = result.parent or result
        with pytest.raises(Exception, match=r"line"):
            failed.get(timeout=LIMIT_S)
        until(lambda place=place: fleet.client.llen(place) >= 1, LIMIT_S)  # type: ignore[misc]
        assert fleet.client.lrange(place, 0, -1) == [failed.id.encode()]
    assert fleet.client.llen("voxchord") == 0, "the step after a failure is not sent"


def test_a_failed_header_fails_its_chord_and_calls_the_error_link(fleet: Fleet, forms: Forms) -> None:
    body = forms.task("gather").on_error(forms.task("failed", "chord"))
    result = chord([forms.render(""), forms.render("", FAILS)], body).apply_async()
    with pytest.raises(Exception, match=r"segment 1 \(script line 2\)"):
        result.get(timeout=LIMIT_S)
    until(lambda: fleet.client.llen("chord") == 1, LIMIT_S)


class Customer(StampingVisitor):  # type: ignore[misc]  # as above
    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        return {"customer": "c7"}


def test_stamped_renders_hand_on_to_stamped_steps(forms: Forms) -> None:
    steps = chain(forms.render("", ""), forms.task("stamps"))
    steps.stamp(Customer())
    assert steps.apply_async().get(timeout=LIMIT_S) == {"customer": "c7"}


def test_equal_renders_of_one_group_are_one_job_and_each_answered(fleet: Fleet, forms: Forms) -> None:
    one = forms.render("wait0.5", "")
    result = group(chain(one.clone(), forms.task("segments")), one.clone(), one.clone()).apply_async()
    assert shown(result.get(timeout=LIMIT_S)) == [2, 2, 2]
