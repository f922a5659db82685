"""What every command prints: help with an example, words or one JSON object, and one sentence on failure."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from envfreeze import cli
from envfreeze.cli import _main
from envfreeze.registry import members

from .conftest import Envfreeze

COMMANDS = {command.name: command for command in members(cli, "COMMAND", click.Command)}


def test_all_commands_are_found() -> None:
    assert {"freeze", "build", "replay", "diff", "show", "doctor", "demo", "schema", "completion"} <= set(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_the_command_understands(name: str, envfreeze: Envfreeze) -> None:
    said = envfreeze(name, "--help")
    assert said.code == 0
    lines = [line.strip().removeprefix("Example:").strip() for line in said.out.splitlines()]
    examples = [line for line in lines if line.startswith("envfreeze ") or "$(envfreeze " in line]
    assert examples, said.out
    for example in examples:
        words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
        words = words[: words.index(">")] if ">" in words else words
        assert words[:2] == ["envfreeze", name]
        COMMANDS[name].make_context(name, words[2:])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_common_options(name: str) -> None:
    command = COMMANDS[name]
    for one in command.commands.values() if isinstance(command, click.Group) else (command,):
        options = {option for parameter in one.params for option in parameter.opts}
        assert {"--json", "--quiet", "-q", "--verbose", "-v"} <= options


FREEZE = ("freeze", "--offline", "--vendor-limit", "1", "--no-dockerfile")
COMMAND = ("--", sys.executable, "-c", "print('from the command')")
LOCAL = ("--engine", "local")

SUCCESSES = [
    (*FREEZE, "--json"),
    (*FREEZE, "--json", *COMMAND),
    ("build", *LOCAL, "--json"),
    ("replay", *LOCAL, "--json"),
    ("replay", *LOCAL, "--json", "--", "python", "-c", "print(1)"),
    ("diff", "--json", "train.py", "train.py"),
    ("show", "--json"),
    ("doctor", "--json"),
    ("schema", "--json"),
    ("completion", "bash", "--json"),
]


@pytest.mark.parametrize("arguments", SUCCESSES, ids=lambda arguments: " ".join(arguments[:4]))
def test_json_is_one_object_on_standard_output(
    frozen: Path, envfreeze: Envfreeze, arguments: tuple[str, ...]
) -> None:
    said = envfreeze(*arguments)
    assert said.code == 0, said
    assert isinstance(json.loads(said.out), dict)
    assert "error" not in json.loads(said.out)


BAD_USAGE = [
    ("freeze", "--json", "--", "no-such-program"),
    ("freeze", "--json", "--banana"),
    ("freeze", "--json", "python", "train.py"),
    ("freeze", "--json", "--"),
    ("freeze", "--json", "--project", "nowhere"),
    ("freeze", "--json", "--python", "nowhere"),
    ("build", "--json", "nowhere.lock"),
    ("build", "--json", "--engine", "banana"),
    ("replay", "--json", "--engine", "banana"),
    ("replay", "--json", "--code", "nowhere"),
    ("replay", "--json", "--memory", "banana"),
    ("replay", "--json", "--memory", "0"),
    ("replay", "--json", "--cpus", "inf"),
    ("replay", "--json", "--cpus", "-1"),
    ("replay", "--json", "--timeout", "nan"),
    ("replay", "--json", "--timeout", "0"),
    ("replay", "--json", "--rtol", "-1"),
    ("replay", "--json", "--atol", "nan"),
    ("replay", "--json", "--require", "banana"),
    ("diff", "--json", "nowhere", "neither"),
    ("diff", "--json", "train.py"),
    ("show", "--json", "train.py"),
    ("demo", "--json", "--keep", "."),
    ("schema", "--json", "banana"),
    ("completion", "--json", "banana"),
    ("banana", "--json"),
]


@pytest.mark.parametrize("arguments", BAD_USAGE, ids=" ".join)
def test_a_failure_is_one_sentence_in_words_and_one_object_in_json(
    frozen: Path, envfreeze: Envfreeze, arguments: tuple[str, ...]
) -> None:
    code = 2
    before = sorted(frozen.rglob("*"))
    said = envfreeze(*arguments)
    assert said.code == code, said
    error = json.loads(said.out)["error"]
    assert error["exit_code"] == code
    assert error["sentence"].endswith(".") and "\n" not in error["sentence"]
    assert "fault in envfreeze" not in error["sentence"]
    words = envfreeze(*[argument for argument in arguments if argument != "--json"])
    assert words.code == code
    assert words.out == ""
    assert f"envfreeze: {error['sentence']}" in words.err.splitlines()
    assert [path for path in sorted(frozen.rglob("*")) if path not in before] == []


def test_quiet_leaves_results_and_errors(frozen: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze("build", *LOCAL, "-q")
    assert (said.code, said.out) == (0, "")
    said = envfreeze("replay", *LOCAL, "-q")
    assert said.code == 0
    assert len(said.out.splitlines()) == 1
    assert all(line.startswith("! ") for line in said.err.splitlines()), "warnings only"
    assert envfreeze("diff", "-q", "train.py", "out.txt").out.startswith("Not reproduced")
    assert len(envfreeze("diff", "-q", "train.py", "out.txt").out.splitlines()) == 1
    said = envfreeze("build", *LOCAL, "-q", "nowhere.lock")
    assert said.code == 2 and "there is no" in said.err
    said = envfreeze(*FREEZE, "-q", *COMMAND)
    assert (said.code, said.out) == (0, "from the command\n")
    assert "·" not in said.err and "wrote" not in said.err


def test_json_with_a_failed_command_is_the_lock_and_the_commands_own_exit_code(
    frozen: Path, envfreeze: Envfreeze
) -> None:
    said = envfreeze(*FREEZE, "--json", "--", sys.executable, "-c", "print('x'); raise SystemExit(7)")
    assert said.code == 7
    assert json.loads(said.out)["run"]["exit_status"] == 7
    assert "x\n" in said.err, "the command's own output moves aside"


def test_json_after_the_dashes_belongs_to_the_command(frozen: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze(*FREEZE, "-q", "--", sys.executable, "-c", "import sys; print(sys.argv[1])", "--json")
    assert (said.code, said.out) == (0, "--json\n")
    said = envfreeze("replay", *LOCAL, "nowhere.lock", "--", "python", "x.py", "--json")
    assert said.code == 2 and said.out == "" and "there is no" in said.err


def test_what_nobody_foresaw_is_a_sentence_too(
    frozen: Path, envfreeze: Envfreeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise KeyError("two\nlines")

    monkeypatch.setattr("envfreeze.records.lockfile.read", broken)
    said = envfreeze("show")
    assert said.code == 3 and said.out == ""
    assert "envfreeze: this is a fault in envfreeze: KeyError" in said.err and "Traceback" not in said.err
    assert "test_output.py line" in said.err
    assert "Traceback" in envfreeze("show", "-v").err
    assert json.loads(envfreeze("show", "--json").out)["error"]["exit_code"] == 3


def test_an_error_of_the_system_names_the_place(
    monkeypatch: pytest.MonkeyPatch, envfreeze: Envfreeze
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", "/data/project")

    monkeypatch.setattr("envfreeze.records.lockfile.read", full)
    said = envfreeze("show")
    assert said.code == 3
    assert said.err.splitlines()[0] == "envfreeze: /data/project: no space left on device."
    assert "Free some space" in said.err.splitlines()[1]


def test_the_help_of_the_group_names_the_exit_codes(envfreeze: Envfreeze) -> None:
    said = envfreeze("--help")
    assert said.code == 0
    assert "Exit codes: 0" in said.out
    order = [said.out.index(f"\n  {name} ") for name in _main._ORDER]
    assert order == sorted(order)


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"]])
def test_a_reader_that_had_enough_hears_nothing_of_it(frozen: Path, arguments: list[str]) -> None:
    """``envfreeze show | head -1``: no word on standard error."""
    command = [sys.executable, "-m", "envfreeze", *arguments]
    process = subprocess.Popen(command, cwd=frozen, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.communicate()[1] == b""
    assert process.returncode == 141
