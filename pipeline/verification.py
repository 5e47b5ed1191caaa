"""Summary of the checks of a job's takes, for its manifest."""

from collections.abc import Iterable, Sequence

from pipeline.jobs.artifacts import Choice, ChosenTake
from pipeline.jobs.plans import Plan
from pipeline.stitching.manifest import TakeFinding, Verification

FINDINGS_STORED = 200
"""Most findings in a manifest; the others are counted."""


def verification(plan: Plan, chosen: Sequence[ChosenTake]) -> Verification | None:
    """Sum up the verdicts on the takes of a job; None if they are not checked."""
    if not plan.checker:
        return None
    made = [(each, each.choice) for each in chosen if each.choice is not None]
    findings = sorted(
        (finding for each, choice in made for finding in _findings(each, choice)),
        key=lambda finding: (not finding.chosen, finding.segment, finding.take),
    )
    hidden = max(0, len(findings) - FINDINGS_STORED)
    return Verification(
        mode=plan.options.verify,
        checker=plan.checker,
        segments_checked=len(made),
        takes_made=sum(choice.takes - 1 for _, choice in made),
        replaced=sum(each.take != 0 for each, _ in made),
        failed=len({finding.segment for finding in findings if finding.chosen and finding.fails}),
        findings=tuple(findings[:FINDINGS_STORED]),
        findings_omitted=hidden,
        languages_unchecked=tuple(
            sorted({str(c.facts["language_unchecked"]) for _, c in made if "language_unchecked" in c.facts})
        ),
    )


def _findings(each: ChosenTake, choice: Choice) -> Iterable[TakeFinding]:
    for take, finding in choice.findings:
        line = each.segment.lines[min(finding.line or 0, len(each.segment.lines) - 1)]
        yield TakeFinding(
            segment=each.segment.index,
            source_line=line.source_line,
            kind=finding.kind,
            take=take,
            value=finding.value,
            limit=finding.limit,
            fails=finding.fails,
            chosen=take == each.take,
        )
