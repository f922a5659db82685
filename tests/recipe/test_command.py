"""Recorded commands inside of an image."""

from __future__ import annotations

import pytest

from envfreeze.recipe.command import portable, unwrapped


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


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("uv run train.py --lr 1", "python train.py --lr 1"),
        ("/home/me/bin/uv run --frozen -p 3.11 --with=six -- python -m pkg", "python -m pkg"),
        ("uv run -m pkg --flag", "python -m pkg --flag"),
        ("uv run mytool", "mytool"),
        ("conda run -n ml --no-capture-output python train.py", "python train.py"),
        ("poetry run pytest", "pytest"),
        ("uv run --unknown x train.py", "uv run --unknown x train.py"),
        ("uv run", "uv run"),
        ("uv pip list", "uv pip list"),
        ("bash run.sh", "bash run.sh"),
    ],
)
def test_programs_that_only_find_the_environment(command: str, expected: str) -> None:
    assert unwrapped(command.split()) == tuple(expected.split())
