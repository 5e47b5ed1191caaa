"""Runs of diverging words, and what became of the lines: missing, repeated, swapped, or spoken otherwise."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.checking.full import normalizer
from pipeline.checking.full.alignment import Alignment, ScriptToken
from pipeline.checking.full.thresholds import Thresholds
from pipeline.checking.records import Finding


@dataclass(frozen=True, slots=True)
class Run:
    """Diverging words, with at most a few matching ones between them."""

    first: int
    last: int
    """Script tokens [first, last)."""
    heard_first: int
    heard_last: int
    """Recognised tokens [heard_first, heard_last)."""
    words: int
    """Diverging words, on the longer side of each stretch."""

    @property
    def written(self) -> int:
        return self.last - self.first

    @property
    def heard(self) -> int:
        return self.heard_last - self.heard_first


def runs(alignment: Alignment, thresholds: Thresholds) -> list[Run]:
    """Runs of diverging words, in order."""
    found: list[Run] = []
    bridge = 0
    for block in alignment.blocks:
        if block.likeness >= thresholds.alike_min:
            bridge += block.words
            continue
        if found and bridge <= thresholds.bridged_max:
            before = found.pop()
            words = before.words + block.words
            found.append(Run(before.first, block.last, before.heard_first, block.heard_last, words))
        else:
            found.append(Run(block.first, block.last, block.heard_first, block.heard_last, block.words))
        bridge = 0
    return found


def findings(alignment: Alignment, thresholds: Thresholds, language: str) -> list[Finding]:
    """Judge the runs and the lines of a segment."""
    return list(_Judge(alignment, thresholds, language).findings())


class _Judge:
    def __init__(self, alignment: Alignment, thresholds: Thresholds, language: str) -> None:
        self.alignment, self.thresholds, self.language = alignment, thresholds, language
        self.lengths = Counter(token.line for token in alignment.script)
        """Number of each line's tokens."""

    def findings(self) -> Iterator[Finding]:
        """Findings of the runs, and then of the lines that none of them explains."""
        explained: set[int] = set()
        all_runs = runs(self.alignment, self.thresholds)
        unspoken = [run for run in all_runs if self._is_unspoken(run)]
        for run in all_runs:
            of_run = list(self._of_run(run, unspoken))
            if of_run:
                explained |= set(self._lines(run))
            yield from of_run
        yield from (finding for finding in self._of_lines() if finding.line not in explained)

    def _is_unspoken(self, run: Run) -> bool:
        return run.heard <= self.thresholds.one_sided * run.written

    def _lines(self, run: Run) -> dict[int, int]:
        """Lines of a run, in order, with their diverging words; inserted words belong to the line before."""
        return Counter(token.line for token in self._tokens(run.first, run.last))

    def _tokens(self, first: int, last: int) -> Sequence[ScriptToken]:
        """Script tokens [first, last), or the one before where there are none."""
        script = self.alignment.script
        return script[first:last] or script[max(0, first - 1) :][:1]

    def _of_run(self, run: Run, unspoken: Sequence[Run]) -> Iterator[Finding]:
        thresholds = self.thresholds
        if run.written <= thresholds.one_sided * run.heard and run.heard >= thresholds.repeated_words_min:
            if any(self._likeness(run, other) >= thresholds.repeated_min for other in unspoken):
                yield self._finding("swapped_lines", run, 0)
                return
            if self._is_repetition(run):
                yield self._finding("repeated_line", run, thresholds.repeated_words_min - 1)
                return
        limit = thresholds.unspoken_max if self._is_unspoken(run) else thresholds.run_max
        if run.words <= limit:
            return
        missing = self._missing_lines(run)
        for line in missing:
            yield self._finding("missing_line", run, limit, line)
        if not missing:
            yield self._finding("run", run, limit)

    def _missing_lines(self, run: Run) -> list[int]:
        """Lines of which most words are in an unspoken run."""
        if not self._is_unspoken(run):
            return []
        share = self.thresholds.missing_share
        return [line for line, count in self._lines(run).items() if count >= share * self.lengths[line]]

    def _likeness(self, run: Run, other: Run) -> float:
        """Likeness of what is heard in one run to what is not spoken in another."""
        heard = self.alignment.heard_text(run.heard_first, run.heard_last)
        written = self.alignment.script_text(other.first, other.last)
        return normalizer.spoken_alike(written, heard, self.language)

    def _is_repetition(self, run: Run) -> bool:
        """True if the heard words resemble a stretch of the script."""
        from rapidfuzz import fuzz

        heard, script = (
            normalizer.canonical(" ".join(token.text for token in part), self.language)
            for part in (self.alignment.heard[run.heard_first : run.heard_last], self.alignment.script)
        )
        if len(heard) > len(script):
            return False
        return float(fuzz.partial_ratio(heard, script)) / 100 >= self.thresholds.repeated_min

    def _of_lines(self) -> Iterator[Finding]:
        """Lines of which too many words diverge."""
        diverging: dict[int, float] = {}
        for block in self.alignment.blocks:
            if block.likeness < self.thresholds.alike_min:
                tokens = self._tokens(block.first, block.last)
                for token in tokens:  # share the block's words
                    diverging[token.line] = diverging.get(token.line, 0.0) + block.words / len(tokens)
        for line, count in diverging.items():
            length = self.lengths[line]
            limit = self.thresholds.line_wer_max
            if count > self.thresholds.run_max and count / length > limit:
                yield Finding("words", line, None, None, count / length, limit, True)

    def _finding(self, kind: str, run: Run, limit: float, line: int | None = None) -> Finding:
        start_s = self.alignment.end_s(run.heard_first)
        end_s = max(start_s, self.alignment.start_s(run.heard_last))
        line = next(iter(self._lines(run)), None) if line is None else line
        return Finding(kind, line, round(start_s, 2), round(end_s, 2), float(run.words), float(limit), True)
