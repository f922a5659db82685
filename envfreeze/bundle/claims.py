"""The claims that go with an experiment of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import yaml

from envfreeze.bundle.contents import Contents
from envfreeze.claims._expression import Reference
from envfreeze.claims.read import NAME, Parsed, loads
from envfreeze.errors import InputError
from envfreeze.records.artifact import BundledClaim, Experiment
from envfreeze.records.base import Record
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.store import Store


def with_claims(
    experiment: Experiment, lock: Lock, store: Store, others: Sequence[frozenset[str]]
) -> tuple[Lock, tuple[Parsed, ...]]:
    """The lock with the claims that ``artifact.yaml`` names, else its own, else those beside it today.

    A claim on files that this experiment does not make and another one does goes with that one only.

    Args:
        others: paths of the outputs of each other experiment.

    Raises:
        InputError: they are not there, or cannot be read.
    """
    project = store.root.parent
    path = project / (experiment.claims or NAME)
    if experiment.claims and not path.is_file():
        raise InputError(f"{path}: the claims of {experiment.name} are not there.")
    if experiment.claims or (lock.claims is None and path.is_file()):
        lock = _recorded(lock, store, path.read_bytes())
    if lock.claims is None or lock.claims.sha256 is None:
        return lock, ()
    assert lock.run is not None
    what = f"the claims of {experiment.name}"
    parsed = loads(store.verified(lock.claims.sha256, what=what).read_bytes(), what)
    made = {entry.path for entry in store.entries(lock.run.outputs, what="original outputs")}
    own = tuple(claim for claim in parsed if not _belongs_elsewhere(claim, made, others))
    if len(own) == len(parsed):
        return lock, parsed
    if not own:
        return msgspec.structs.replace(lock, claims=None), ()
    listed = [msgspec.to_builtins(claim.claim) for claim in own]
    text = yaml.dump({"claims": listed}, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    return _recorded(lock, store, text.encode()), own


def _recorded(lock: Lock, store: Store, data: bytes) -> Lock:
    digest = store.add_bytes(data)
    return msgspec.structs.replace(
        lock, claims=FileEntry(path=NAME, size=len(data), sha256=digest, kind="claims")
    )


def _belongs_elsewhere(parsed: Parsed, made: set[str], others: Sequence[frozenset[str]]) -> bool:
    wanted = set(files_of(parsed)) - {"<stdout>"}
    return not wanted <= made and any(wanted <= other for other in others)


def files_of(parsed: Parsed) -> tuple[str, ...]:
    """The outputs that a claim speaks of, each once."""
    return tuple(dict.fromkeys(_references(parsed.expression)))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Reference):
        yield node.path
    elif isinstance(node, Record):
        for name in node.__struct_fields__:
            yield from _references(getattr(node, name))
    elif isinstance(node, tuple):
        for item in node:
            yield from _references(item)


def add_claims(lock: Lock, store: Store, parsed: Sequence[Parsed], folder: str, contents: Contents) -> None:
    """Add them as their author wrote them, and compiled for ``check.py``, which has no parser."""
    if lock.claims is None or lock.claims.sha256 is None:
        return
    data = store.verified(lock.claims.sha256, what="the claims").read_bytes()
    contents.add_text(f"{folder}/{NAME}", data)
    compiled = [
        {
            "id": claim.claim.id,
            "text": claim.claim.text,
            "location": claim.claim.location,
            "written": claim.claim.holds,
            "holds": tree(claim.expression),
        }
        for claim in parsed
    ]
    contents.add_text(f"{folder}/claims.json", json.dumps(compiled, indent=1, ensure_ascii=False) + "\n")


def described(parsed: Sequence[Parsed]) -> tuple[BundledClaim, ...]:
    """What the bundle's README.md says of each."""
    return tuple(
        BundledClaim(
            id=claim.claim.id,
            location=claim.claim.location,
            text=claim.claim.text,
            holds=claim.claim.holds,
            files=files_of(claim),
        )
        for claim in parsed
    )


def tree(node: Any) -> Any:
    """A parsed claim as plain lists and objects, for ``check.py``, which has no parser."""
    if isinstance(node, Record):
        fields = {name: tree(getattr(node, name)) for name in node.__struct_fields__}
        return {"kind": type(node).__name__, **fields}
    if isinstance(node, tuple | list):
        return [tree(item) for item in node]
    return str(node) if isinstance(node, Decimal) else node
