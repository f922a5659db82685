"""Hyperparameters of two runs held against each other: what changed, and which library's default did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from envfreeze.errors import InputError
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Parameter

Key = tuple[str, str]
"""Owner and name."""


class ParameterChange(Record, omit_defaults=False):
    """One parameter whose values differ, or that one of the runs does not have."""

    owner: str
    name: str
    kind: Literal["changed", "default-changed", "only-first", "only-second"]
    """``default-changed``: nobody set it in either run, and the default is another one."""
    first: tuple[Parameter, ...] = ()
    """Several where the run used several values, as a search does."""
    second: tuple[Parameter, ...] = ()
    sentence: str = ""


class ParameterComparison(Record, omit_defaults=False):
    """All that differs between the parameters of two runs."""

    equal: bool
    same: int = 0
    """Parameters with equal values in both."""
    changes: tuple[ParameterChange, ...] = ()


def parameters_of(lock: Lock, name: str) -> tuple[Parameter, ...]:
    """The parameters of the lock's run.

    Raises:
        InputError: the lock records no run; ``name`` says which lock it is.
    """
    if lock.run is None:
        raise InputError(
            f"{name} records an environment and no run, so there are no parameters in it.",
            hint="Freeze a run: envfreeze freeze -- python train.py",
        )
    return lock.run.parameters


def compare(first: Iterable[Parameter], second: Iterable[Parameter]) -> ParameterComparison:
    """Compare by owner, name and values; where a value came from is no difference of its own."""
    left, right = _grouped(first), _grouped(second)
    owners = ({owner for owner, _ in left}, {owner for owner, _ in right})
    changes, same = [], 0
    for key in sorted({*left, *right}):
        a, b = left.get(key, ()), right.get(key, ())
        if {item.value for item in a} == {item.value for item in b}:
            same += 1
        else:
            changes.append(_change(key, a, b, owners))
    order = ("default-changed", "changed", "only-first", "only-second")
    changes.sort(key=lambda change: order.index(change.kind))
    return ParameterComparison(equal=not changes, same=same, changes=tuple(changes))


def _grouped(parameters: Iterable[Parameter]) -> dict[Key, tuple[Parameter, ...]]:
    found: dict[Key, tuple[Parameter, ...]] = {}
    for item in parameters:
        found[(item.owner, item.name)] = (*found.get((item.owner, item.name), ()), item)
    return found


def _change(
    key: Key, a: tuple[Parameter, ...], b: tuple[Parameter, ...], owners: tuple[set[str], set[str]]
) -> ParameterChange:
    owner, name = key
    place = f"{owner.rpartition('.')[2]}.{name}" if _is_library((*a, *b)) else f"{owner}: {name}"
    if not b or not a:
        there, other = (a, "second") if a else (b, "first")
        sentence = f"{place} = {values(there)} is not in the {other} run"
        if _is_default(there) and _version(there[0].origin)[1] and owner in owners[1 if a else 0]:
            # The other run has this owner too, so that its version does not know the parameter.
            sentence = f"{place} is {'only' if a else 'new'} in {there[0].origin} (default {values(there)})"
        return ParameterChange(
            owner=owner,
            name=name,
            kind="only-first" if a else "only-second",
            first=a,
            second=b,
            sentence=sentence,
        )
    if _is_default(a) and _is_default(b):
        between = _between(a[0].origin, b[0].origin)
        sentence = f"default of {place} changed {values(a)} → {values(b)}{between}"
        return ParameterChange(
            owner=owner, name=name, kind="default-changed", first=a, second=b, sentence=sentence
        )
    sentence = f"{place} changed {values(a)} → {values(b)}"
    sources = (a[0].source, b[0].source)
    if sources[0] != sources[1]:
        sentence += f" ({_words(a[0])} before, {_words(b[0])} now)"
    return ParameterChange(owner=owner, name=name, kind="changed", first=a, second=b, sentence=sentence)


def _is_library(items: tuple[Parameter, ...]) -> bool:
    """True for the parameters of a class, of which the last part of the name says enough."""
    owner = items[0].owner
    return "." in owner and " " not in owner and all(item.source != "file" for item in items)


def _is_default(items: tuple[Parameter, ...]) -> bool:
    return all(item.source == "default" for item in items)


def _between(first: str, second: str) -> str:
    """``between scikit-learn 1.4.0 and 1.9.0`` when both origins are versions of one library."""
    (library, old), (other, new) = _version(first), _version(second)
    return f" between {library} {old} and {new}" if old and new and library == other and old != new else ""


def _version(origin: str) -> tuple[str, str]:
    """Library and version that an origin names; empty when it names none."""
    library, _, version = origin.removeprefix("default of ").rpartition(" ")
    return (library, version) if library and version[:1].isdigit() else ("", "")


def _words(item: Parameter) -> str:
    return {"given": "given", "file": "from a file", "environment": "from the environment"}.get(
        item.source, item.origin if item.origin.startswith("default") else f"default of {item.origin}".strip()
    )


def values(items: Iterable[Parameter]) -> str:
    """All values, each once."""
    return ", ".join(dict.fromkeys(item.value for item in items))
