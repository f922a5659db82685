"""Which official image a lock's Dockerfile starts from: by the interpreter's version and its C library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion, Version

from envfreeze.errors import InputError
from envfreeze.recipe import cuda_image
from envfreeze.recipe._conda import uses_conda
from envfreeze.records.environment import Interpreter
from envfreeze.records.files import Gap
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage

if TYPE_CHECKING:
    from envfreeze.engines import Engine

DEBIAN_RELEASES = (
    ("buster", Version("2.28")),
    ("bullseye", Version("2.31")),
    ("bookworm", Version("2.36")),
    ("trixie", Version("2.41")),
)
"""Debian releases and their glibc, oldest first; source: https://packages.debian.org/libc6."""

_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class _Candidate(NamedTuple):
    reference: str
    why: str
    gap: str | None = None
    """What is not as recorded when this one is taken."""


def choose(lock: Lock, engine: Engine | None) -> tuple[BaseImage, tuple[Gap, ...]]:
    """The image that fits the lock's interpreter best, and what about it is not as recorded.

    Old patch versions of Python were never published on new Debian releases and the other way round, so
    the candidates are asked for one by one. Without an engine that can be asked it is the first candidate.

    Raises:
        InputError: no official image has this kind of interpreter.
    """
    candidates = tuple(_for_conda(lock) if uses_conda(lock) else _candidates(lock.interpreter))
    chosen = candidates[0]
    digest = None
    if engine is not None:
        for candidate in candidates:
            exists = engine.base_exists(candidate.reference)
            if exists is None:
                break
            if exists:
                chosen = candidate
                break
        digest = engine.base_digest(chosen.reference) or None  # an image that was built here has none
    gaps = (Gap(what="base image", why=chosen.gap),) if chosen.gap else ()
    cuda = cuda_image.choose(lock, chosen.reference, engine)
    why = "; ".join(words for words in (chosen.why, cuda.words) if words)
    base = BaseImage(reference=chosen.reference, digest=digest, why=why, cuda=cuda.image)
    return check(base), gaps + cuda.gaps


def check(base: BaseImage) -> BaseImage:
    """The image itself, when its name and digest, and those of CUDA's, may stand in a Dockerfile.

    Raises:
        InputError: they may not (the grammar: https://pkg.go.dev/github.com/distribution/reference).
    """
    for image in (base, base.cuda):
        if image is None:
            continue
        if not _REFERENCE.fullmatch(image.reference):
            raise InputError(f"{image.reference!r} is not the name of an image with a tag.", hint=_HINT)
        if image.digest is not None and not _DIGEST.fullmatch(image.digest):
            raise InputError(f"{image.digest!r} is not the digest of an image.", hint=_HINT)
    return base


_HINT = "Mend 'base' in envfreeze.lock, for example: reference: python:3.11.7-slim-bookworm"


def _candidates(interpreter: Interpreter) -> Iterator[_Candidate]:
    version = _version(interpreter)
    name = f"{interpreter.implementation} {version}"
    series = f"{version.major}.{version.minor}"
    if interpreter.implementation == "PyPy":
        gap = f"images of PyPy are named by Python's series only; which release of {series} it has may differ"
        yield _Candidate(f"pypy:{series}-slim", f"{name} ran", gap)
        return
    if interpreter.implementation != "CPython":
        raise InputError(
            f"there is no official image with {interpreter.implementation}, so no Dockerfile can be made.",
            hint="Replay it with: envfreeze replay --engine local",
        )
    patch = f"the image has the newest Python {series}, the run had {version}: that exact image is not there"
    if interpreter.libc.startswith("musl"):
        why = f"{name} ran with {interpreter.libc}, which Alpine has"
        yield _Candidate(f"python:{version}-alpine", why)
        yield _Candidate(f"python:{series}-alpine", why, patch)
        return
    releases = _releases(interpreter.libc)
    why = f"{name} ran with {interpreter.libc or 'an unknown C library'}"
    for release in releases:
        yield _Candidate(f"python:{version}-slim-{release}", why)
    for release in releases:
        yield _Candidate(f"python:{series}-slim-{release}", why, patch)


def _for_conda(lock: Lock) -> Iterator[_Candidate]:
    """Debian alone: conda brings the interpreter, and all of its libraries but the C library."""
    libc = lock.interpreter.libc or "an unknown C library"
    for release in _releases(lock.interpreter.libc):
        yield _Candidate(f"debian:{release}-slim", f"A conda environment ran with {libc}")


def _version(interpreter: Interpreter) -> Version:
    try:
        version = Version(interpreter.version.removesuffix("+"))
    except InvalidVersion:
        version = Version("0")
    if len(version.release) < 2 or version.release < (2, 7):
        raise InputError(
            f"the interpreter's version {interpreter.version!r} is no Python version.", hint="Freeze again."
        )
    return version


def _releases(libc: str) -> tuple[str, ...]:
    """Debian releases to try: the oldest whose glibc is new enough, then newer ones, then older ones.

    Binaries made for one glibc run on newer ones (symbol versioning), and rarely on older ones.
    """
    try:
        needed = Version(libc.removeprefix("glibc").strip())
    except InvalidVersion:
        needed = Version("2.36")
    enough = [release for release, glibc in DEBIAN_RELEASES if glibc >= needed]
    older = [release for release, glibc in reversed(DEBIAN_RELEASES) if glibc < needed]
    return (*enough, *older)
