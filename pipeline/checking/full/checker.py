"""Full check of a take: the light check, and three models that hear it.

Languages that the recogniser does not know are checked by everything else, and the verdict says so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

import soxr

from pipeline.arrays import Samples
from pipeline.canonical_json import canonical_json
from pipeline.checking import light
from pipeline.checking.full import (
    noise,
    packages,
    recognizer,
    runs,
    speaker_encoder,
    speakers,
    speech,
    word_refinement,
    word_times,
)
from pipeline.checking.full.alignment import Alignment, align, script_tokens
from pipeline.checking.full.recognizer import SAMPLE_RATE_HZ, HeardWord, Recognizer, RecognizerSettings
from pipeline.checking.full.runs import Run
from pipeline.checking.full.thresholds import THRESHOLDS, VERSION, Thresholds
from pipeline.checking.measures import Measures
from pipeline.checking.records import Checked, Finding, Material, WordTime
from pipeline.planning.records import PlannedSegment

_ANCHORS = 4
"""Words around a suspicious run that are heard again with it."""
_MARGIN_S = 0.1
_WINDOWS_MAX = 6
"""Most runs that are heard again; a take with more is bad in any case."""
_BEAM = 5
_FINDING_COST = 0.1
"""Score of one failing finding."""


class FullChecker:
    """The models of one configuration.

    Args:
        settings: recogniser and its device.
    """

    def __init__(
        self, settings: RecognizerSettings | None = None, thresholds: Thresholds = THRESHOLDS
    ) -> None:
        self.settings, self.thresholds = settings or RecognizerSettings(), thresholds
        self._identity = ""

    def identity(self) -> str:
        """Name of this check: a hash of the models' files, the thresholds and the light check.

        Raises:
            MissingPackageError: a model's package is not installed.
        """
        self._identity = self._identity or self._hashed()
        return self._identity

    def _hashed(self) -> str:
        models = [recognizer.identity(self.settings.model), self.settings.precision]
        models += [packages.digest((file,)) for file in (speech.model_file(), speaker_encoder.weights_file())]
        content = canonical_json([VERSION, asdict(self.thresholds), models, light.identity()])
        return f"full-{hashlib.sha256(content).hexdigest()[:8]}"

    def judge(self, measures: Measures, segment: PlannedSegment, expected_s: float) -> Checked | None:
        """None, since the models always need the samples."""
        return None

    def check(self, material: Material) -> Checked:
        """Judge a take; the same take gets the same verdict on one machine.

        Raises:
            MissingPackageError: a model's package is not installed.
        """
        measured = light.check(material)
        samples: Samples = soxr.resample(material.samples, material.profile.sample_rate_hz, SAMPLE_RATE_HZ)
        listener = recognizer.recognizer(self.settings)
        found = list(noise.findings(samples, speech.probabilities(samples), self.thresholds))
        facts: dict[str, str | int | float] = dict(measured.facts)
        words: Sequence[WordTime] = ()
        diverging = 0.0
        deviation: list[str] = []
        if listener.knows(material.language):
            alignment = self.aligned(listener, material, samples)
            found += runs.findings(alignment, self.thresholds, material.language)
            lines = [line.text for line in material.segment.lines]
            duration_s = len(samples) / SAMPLE_RATE_HZ
            words = word_times.word_times(alignment, lines, duration_s)
            words = word_refinement.refined(words, lines, samples)
            diverging = alignment.diverging(self.thresholds) / max(1, len(alignment.script))
            deviation = _diverging_words(alignment, self.thresholds)
            facts["wer"] = round(alignment.errors / max(1, len(alignment.script)), 4)
        else:
            facts["language_unchecked"] = material.language
        ranges = speakers.line_ranges(material, words)
        found += speakers.findings(material, samples, ranges, self.thresholds)
        failing = [finding for finding in found if finding.fails]
        return Checked(
            (*measured.findings, *found),
            max(0.0, round(measured.score - diverging - _FINDING_COST * len(failing), 4)),
            _deviation(measured, failing, deviation),
            tuple(words),
            facts,
        )

    def aligned(self, listener: Recognizer, material: Material, samples: Samples) -> Alignment:
        """Align the take with its lines; suspicious runs are heard again, with a beam search."""
        language = material.language
        script = script_tokens([line.text for line in material.segment.lines], language)
        alignment = align(script, listener.listen(samples, language), language)
        suspects = [
            run for run in runs.runs(alignment, self.thresholds) if run.words >= self.thresholds.suspect_words
        ]
        for run in reversed(suspects[:_WINDOWS_MAX]):
            words = _heard_again(listener, alignment, run, samples, language)
            again = align(script, words, language)
            if again.diverging(self.thresholds) < alignment.diverging(self.thresholds):
                alignment = again
        return alignment


def _heard_again(
    listener: Recognizer, alignment: Alignment, run: Run, samples: Samples, language: str
) -> list[HeardWord]:
    """All words of a take, those of a run and around it from a second recognition."""
    first, last = run.heard_first - _ANCHORS, run.heard_last + _ANCHORS
    before = alignment.heard[first].word if first > 0 else 0
    after = alignment.heard[last - 1].word + 1 if last < len(alignment.heard) else len(alignment.words)
    start_s = max(0.0, alignment.words[before].start_s - _MARGIN_S) if before else 0.0
    end_s = (
        alignment.words[after - 1].end_s + _MARGIN_S
        if after < len(alignment.words)
        else len(samples) / SAMPLE_RATE_HZ
    )
    part = samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
    heard = [
        HeardWord(word.text, word.start_s + start_s, word.end_s + start_s, word.confidence)
        for word in listener.listen(part, language, beam=_BEAM)
    ]
    return [*alignment.words[:before], *heard, *alignment.words[after:]]


def _diverging_words(alignment: Alignment, thresholds: Thresholds) -> list[str]:
    return [
        " ".join([str(block.first), *alignment.heard_text(block.heard_first, block.heard_last)])
        for block in alignment.blocks
        if block.likeness < thresholds.alike_min
    ]


def _deviation(measured: Checked, failing: Sequence[Finding], words: Sequence[str]) -> str:
    """Hash of the findings' kinds and lines and of the diverging words, which are not stored."""
    if not failing:
        return measured.deviation
    places = sorted([finding.kind, finding.line if finding.line is not None else -1] for finding in failing)
    content = canonical_json([measured.deviation, places, list(words)])
    return hashlib.sha256(content).hexdigest()[:16]
