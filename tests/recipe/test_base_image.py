"""Which image a Dockerfile starts from."""

from __future__ import annotations

import pytest

from envfreeze.errors import InputError
from envfreeze.recipe.base_image import choose
from envfreeze.records.environment import Interpreter
from envfreeze.records.lock import Lock


def lock(version: str = "3.11.7", libc: str = "glibc 2.36", implementation: str = "CPython") -> Lock:
    interpreter = Interpreter(implementation=implementation, version=version, libc=libc)
    return Lock(envfreeze_lock=1, interpreter=interpreter)


class Registry:
    """An engine that knows some images."""

    def __init__(self, *known: str) -> None:
        self.known, self.asked = known, []  # type: ignore[var-annotated]

    def base_exists(self, reference: str) -> bool | None:
        self.asked.append(reference)
        return None if not self.known else reference in self.known

    def base_digest(self, reference: str) -> str | None:
        return f"sha256:{'d' * 64}" if reference in self.known else None


@pytest.mark.parametrize(
    ("libc", "release"),
    [
        ("glibc 2.17", "buster"),
        ("glibc 2.28", "buster"),
        ("glibc 2.31", "bullseye"),
        ("glibc 2.35", "bookworm"),
        ("glibc 2.36", "bookworm"),
        ("glibc 2.39", "trixie"),
        ("glibc 2.99", "trixie"),
        ("", "bookworm"),
    ],
)
def test_oldest_release_with_new_enough_libc(libc: str, release: str) -> None:
    base, gaps = choose(lock(libc=libc), None)
    assert base.reference == f"python:3.11.7-slim-{release}"
    assert base.digest is None
    assert gaps == ()


def test_musl_means_alpine() -> None:
    assert choose(lock(libc="musl 1.2"), None)[0].reference == "python:3.11.7-alpine"


def test_newer_release_before_older_one() -> None:
    registry = Registry("python:3.11.7-slim-bullseye", "python:3.11.7-slim-trixie")
    base, gaps = choose(lock(), registry)  # type: ignore[arg-type]
    assert base.reference == "python:3.11.7-slim-trixie"
    assert base.digest == f"sha256:{'d' * 64}"
    assert gaps == ()


def test_image_that_was_built_here_has_no_digest() -> None:
    registry = Registry("python:3.11.7-slim-bookworm")
    registry.base_digest = lambda reference: ""  # type: ignore[method-assign]
    assert choose(lock(), registry)[0].digest is None  # type: ignore[arg-type]


def test_other_patch_version_is_a_gap() -> None:
    base, gaps = choose(lock("3.11.99"), Registry("python:3.11-slim-bookworm"))  # type: ignore[arg-type]
    assert base.reference == "python:3.11-slim-bookworm"
    assert "3.11.99" in gaps[0].why


def test_registry_that_does_not_answer_is_asked_once() -> None:
    registry = Registry()
    base, _ = choose(lock(), registry)  # type: ignore[arg-type]
    assert base.reference == "python:3.11.7-slim-bookworm"
    assert len(registry.asked) == 1


def test_pypy() -> None:
    base, gaps = choose(lock("3.10.14", implementation="PyPy"), None)
    assert base.reference == "pypy:3.10-slim"
    assert gaps


@pytest.mark.parametrize("version", ["", "x\nRUN", "3"])
def test_version_that_is_none(version: str) -> None:
    with pytest.raises(InputError):
        choose(lock(version), None)


def test_interpreter_without_image() -> None:
    with pytest.raises(InputError, match="GraalPy"):
        choose(lock(implementation="GraalPy"), None)
