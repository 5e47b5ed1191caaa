"""Thresholds of full verification, in one place.

They were fixed on the scripts, voices and seeds of `bench.verify`'s tuning set; its figures come from others.
"""

from dataclasses import dataclass

VERSION = 2
"""Version of the thresholds and of the rules that use them; part of the checker's identity."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    alike_min: float = 0.70
    """Likeness from which words count as heard: the recogniser spells names and homophones differently."""
    bridged_max: int = 2
    """Most matching words between two diverging stretches of one run."""
    suspect_words: int = 3
    """Diverging words of a run from which the recogniser listens again, with a beam search."""
    run_max: int = 7
    """Diverging words of a run; more fail. A line with no more never fails, however short it is."""
    unspoken_max: int = 3
    """Words of a run that is not spoken; more fail. Recognisers replace words, and rarely omit them."""
    line_wer_max: float = 0.45
    """Share of a line's words that diverge; more fails."""
    missing_share: float = 0.7
    """Share of a line's words within one unspoken run from which the line counts as missing."""
    one_sided: float = 0.4
    """Words on one side of a run, as a share of the other side, below which it is unspoken or inserted."""
    repeated_words_min: int = 3
    """Words of an inserted run from which it may be a repetition."""
    repeated_min: float = 0.75
    """Likeness of an inserted run to words of the script from which it is a repetition."""
    noise_s: float = 1.2
    """Longest stretch of loud sound without speech; longer fails."""
    noise_probability: float = 0.25
    """Probability of speech below which a window of sound is noise."""
    noise_db: float = -22.0
    """Level of a loud window against the take's speech, in dB."""
    floor_s: float = 8.0
    """Length of a stretch of speech that has pauses, in seconds."""
    floor_db: float = -22.0
    """Highest level of the quietest moments of such a stretch against the take's speech, in dB."""
    speaker_s: float = 1.6
    """Least speech of a line whose speaker is verified, in seconds."""
    speaker_margin: float = 0.03
    """Cosine by which another speaker of the segment may be closer than the line's own."""
    speaker_min: float = 0.55
    """Least cosine with a recorded reference."""
    speaker_spoken_min: float = 0.75
    """Least cosine with a reference that the engine has spoken itself."""


THRESHOLDS = Thresholds()
