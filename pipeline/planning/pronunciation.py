"""Words that are spoken in place of those that are written: lexicon, normalisation, the engine's wording."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.engines.protocol import Engine, Profile, Wording
from pipeline.normalization.normalizer import kinds_of
from pipeline.normalization.rules import KINDS
from pipeline.planning.lexicon import EMPTY, Lexicon, lexicon_of
from pipeline.script.turns import Turn


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Rules of a job, in the order in which they are applied."""

    lexicon: Lexicon = EMPTY
    kinds: frozenset[str] | None = None
    """Kinds that are written in words; None: all, for engines that do not normalise by themselves."""

    def wording(self, turn: Turn, engine: Engine) -> Wording:
        """Write a turn as the engine is to be given it."""
        return engine.wording(self.lexicon.respelt(turn.text), self._kinds(engine.profile))

    def _kinds(self, profile: Profile) -> Collection[str]:
        if self.kinds is not None:
            return self.kinds
        return () if profile.normalizes else KINDS


AS_ENGINE = Pronunciation()
"""No lexicon, and the engine's default of normalisation."""


def pronunciation_of(
    installed: str, lexicon: Mapping[str, Any] | None, normalize: str | None
) -> Pronunciation:
    """Combine an installation's lexicon with the options of a request.

    Args:
        installed: path of the installation's file; empty if it has none.
        normalize: see `pipeline.normalization.normalizer.kinds_of`.

    Raises:
        OptionError: the file cannot be read, an entry is not understood, or there is no such kind.
    """
    return Pronunciation(lexicon_of(installed, lexicon), None if normalize is None else kinds_of(normalize))
