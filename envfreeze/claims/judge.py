"""Claims held against two runs, and what follows for the verdict (the rule: ``docs/verdicts.md``)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from envfreeze.claims._evaluate import evaluate
from envfreeze.claims.read import Parsed
from envfreeze.compare.outputs import EXIT_STATUS
from envfreeze.compare.sides import Side
from envfreeze.records.claims import ClaimResult
from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.verdict import Verdict, worst


def check(claims: Sequence[Parsed], original: Side, replay: Side | None = None) -> tuple[ClaimResult, ...]:
    """Each claim for the original, and for the replay when there is one."""
    found = []
    for parsed in claims:
        first = evaluate(parsed.expression, original)
        second = evaluate(parsed.expression, replay) if replay is not None else None
        found.append(
            ClaimResult(
                id=parsed.claim.id,
                expression=parsed.claim.holds,
                location=parsed.claim.location,
                text=parsed.claim.text,
                original=first.holds,
                replay=second.holds if second else None,
                reason=(second or first).reason,
            )
        )
    return tuple(found)


def with_claims(comparison: Comparison, results: Sequence[ClaimResult]) -> Comparison:
    """The comparison with the claims' say.

    All hold in both runs: what is ``different`` becomes ``same-conclusion``. One that does not hold in the
    replay, and does in the original, is a difference of its own; one that cannot be decided makes the whole
    ``uncompared``. The exit status is never lifted, nor an output that is missing, new or was not compared.
    """
    rows = [row for result in results if (row := _row(result)) is not None]
    outputs = comparison.outputs
    if results and all(result.original and result.replay for result in results):
        count = len(results)
        why = f"{'the claim holds' if count == 1 else f'all {count} claims hold'} in both runs"
        outputs = tuple(_lifted(output, why) for output in outputs)
    outputs = (*rows, *outputs)
    return replace(
        comparison,
        verdict=worst([output.verdict for output in outputs if output.counts]),
        outputs=outputs,
        claims=tuple(results),
    )


def _lifted(output: OutputComparison, why: str) -> OutputComparison:
    if output.verdict is not Verdict.DIFFERENT or output.path == EXIT_STATUS or not output.counts:
        return output
    return replace(output, verdict=Verdict.SAME_CONCLUSION, reason=f"{output.reason}; {why}")


def _row(result: ClaimResult) -> OutputComparison | None:
    """A line of its own for a claim that does not simply hold."""
    name = f"<claim {result.id}>"
    where = f" ({result.location})" if result.location else ""
    if result.replay and result.original:
        return None
    if result.replay is None or result.original is None:
        which = "the original" if result.original is None and result.replay is not None else "the replay"
        reason = f"{result.expression}{where} cannot be decided for {which}: {result.reason}"
        return OutputComparison(path=name, verdict=Verdict.UNCOMPARED, reason=reason)
    if result.replay is result.original:
        reason = (
            f"{result.expression}{where} holds in neither run, so that it decides nothing: {result.reason}"
        )
        return OutputComparison(path=name, verdict=Verdict.UNCOMPARED, reason=reason)
    now = "holds in the replay only" if result.replay else "does not hold any more"
    reason = f"{result.expression}{where} {now}: {result.reason}"
    return OutputComparison(path=name, verdict=Verdict.DIFFERENT, reason=reason)
