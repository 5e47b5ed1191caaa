"""The request that creates a job, and its translation to the task `voxchord.render`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import OptionError
from pipeline.file_formats import ARCHIVES
from pipeline.planning.cast_entry import GAIN_DB_MAX, GAIN_DB_MIN, PACE_MAX, PACE_MIN, Entry
from pipeline.planning.request import (
    FIRST_WORDS_MAX,
    FIRST_WORDS_MIN,
    SPLIT_HOURS_MAX,
    SPLIT_HOURS_MIN,
)
from pipeline.script.turns import NARRATOR
from web.access.voices import ClientVoices
from web.jobs.records import JOB_NAME
from web.numbers import Number, Whole
from web.scripts.source import GivenScript, Source, hashed
from web.speech.request import OptionValue, Translation, VoiceId

FileFormat = Literal[
    "mp3", "opus", "aac", "flac", "wav", "pcm", "m4b", "epub", "mp3.zip", "m4b.zip", "opus.zip", "flac.zip"
]
_METADATA_MAX = 16
Short = Annotated[str, Field(max_length=64)]
Value = Annotated[str, Field(max_length=512)]
_OWN_FIELDS = {
    *("format", "title", "form", "symbols", "first_segment_words", "engine", "model", "on_error"),
    *("base_job", "namespace", "webhook", "lexicon", "segment_owner", "split_hours"),
}
"""Options that have fields of their own, or belong to the service."""


class SpeakerEntry(BaseModel):
    """A speaker's voice, pace, level and other names."""

    model_config = ConfigDict(extra="forbid")

    voice: str | None = None
    pace: Number = Field(1.0, ge=PACE_MIN, le=PACE_MAX)
    gain_db: Number = Field(0.0, ge=GAIN_DB_MIN, le=GAIN_DB_MAX)
    aliases: list[str] = Field(default_factory=list, description="Other names of the speaker in the script.")

    def entry(self) -> Entry:
        return Entry(self.voice, self.pace, self.gain_db, tuple(self.aliases))


class ReadingFields(BaseModel):
    """Voices and options with which a script is read."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("", description="An engine, a model of the settings, or `tts-1` for the default.")
    voice: str | VoiceId = Field("", description="Voice that reads all of a text without speakers.")
    voices: dict[str, str | SpeakerEntry] = Field(
        default_factory=dict, description="Voices of the speakers, or entries, by name."
    )
    speed: Annotated[Number, Field(ge=0.25, le=4.0)] = 1.0
    form: str | None = Field(None, description="Form of the script; default: it is recognised.")
    symbols: Literal["refuse", "omit", "name"] | None = Field(
        None, description="Emoji and other pictures; refused by default."
    )
    lexicon: dict[str, Any] | None = Field(None, description="Respellings of words and phrases.")
    options: dict[str, OptionValue] = Field(default_factory=dict, description="Options of the task.")


def _not_reserved(name: str) -> str:
    """Refuse the ID that is the path of uploads."""
    if name == "upload":
        raise PydanticCustomError("reserved", "the ID `upload` is reserved")
    return name


class JobFields(ReadingFields):
    """Request of a job, without its script."""

    id: Annotated[str, AfterValidator(_not_reserved)] | None = Field(
        None, pattern=f"^{JOB_NAME}$", description="ID of the client's choice; not `upload`."
    )
    response_format: FileFormat = "mp3"
    split_hours: Number | None = Field(
        None,
        ge=SPLIT_HOURS_MIN,
        le=SPLIT_HOURS_MAX,
        description="Most hours of each file of an archive (`mp3.zip`, …); by default a file is a chapter.",
    )
    title: str = Field("", max_length=200)
    on_error: Literal["fail", "gap"] = "fail"
    first_segment_words: Whole | None = Field(None, ge=FIRST_WORDS_MIN, le=FIRST_WORDS_MAX)
    base_job: str | None = Field(None, description="ID of a job whose picked takes are adopted.")
    webhook: str | None = Field(None, max_length=2000, description="Address that gets the outcome.")
    metadata: dict[Short, Value] = Field(default_factory=dict, max_length=_METADATA_MAX)

    @field_validator("split_hours")
    @classmethod
    def _of_an_archive(cls, hours: float | None, info: ValidationInfo) -> float | None:
        if hours is not None and info.data.get("response_format", ARCHIVES[0]) not in ARCHIVES:
            raise PydanticCustomError("no_archive", f"needs a response_format of {', '.join(ARCHIVES)}")
        return hours


class CreateJob(JobFields, GivenScript):
    """Request of a job, from `input` or `book`."""


class CompareScript(ReadingFields, GivenScript):
    """Another version of a job's script, from `input` or `book`."""


def content_of(request: JobFields, source: Source) -> str:
    """Hash of all that makes two requests of an ID the same."""
    fields = request.model_dump(
        mode="json", exclude={"id", "metadata", "input", "book"}, exclude_defaults=True
    )
    return hashed({**fields, "script": source.digest()})


def arguments(
    request: ReadingFields,
    source: Source,
    translation: Translation,
    registered: ClientVoices,
    own: Mapping[str, Any],
) -> dict[str, Any]:
    """Arguments of a task that takes a script.

    Args:
        own: options that the service adds.

    Raises:
        OptionError: an option that has a field of its own, an unknown model, or two kinds of voices.
        VoiceError: a voice of another client.
    """
    unfit = sorted(_OWN_FIELDS & request.options.keys())
    if unfit:
        raise OptionError(unfit[0], "is a field of the request, or belongs to the service")
    if request.voice and request.voices:
        raise OptionError("voice", "reads all of a text, so there are no `voices` beside it")
    options: dict[str, Any] = {**request.options, **translation.engine_options(request.model)}
    if request.symbols is not None:
        options["symbols"] = request.symbols
    if request.lexicon is not None:
        options["lexicon"] = request.lexicon
    if request.speed != 1.0:
        options["pace"] = request.speed
    form, voices = request.form or source.form, _entries(request.voices, registered)
    if request.voice:
        form = form or "markdown"
        voices = {NARRATOR: translation.voice(request.voice, translation.profile(options), registered)}
    chosen = {} if form is None else {"form": form}
    return {"script": source.script, "voices": voices, "options": {**options, **chosen, **own}}


def _entries(voices: Mapping[str, str | SpeakerEntry], registered: ClientVoices) -> dict[str, Any]:
    """Entries of a script's speakers with the names of their voices in the store."""
    entries = {name: Entry(each) if isinstance(each, str) else each.entry() for name, each in voices.items()}
    named = registered.all_used({name: each.voice for name, each in entries.items() if each.voice})
    return {name: replace(each, voice=named.get(name)).given() for name, each in entries.items()}


def own_options(request: JobFields, namespace: str, base_job: str | None) -> dict[str, Any]:
    """Options of a job that have fields of their own."""
    given = {
        "format": request.response_format,
        "split_hours": request.split_hours,
        "title": request.title,
        "on_error": request.on_error,
        "first_segment_words": request.first_segment_words,
        "webhook": request.webhook,
        "base_job": base_job,
        "namespace": namespace,
    }
    return {name: value for name, value in given.items() if value is not None}
