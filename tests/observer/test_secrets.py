"""Secrets on a command line reach neither the lock nor the list of processes."""

from __future__ import annotations

import sys

import pytest

from envfreeze.observer.seen import masked, without_secrets


@pytest.mark.parametrize(
    ("word", "recorded"),
    [
        (["--api-key", "abc"], ("--api-key", "***")),
        (["--api-key=abc"], ("--api-key=***",)),
        (["wandb.token=abc"], ("wandb.token=***",)),
        (["--db-password", "x y", "data.csv"], ("--db-password", "***", "data.csv")),
        (["https://user:pass@host/data.csv"], ("https://host/data.csv",)),
        (["--hub", "hf_" + "a" * 34], ("--hub", "***")),
        (["--tokenizer", "gpt2"], ("--tokenizer", "gpt2")),
        (["--max-tokens=512"], ("--max-tokens=512",)),
        (["--author", "somebody"], ("--author", "somebody")),
        (["-c", "KEY = 5; TOKEN=7"], ("-c", "KEY = 5; TOKEN=7")),
    ],
)
def test_only_what_is_secret_is_left_out(word: list[str], recorded: tuple[str, ...]) -> None:
    assert without_secrets(word) == recorded


def test_a_shell_command_is_masked_for_people() -> None:
    assert "hunter2" not in " ".join(masked(["sh", "-c", "PASSWORD=hunter2 train --api-key hunter2"]))


def test_the_lock_says_that_something_is_left_out(watching) -> None:
    code = "import sys; print(len(sys.argv[2]))\n"
    watched = watching.python(code, "--token", "very-secret")
    assert watching.stdout(watched) == b"11\n", "the run itself gets it"
    assert watched.observation.command == (sys.executable, "main.py", "--token", "***")
    assert any(gap.what == "the command line" for gap in watched.gaps)
    stored = b"".join(path.read_bytes() for path in watching.store.objects.rglob("*") if path.is_file())
    assert b"very-secret" not in stored
