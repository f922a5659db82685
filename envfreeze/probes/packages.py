"""Every installed distribution, and for each the file that installs the same again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from envfreeze.files import in_parallel
from envfreeze.probes import Probe, Section, Target
from envfreeze.probes._lookup import Answer, Lookup
from envfreeze.probes._proof import installed_size
from envfreeze.probes._strays import strays
from envfreeze.recipe.requirements import LEFT_OUT
from envfreeze.records.files import Gap
from envfreeze.report import _words as words

WORKERS = 8
"""Questions to indexes at the same time; they wait for the network and not for the processor."""


def inspect(target: Target) -> Section:
    """Ask the target's indexes and folders for all distributions at the same time."""
    lookup = Lookup(target)
    facts = target.facts["distributions"]
    whole = [said for said in facts if "error" not in said]
    broken = tuple(
        Gap(what=f"the distribution at {said['where']}", why=said["error"])
        for said in facts
        if "error" in said
    )
    answers = _vendored(lookup, whole, in_parallel(lookup.look, whole, workers=WORKERS), target.vendor_limit)
    answers.sort(key=lambda answer: answer.package.name)
    gaps = [
        Gap(what=f"the file of {answer.package.name} {answer.package.version}", why=answer.gap)
        for answer in answers
        if answer.gap
    ]
    return Section(
        value=tuple(answer.package for answer in answers),
        gaps=(*broken, *gaps, *_unreachable(answers), *_unproved(answers), *strays(target)),
    )


def _vendored(
    lookup: Lookup, facts: Sequence[dict[str, Any]], answers: Sequence[Answer], limit: int
) -> list[Answer]:
    """Wheels of the installed files in place of those that no index could be asked for: all, or none.

    A lock that has some of them cannot be built either, so the limit holds for their sum.
    """
    pairs = list(zip(facts, answers, strict=True))
    silent = [
        (said, answer) for said, answer in pairs if answer.unreachable and answer.package.name not in LEFT_OUT
    ]
    size = sum(installed_size(said["path"]) for said, _ in silent)

    def vendor(pair: tuple[dict[str, Any], Answer]) -> Answer:
        said, answer = pair
        if not answer.unreachable or answer.package.name in LEFT_OUT:
            return answer
        if size > limit:
            advice = (
                f"wheels of what is installed would take {words.size(size)}, more than {words.size(limit)}; "
                "freeze again where the index answers, or with a higher --vendor-limit"
            )
            return answer._replace(unreachable=f"{answer.unreachable}; {advice}")
        return lookup.vendor(answer, said)

    return in_parallel(vendor, pairs, workers=2)


def _unreachable(answers: Iterable[Answer]) -> tuple[Gap, ...]:
    """One sentence for all packages whose index could not be asked."""
    silent = [answer for answer in answers if answer.unreachable]
    if not silent:
        return ()
    why = "; ".join(sorted({answer.unreachable for answer in silent}))
    return (Gap(what=f"the files of {_named(silent)}", why=why),)


def _unproved(answers: Iterable[Answer]) -> Iterator[Gap]:
    """One sentence for all packages that could not be proved for the same reason."""
    reasons: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.unproved and not answer.gap:
            reasons.setdefault(answer.unproved, []).append(answer)
    for why, unproved in sorted(reasons.items()):
        yield Gap(what=f"proof that the files of {_named(unproved)} are the installed ones", why=why)


def _named(answers: Sequence[Answer]) -> str:
    names = [answer.package.name for answer in answers]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{len(names)} package{'s' if len(names) > 1 else ''} ({shown})"


PROBE = Probe(section="packages", inspect=inspect)
