from __future__ import annotations

import platform
import sys

import pytest

from envfreeze.engines._local_install import explain
from envfreeze.engines._local_interpreters import ask, find
from envfreeze.errors import EnvironmentFailure, InputError


@pytest.mark.parametrize(
    ("output", "kind", "words"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement six==99.0 (from versions: 1.0)\n"
            "ERROR: No matching distribution found for six==99.0\n",
            InputError,
            "no package index has what the lock pins: six==99.0",
        ),
        (
            "  x No solution found when resolving dependencies:\n"
            "  `-> Because there is no version of six==99.0 and you require six==99.0, we can conclude …\n",
            InputError,
            "pins: six==99.0",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n"
            "    six==1.16.0 from https://files.example/six.whl:\n        Expected sha256 00\n",
            InputError,
            "does not have the content that the lock records: six==1.16.0",
        ),
        ("error: Hash mismatch for `six==1.16.0`\n", InputError, "records: six==1.16.0"),
        ("OSError: [Errno 28] No space left on device\n", EnvironmentFailure, "the disk is full"),
        (
            "WARNING: Retrying ... Temporary failure in name resolution\n"
            "ERROR: Could not find a version that satisfies the requirement six==1.0 (from versions: none)\n",
            EnvironmentFailure,
            "cannot be reached",
        ),
        ("error: invalid peer certificate: UnknownIssuer\n", EnvironmentFailure, "does not trust"),
        ("HTTP status client error (401 Unauthorized)\n", EnvironmentFailure, "refuses access"),
        (
            "  x Failed to build `lxml==5.0`\n",
            EnvironmentFailure,
            "built from source, and that failed here: lxml",
        ),
    ],
)
def test_failures_of_installers_become_sentences(output: str, kind: type[Exception], words: str) -> None:
    problem = explain(output)
    assert type(problem) is kind
    assert words in str(problem)
    assert problem is not None and problem.hint


def test_unknown_output_is_not_explained_away() -> None:
    assert explain("error: something else entirely\n") is None


def test_the_running_version_is_found() -> None:
    found = find(platform.python_version(), platform.python_implementation())
    assert found.version == platform.python_version()


def test_a_near_patch_release_has_to_do() -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = find(f"{minor}.99", platform.python_implementation())
    assert found.version.startswith(f"{minor}.")


def test_a_missing_interpreter_says_how_to_get_it() -> None:
    with pytest.raises(EnvironmentFailure, match=r"no Python 3\.99") as caught:
        find("3.99.1")
    assert caught.value.hint == "Install it with: uv python install 3.99.1"


def test_what_is_no_interpreter_is_passed_over() -> None:
    assert ask("/bin/false") is None
    assert ask("/nonexistent/python") is None
