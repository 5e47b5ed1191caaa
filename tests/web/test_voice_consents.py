"""Tests of recorded consents with the official client, on a real service."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.harness.http_service import HttpService
from bench.harness.recordings import recording
from pipeline.errors import VoiceError
from pipeline.store.artifacts import Store
from pipeline.voices.consents import BYTES_MAX, CONSENTS_MAX, Consents
from pipeline.voices.library import Voices
from tests.web.multipart import form

if TYPE_CHECKING:
    import openai

PATH = "/v1/audio/voice_consents"


@cache
def statement() -> bytes:
    """Recording of a consent. A second one has other bytes: libsndfile writes the time into the file."""
    return recording(seconds=2)


@contextmanager
def official(service: HttpService, key: str) -> Iterator["openai.OpenAI"]:
    import openai

    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0) as client:
        yield client


@pytest.mark.http
def test_the_official_client_creates_reads_renames_and_deletes_consents(keyed: HttpService) -> None:
    import openai

    with official(keyed, keyed.key("consents")) as client:
        consents = client.audio.voice_consents
        made = [
            consents.create(name=f"Nora {n}", language="en-GB", recording=("a.wav", statement()))
            for n in range(3)
        ]
        first = made[0]
        assert (first.object, first.name, first.language) == ("audio.voice_consent", "Nora 0", "en-GB")
        assert first.id.startswith("cons_")
        assert first.created_at > 0
        assert consents.retrieve(first.id) == first
        assert [each.id for each in consents.list(limit=2)] == [each.id for each in reversed(made)], (
            "by pages"
        )
        assert [each.id for each in consents.list(after=made[1].id)] == [first.id]
        renamed = consents.update(first.id, name="Nora, in May")
        assert renamed == consents.retrieve(first.id) == first.model_copy(update={"name": "Nora, in May"})
        deleted = consents.delete(first.id)
        assert (deleted.id, deleted.deleted, deleted.object) == (first.id, True, "audio.voice_consent")
        with pytest.raises(openai.NotFoundError):
            consents.retrieve(first.id)
        with pytest.raises(openai.NotFoundError):
            consents.delete(first.id)


@pytest.mark.http
def test_a_voice_names_its_recorded_consent(keyed: HttpService) -> None:
    import openai

    with official(keyed, keyed.key("sampler")) as client:
        consent = client.audio.voice_consents.create(
            name="Nora", language="en", recording=("a.wav", statement(), "audio/wav")
        )
        voice = client.audio.voices.create(
            name="nora", consent=consent.id, audio_sample=("n.wav", recording(seconds=4))
        )
        spoken = client.audio.speech.create(model="tts-1", voice={"id": voice.id}, input="Good morning.")
        assert len(spoken.read()) > 1000
        unknown = f"cons_{32 * '0'}"
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.voices.create(
                name="n", consent=unknown, audio_sample=("n.wav", recording(seconds=4))
            )
        assert (refused.value.param, refused.value.code) == ("consent", "invalid_consent")
        client.audio.voice_consents.delete(consent.id)
        store = Store(keyed.settings.store_url)
        (stored,) = [name for name in Voices(store).names() if name.endswith(".nora")]
        recorded = Voices(store).consent(stored) or {}
        assert recorded["consent"] == consent.id
        assert recorded["sha256"] == hashlib.sha256(statement()).hexdigest(), "evidence of what was deleted"


@pytest.mark.http
def test_a_consent_is_its_clients_own(keyed: HttpService) -> None:
    import openai

    ann, ben = keyed.key("ann-consents"), keyed.key("ben-consents")
    with official(keyed, ann) as one, official(keyed, ben) as other:
        consent = one.audio.voice_consents.create(name="Ann", language="en", recording=("a.wav", statement()))
        assert list(other.audio.voice_consents.list()) == []
        for work in (
            lambda: other.audio.voice_consents.retrieve(consent.id),
            lambda: other.audio.voice_consents.update(consent.id, name="Ben"),
            lambda: other.audio.voice_consents.delete(consent.id),
        ):
            with pytest.raises(openai.NotFoundError):
                work()
        with pytest.raises(openai.BadRequestError):
            other.audio.voices.create(
                name="ann", consent=consent.id, audio_sample=("n.wav", recording(seconds=4))
            )
    assert keyed.ask("GET", f"{PATH}/{consent.id}").status == 401


@pytest.mark.http
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"recording": b"RIFF" + bytes(100)}, 400, "voice"),
        ({"recording": bytes(BYTES_MAX + 1)}, 413, "recording"),
        ({"recording": bytes(BYTES_MAX + (1 << 20))}, 413, None),
        ({"language": "English, of course"}, 400, "language"),
        ({"name": " "}, 400, "name"),
        ({"name": 201 * "n"}, 400, "name"),
    ],
    ids=["no sound", "too large", "far too large", "language", "blank", "long"],
)
def test_what_is_no_consent_is_refused(
    service: HttpService, fields: dict[str, str | bytes], status: int, param: str | None
) -> None:
    given: dict[str, str | bytes] = {"name": "Nora", "language": "en", "recording": statement(), **fields}
    body, kind = form(**given)
    refused = service.ask("POST", PATH, body, Content_Type=kind)
    assert (refused.status, refused.error["param"]) == (status, param), refused.body


@pytest.mark.http
def test_ids_that_are_none_are_unknown(service: HttpService) -> None:
    for name in ("..%2F..%2Fnames", "cons_1", f"cons_{32 * '0'}", f"cons_{32 * '0'}.audio"):
        assert service.ask("GET", f"{PATH}/{name}").status == 404
        assert service.ask("DELETE", f"{PATH}/{name}").status == 404
    assert service.ask("POST", f"{PATH}/cons_1", {"name": "x", "language": "de"}).status == 400
    assert service.ask("GET", f"{PATH}?limit=0").status == 400


def test_an_owner_has_a_bounded_number_of_consents(tmp_path: Path) -> None:
    consents = Consents(Store(str(tmp_path)), "owner")
    made = [consents.add("Nora", "en", statement()) for _ in range(CONSENTS_MAX)]
    with pytest.raises(VoiceError, match="delete some"):
        consents.add("Nora", "en", statement())
    assert len(consents.newest()) == CONSENTS_MAX
    assert consents.recording(made[0]) == statement()
    consents.remove(made[0])
    assert consents.find(made[0].id) is None
    assert Consents(Store(str(tmp_path)), "another").newest() == []
    consents.add("Nora", "en", statement())
