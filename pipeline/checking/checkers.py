"""Checks of takes by the mode of verification."""

from typing import Protocol

from pipeline.checking import light
from pipeline.checking.full.recognizer import RecognizerSettings
from pipeline.checking.measures import Measures
from pipeline.checking.records import FULL, LIGHT, OFF, Checked, Material
from pipeline.errors import OptionError
from pipeline.planning.records import PlannedSegment


class Checker(Protocol):
    """Check of a take."""

    def identity(self) -> str:
        """Hash of its models and limits, part of the names of its verdicts and of job IDs."""
        ...

    def judge(self, measures: Measures, segment: PlannedSegment, expected_s: float) -> Checked | None:
        """Judge a take by measurements that its decoder took; None if the check needs its samples."""
        ...

    def check(self, material: Material) -> Checked: ...


class LightChecker:
    """Check by measurements alone."""

    def identity(self) -> str:
        return light.identity()

    def judge(self, measures: Measures, segment: PlannedSegment, expected_s: float) -> Checked | None:
        return light.judge(measures, segment, expected_s)

    def check(self, material: Material) -> Checked:
        return light.check(material)


class Checkers:
    """Checks by mode, each loaded on first use.

    Args:
        settings: recogniser of mode `full`.
    """

    def __init__(self, settings: RecognizerSettings | None = None) -> None:
        self._settings = settings or RecognizerSettings()
        self._loaded: dict[str, Checker] = {LIGHT: LightChecker()}

    def of(self, mode: str) -> Checker:
        """The check of a mode.

        Raises:
            OptionError: a mode without a check.
        """
        if mode not in (LIGHT, FULL):
            raise OptionError("verify", f"{mode!r} checks nothing")
        if mode not in self._loaded:
            from pipeline.checking.full.checker import FullChecker

            self._loaded[mode] = FullChecker(self._settings)
        return self._loaded[mode]

    def identity(self, mode: str) -> str:
        """Identity of a mode's check; empty for mode `off`.

        Raises:
            MissingPackageError: mode `full` without its models.
        """
        return "" if mode == OFF else self.of(mode).identity()
