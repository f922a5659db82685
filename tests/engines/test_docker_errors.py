"""What builders print, as sentences; the texts were printed by Docker 20.10, 27 and 28, pip and uv."""

from __future__ import annotations

import pytest

from envfreeze.engines._docker_errors import explain
from envfreeze.errors import EnvironmentFailure, InputError


@pytest.mark.parametrize(
    ("line", "kind", "told"),
    [
        (
            "ERROR: Cannot connect to the Docker daemon at unix:///x. Is the daemon running?",
            EnvironmentFailure,
            "went away",
        ),
        (
            "failed to receive status: rpc error: code = 14 desc = error reading from server: EOF",
            EnvironmentFailure,
            "went away",
        ),
        ("write /x: no space left on device", EnvironmentFailure, "disk"),
        (
            "ERROR: failed to solve: python:3.9.99: failed to resolve source metadata for "
            "docker.io/library/python:3.9.99: docker.io/library/python:3.9.99: not found",
            EnvironmentFailure,
            "BASE is not on its registry",
        ),
        ("manifest for python:3.9.99 not found: manifest unknown", EnvironmentFailure, "not on its registry"),
        (
            'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
            EnvironmentFailure,
            "cannot be reached",
        ),
        ("toomanyrequests: You have reached your pull rate limit.", EnvironmentFailure, "no more downloads"),
        ("E: Unable to locate package libfoo9", EnvironmentFailure, "packages of the system"),
        ("ERROR: No matching distribution found for six==1.99", InputError, "six==1.99"),
        ("/bin/sh: 1: pip: not found", EnvironmentFailure, "BASE has no Python"),
        ("error: No system Python installation found", EnvironmentFailure, "BASE has no Python"),
        ("something unheard of", EnvironmentFailure, "something unheard of"),
    ],
)
def test_sentence(line: str, kind: type[Exception], told: str) -> None:
    error = explain(["Step 1/9", line], "BASE")
    assert isinstance(error, kind)
    assert told in str(error)
    assert "\n" not in str(error)


def test_silence() -> None:
    assert "said nothing" in str(explain([], "BASE"))
