"""Recorded commands inside of an image."""

from __future__ import annotations

import pytest

from envfreeze.recipe.command import portable


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("python", "python"),
        ("/home/me/.venv/bin/python", "python"),
        ("/usr/bin/python3.11", "python3.11"),
        (".venv/bin/python", "python"),
        ("/opt/conda/bin/accelerate", "accelerate"),
        ("/bin/sh", "/bin/sh"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("./run.sh", "./run.sh"),
        ("bin/tool", "bin/tool"),
    ],
)
def test_program(program: str, expected: str) -> None:
    assert portable([program, "/home/me/x"]) == (expected, "/home/me/x")


def test_nothing_to_run() -> None:
    assert portable([]) == ("python",)
