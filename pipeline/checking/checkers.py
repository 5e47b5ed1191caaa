"""Checks of takes by the mode of verification."""

from collections.abc import Callable
from typing import Protocol

from pipeline.checking import light
from pipeline.checking.measures import Measures
from pipeline.checking.records import FULL, OFF, Checked, Material
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
    """Loads checks by mode and caches them.

    Args:
        full: loads the check of mode 'full'; None if this installation has none.
    """

    def __init__(self, full: Callable[[], Checker] | None = None) -> None:
        self._full = full
        self._light = LightChecker()
        self._loaded: Checker | None = None

    def of(self, mode: str) -> Checker:
        """The check of a mode.

        Raises:
            OptionError: mode `full` without its models.
        """
        if mode != FULL:
            return self._light
        if self._full is None:
            raise OptionError("verify", "mode 'full' is not part of this installation; 'light' is")
        self._loaded = self._loaded or self._full()
        return self._loaded

    def identity(self, mode: str) -> str:
        """Identity of a mode's check; empty for mode `off`.

        Raises:
            OptionError: mode `full` without its models.
        """
        return "" if mode == OFF else self.of(mode).identity()
