from __future__ import annotations

from pathlib import Path

import pytest

from envfreeze.compare import Options
from envfreeze.compare._policy import for_path, with_policy
from envfreeze.compare.outputs import compare_sets, side_of_folder
from envfreeze.errors import InputError

POLICY = """
[tool.envfreeze.compare]
rtol = 1e-6
[tool.envfreeze.compare.paths."results/*.csv"]
rtol = 1e-2
order-insensitive = ["id"]
[tool.envfreeze.compare.paths."logs/**"]
ignore = "timings of the cluster"
"""


def policy(folder: Path, text: str = POLICY, **settings: object) -> Options:
    (folder / "pyproject.toml").write_text(text)
    return with_policy(Options(**settings), folder)


@pytest.mark.parametrize(
    ("path", "rtol", "ignore"),
    [
        ("m.json", 1e-6, ""),
        ("results/t.csv", 1e-2, ""),
        ("results/deep/t.csv", 1e-6, ""),
        ("logs/a/b.txt", 1e-6, "timings of the cluster"),
    ],
)
def test_the_last_pattern_that_matches_decides(tmp_path: Path, path: str, rtol: float, ignore: str) -> None:
    options, why = for_path(policy(tmp_path), path)
    assert (options.rtol, why) == (rtol, ignore)


def test_the_command_line_goes_before_the_project(tmp_path: Path) -> None:
    assert for_path(policy(tmp_path, rtol=0.5), "results/t.csv")[0].rtol == 0.5


def test_what_is_ignored_is_listed_and_never_called_equal(tmp_path: Path) -> None:
    for side, log, value in (("a", "1 s", "1.0"), ("b", "2 s", "1.001")):
        (tmp_path / side / "logs").mkdir(parents=True)
        (tmp_path / side / "results").mkdir()
        (tmp_path / side / "logs" / "run.txt").write_text(log)
        rows = [f"1,{value}\n", "2,5.0\n"]
        (tmp_path / side / "results" / "t.csv").write_text(
            "id,x\n" + "".join(rows if side == "a" else rows[::-1])
        )
    sides = [side_of_folder(tmp_path / side) for side in "ab"]
    found = compare_sets(*sides, policy(tmp_path))
    assert found.verdict == "close"
    ignored = next(output for output in found.outputs if output.path == "logs/run.txt")
    assert (ignored.verdict, ignored.counts) == ("uncompared", False)
    assert ignored.reason == "ignored by pyproject.toml: timings of the cluster"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.envfreeze.compare]\nrtoll = 1", "rtoll"),
        ("[tool.envfreeze.compare]\nrtol = -1", "must be a number"),
        ('[tool.envfreeze.compare.paths."*"]\nignore = true', "Expected `str"),
        ('[tool.envfreeze.compare.paths."*"]\nignore = ""', "must say why"),
        ("[tool", "is no TOML"),
    ],
)
def test_a_wrong_section_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        policy(tmp_path, text)


def test_without_a_section_nothing_changes(tmp_path: Path) -> None:
    assert with_policy(Options(), tmp_path) == Options()
    assert policy(tmp_path, "[project]\nname = 'x'") == Options()
