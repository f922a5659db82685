"""Two contents against each other: bytes first, then whatever comparator knows the kind."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from envfreeze import compare
from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare import _worker as worker
from envfreeze.compare._limits import MAX_DEPTH, budget_for, content_size, is_full, no_room
from envfreeze.compare.bytes import parting
from envfreeze.errors import EnvironmentFailure
from envfreeze.records.base import Record
from envfreeze.records.verdict import Verdict
from envfreeze.registry import members

HEAD = 1 << 16
"""Bytes at the start of a content that a comparator may look at to recognise it."""


class Judgement(Record):
    """What was found of two contents, and which comparator found it."""

    comparator: str
    finding: Finding


def compare_blobs(name: str, original: bytes, replay: bytes, options: Options) -> Finding:
    """Two contents inside of another one, by the comparator of their kind.

    Raises:
        NotThisKind: it would lie too deep.
        EnvironmentFailure: the disk has no room for them.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-") as folder:
            paths = Path(folder, "original"), Path(folder, "replay")
            for path, data in zip(paths, (original, replay), strict=True):
                path.write_bytes(data)
            return compare_contents(*paths, deeper(options), name).finding
    except OSError as error:  # those who ask may take other errors for a damaged content
        if is_full(error):
            raise no_room() from None
        raise


def deeper(options: Options) -> Options:
    """Options for the content of a container.

    Raises:
        NotThisKind: that would be deeper than ``MAX_DEPTH``.
    """
    if options.depth >= MAX_DEPTH:
        raise NotThisKind(f"it lies in more than {MAX_DEPTH} containers")
    return replace(options, depth=options.depth + 1)


def compare_contents(original: Path, replay: Path, options: Options, name: str) -> Judgement:
    """Compare two files; never raises for what is in them.

    Bytes decide ``identical``. Otherwise the comparators that recognise both contents are asked in order of
    priority; one that finds a content to be of another kind, or fails, hands on to the next, and the reason
    says so. ``name`` is the output's path: a hint at the kind, as stored content has no name of its own.

    Raises:
        EnvironmentFailure: the disk has no room for what is unpacked.
    """
    try:
        if parting(original, replay) is None:
            finding = Finding(verdict=Verdict.IDENTICAL, reason="every bit is the same")
            return Judgement(comparator="bytes", finding=finding)
        samples = [_sample(path, name) for path in (original, replay)]
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        return Judgement(comparator="", finding=Finding(verdict=Verdict.UNCOMPARED, reason=reason))
    with budget_for(original, replay):
        return _judge(samples, options)


def _judge(samples: list[Sample], options: Options) -> Judgement:
    words: list[str] = []
    for comparator in comparators():
        if comparator.stores is not None:
            continue
        found = _ask(comparator, samples, options, words)
        if found is not None:
            reason = f"{found.reason} ({'; '.join(words)})" if words else found.reason
            return Judgement(comparator=comparator.name, finding=replace(found, reason=reason))
    reason = f"the contents differ ({'; '.join(words)})"
    return Judgement(comparator="", finding=Finding(verdict=Verdict.DIFFERENT, reason=reason))


def _ask(comparator: Comparator, samples: list[Sample], options: Options, words: list[str]) -> Finding | None:
    """A comparator's finding; None, and a word why, when it cannot say."""
    one, two = samples
    try:
        if comparator.stores is not None or (comparator.recognises(one) and comparator.recognises(two)):
            ask = worker.compare if comparator.isolated and not worker.inside else comparator_in_process
            finding = ask(comparator, one, two, options)
            if finding.verdict is not Verdict.IDENTICAL:
                return finding
            words.append(f"{comparator.name} saw no difference, though the bytes differ")
    except NotThisKind as error:
        words.append(f"not compared as {comparator.name}: {error}")
    except EnvironmentFailure:
        raise
    except Exception as error:
        if is_full(error):
            raise no_room() from None
        words.append(f"the {comparator.name} comparator failed: {type(error).__name__}")
    return None


def compare_folders(comparator: Comparator, original: Path, replay: Path, options: Options) -> Finding:
    """Two stores, each a folder with the files that belong together, by the comparator that asked for them.

    Raises:
        NotThisKind: they are no such stores, or it cannot say; the files are then compared one by one.
        EnvironmentFailure: the disk has no room for what is unpacked.
    """
    samples = [Sample(path=path, head=b"", suffix="", size=content_size(path)) for path in (original, replay)]
    words: list[str] = []
    with budget_for(original, replay):
        found = _ask(comparator, samples, options, words)
    if found is None:
        raise NotThisKind("; ".join(words) or f"{comparator.name} saw no difference, though the files differ")
    return found


def comparator_in_process(comparator: Comparator, one: Sample, two: Sample, options: Options) -> Finding:
    return comparator.compare(one.path, two.path, options)


@cache
def comparators() -> tuple[Comparator, ...]:
    """All, in the order in which they are asked."""
    found = members(compare, "COMPARATOR", Comparator)
    return tuple(sorted(found, key=lambda comparator: -comparator.priority))


def _sample(path: Path, name: str) -> Sample:
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    return Sample(path=path, head=head, suffix=Path(name).suffix.lower(), size=path.stat().st_size)
