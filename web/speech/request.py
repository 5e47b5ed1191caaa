"""The request of OpenAI's speech convention, and its translation to the task `voxchord.render`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.engines.protocol import Profile
from pipeline.engines.registry import Engines
from pipeline.errors import OptionError
from pipeline.planning.request import FIRST_WORDS_MAX, FIRST_WORDS_MIN
from pipeline.script.turns import NARRATOR
from tasks.settings import Settings
from web.access.voices import ClientVoices
from web.numbers import Number, Whole

StreamFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
OptionValue = str | int | float | bool

DEFAULT_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""OpenAI's models, which many clients send unasked: the engine and model of the settings."""
OPENAI_VOICES = (
    *("alloy", "echo", "fable", "onyx", "nova", "shimmer", "ash"),
    *("ballad", "coral", "sage", "verse", "marin", "cedar"),
)
"""OpenAI's voices, in whose place the engine's presets and variations are used, in order."""
FIRST_WORDS = 10
_JOB_FORMAT = "opus"
"""Format of the job's file, which a stream does not use; the smallest."""


class VoiceId(BaseModel):
    """A voice by its ID."""

    model_config = ConfigDict(extra="forbid")

    id: str


def _nullable(schema: dict[str, Any]) -> None:
    """Describe that null is taken for every field but the text."""
    for name, field in schema["properties"].items():
        if name != "input":
            own = {key: field.pop(key) for key in tuple(field) if key not in _ABOUT}
            kinds = own.get("anyOf", [own])
            field["anyOf"] = kinds if _NULL in kinds else [*kinds, _NULL]


_ABOUT, _NULL = ("title", "description", "default"), {"type": "null"}


class SpeechRequest(BaseModel):
    """Request of OpenAI's speech convention; the last six fields are voxchord's own.

    Null is the default of a field, as in requests of clients that send all fields.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_nullable)

    input: str = Field(description="Text to speak.", min_length=1)
    model: str = Field("", description="An engine, a model of the settings, or `tts-1` for the default.")
    voice: str | VoiceId = Field("", description="A preset, a registered voice, or one of OpenAI's names.")
    response_format: StreamFormat = "mp3"
    speed: Annotated[Number, Field(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: str | None = Field(None, description="Ignored, as a response header says.")

    form: str | None = Field(None, description="Form of the script; default: text that one voice reads.")
    voices: dict[str, str] | None = Field(None, description="Voices of a script with speakers, by name.")
    symbols: Literal["refuse", "omit", "name"] = Field("omit", description="Emoji and other pictures.")
    options: dict[str, OptionValue] = Field(default_factory=dict, description="Options of the task.")
    first_segment_words: Whole = Field(
        FIRST_WORDS,
        ge=FIRST_WORDS_MIN,
        le=FIRST_WORDS_MAX,
        description="Words of the first segment; fewer start earlier.",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        optional = cls.model_fields.keys() - {"input"}
        return {name: value for name, value in given.items() if value is not None or name not in optional}

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields that have no effect."""
        scripted = self.voices is not None and bool(self.voice)
        given = {"instructions": bool(self.instructions), "voice": scripted}
        return tuple(name for name, is_given in given.items() if is_given)


_OWN_FIELDS = (
    "format",
    "title",
    "form",
    "symbols",
    "first_segment_words",
    "engine",
    "model",
    "base_job",
    "namespace",
    "segment_owner",
    "webhook",
)
"""Options that have fields of their own, or no meaning for a stream."""


class Translation:
    """Translates requests to arguments of `voxchord.render`."""

    def __init__(self, settings: Settings, engines: Engines) -> None:
        self.settings, self.engines = settings, engines

    def arguments(self, request: SpeechRequest, registered: ClientVoices) -> dict[str, Any]:
        """Arguments of the task.

        Raises:
            OptionError: an option that has a field of its own, or an unknown model.
            VoiceError: a voice of another client.
        """
        unfit = [name for name in request.options if name in _OWN_FIELDS]
        if unfit:
            raise OptionError(unfit[0], "is a field of the request, or has no meaning for a stream")
        selected = self.engine_options(request.model)
        options: dict[str, Any] = {**request.options, **selected, "symbols": request.symbols}
        options |= {"format": _JOB_FORMAT, "first_segment_words": request.first_segment_words}
        if request.speed != 1.0:
            options["pace"] = request.speed
        if request.voices is not None:
            form = {} if request.form is None else {"form": request.form}
            return {
                "script": request.input,
                "voices": registered.all_used(request.voices),
                "options": options | form,
            }
        voice = self.voice(request.voice, self.profile(options), registered)
        voices = {NARRATOR: voice} if voice else {}
        return {
            "script": request.input,
            "voices": voices,
            "options": options | {"form": request.form or "markdown"},
        }

    def engine_options(self, model: str) -> dict[str, str]:
        """Options `engine` and `model` for a name of the field `model`.

        Raises:
            OptionError: unknown model.
        """
        if not model or model.startswith(DEFAULT_MODELS):
            return {}
        if model in self.engines.places:
            return {"engine": model}
        if model in self.settings.models:
            engine = self.settings.engine if self.engines.takes_model(self.settings.engine) else "vibevoice"
            return {"engine": engine, "model": model}
        known = ", ".join(self.models())
        raise OptionError("model", f"unknown model {model[:60]!r}; available: {known}")

    def models(self) -> list[str]:
        """Names of the field `model`."""
        return [*DEFAULT_MODELS, *sorted(self.engines.places), *sorted(self.settings.models)]

    def profile(self, options: Mapping[str, Any]) -> Profile:
        """Profile of the engine of a request."""
        return self.engines.load(str(options.get("engine", self.settings.engine))).profile

    def voice(self, given: str | VoiceId, profile: Profile, registered: ClientVoices) -> str:
        """Voice of the engine; one of OpenAI's names stands for a preset if no voice has that name."""
        name = given if isinstance(given, str) else given.id
        used = registered.used(name)
        if name not in OPENAI_VOICES or registered.voices.find(used) is not None:
            return used
        own = (*profile.presets, *profile.variations)
        return own[OPENAI_VOICES.index(name) % len(own)] if own else name
