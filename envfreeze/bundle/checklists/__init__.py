"""Checklists of venues, answered from locks where these bear evidence, and left as TODO where they do not.

To add one, add a file with ``CHECKLIST = Checklist(…)``; the registry finds it. Questions are put in short
words of this project: the venue's own text, which ``source`` leads to, is what counts.
"""

from __future__ import annotations

from envfreeze.errors import InputError
from envfreeze.records.base import Record


class Question(Record):
    """One question of a checklist."""

    id: str
    """As the venue numbers or names it."""
    text: str
    evidence: tuple[str, ...] = ()
    """Names of facts (see ``_facts``) that speak to it."""
    settled: bool = False
    """True when these facts, all of them, answer it with yes; otherwise the author has to say so."""
    advice: str = ""
    """What an author can do; shown as long as it is not answered."""


class Checklist(Record):
    """The checklist of one venue."""

    name: str
    title: str
    source: str
    """Where the venue publishes it."""
    questions: tuple[Question, ...]


class Answer(Record, omit_defaults=False):
    """A question with what was found."""

    id: str
    text: str
    answered: bool
    """False is a TODO for the author."""
    evidence: tuple[str, ...] = ()
    advice: str = ""


class Answers(Record, omit_defaults=False):
    """A filled checklist."""

    name: str
    title: str
    source: str
    answers: tuple[Answer, ...]
    gaps: tuple[str, ...] = ()
    """What speaks against it: what was not captured, claims and replays that fail."""


def checklists() -> dict[str, Checklist]:
    """All of them by name."""
    from envfreeze.bundle import checklists as family
    from envfreeze.registry import members

    return {found.name: found for found in members(family, "CHECKLIST", Checklist)}


def find(name: str) -> Checklist:
    """The checklist of that name.

    Raises:
        InputError: there is none.
    """
    known = checklists()
    if name not in known:
        raise InputError(f"there is no checklist called {name!r}.", hint=f"There are: {', '.join(known)}.")
    return known[name]


def answered(checklist: Checklist, facts: dict[str, str], gaps: tuple[str, ...] = ()) -> Answers:
    """The checklist with the facts; a question is answered when all that it takes is known."""
    answers = []
    for question in checklist.questions:
        evidence = tuple(facts[name] for name in question.evidence if name in facts)
        whole = question.settled and len(evidence) == len(question.evidence) > 0
        answers.append(
            Answer(
                id=question.id,
                text=question.text,
                answered=whole,
                evidence=evidence,
                advice="" if whole else question.advice,
            )
        )
    return Answers(
        name=checklist.name,
        title=checklist.title,
        source=checklist.source,
        answers=tuple(answers),
        gaps=gaps,
    )
