from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from envfreeze.compare import Options, json_
from envfreeze.compare.outputs import Side, compare_sets, side_of_folder
from envfreeze.errors import InputError
from envfreeze.records.comparison import Comparison
from envfreeze.records.verdict import Verdict


def folder(root: Path, **contents: str) -> Path:
    root.mkdir(parents=True)
    for name, content in contents.items():
        path = root / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return root


def compared(one: Path, two: Path, **settings: object) -> Comparison:
    return compare_sets(side_of_folder(one), side_of_folder(two), Options(), **settings)


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {output.path: output.verdict.value for output in comparison.outputs}


def test_worst_first_and_overall(tmp_path: Path) -> None:
    one = folder(tmp_path / "a", same="x", m_json='{"a": 1}', gone="g", b="p")
    two = folder(tmp_path / "b", same="x", m_json='{"a":1}', new="n", b="q")
    found = compared(one, two)
    assert list(verdicts(found).items()) == [
        ("b", "different"),
        ("gone", "missing"),
        ("new", "extra"),
        ("m.json", "equivalent"),
        ("same", "identical"),
    ]
    assert found.verdict is Verdict.DIFFERENT
    assert (found.original, found.replay) == (str(one), str(two))


def test_empty_sets_are_no_success(tmp_path: Path) -> None:
    found = compared(folder(tmp_path / "a"), folder(tmp_path / "b"))
    assert found.verdict is Verdict.UNCOMPARED


def test_folders_of_tools_are_left_out_and_others_are_not(tmp_path: Path) -> None:
    one = folder(tmp_path / "a", **{"out__x": "1", ".hidden": "1"})
    for name in (".git", ".envfreeze", "__pycache__"):
        (one / name).mkdir()
        (one / name / "f").write_text("f")
    assert set(side_of_folder(one).files) == {"out/x", ".hidden", "__pycache__/f"}


def test_symbolic_links_by_target(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "a", f="1"), folder(tmp_path / "b", f="1", kind="1")
    (one / "same").symlink_to("f")
    (two / "same").symlink_to("f")
    (one / "moved").symlink_to("f")
    (two / "moved").symlink_to("g")
    (one / "kind").symlink_to("f")
    (one / "loop").symlink_to("loop")
    found = verdicts(compared(one, two))
    assert found == {
        "f": "identical",
        "same": "identical",
        "moved": "different",
        "kind": "different",
        "loop": "missing",
    }


def test_link_into_the_project_folder_is_an_alias() -> None:
    one, two = Side(label="a", links={"l": "/p/x"}), Side(label="b", links={"l": "/r/x"})
    options = Options(aliases=(("project folder", "/p", "/r"),))
    (output,) = compare_sets(one, two, options).outputs
    assert output.verdict is Verdict.EQUIVALENT
    assert output.set_aside == ("project folder: 1 place",)


def side(root: Path, label: str, *, out: str = "", err: str = "", status: int = 0) -> Side:
    root.mkdir()
    (root / "o").write_text(out)
    (root / "e").write_text(err)
    return Side(label=label, stdout=root / "o", stderr=root / "e", exit_status=status)


def test_standard_error_does_not_count_and_the_exit_status_does(tmp_path: Path) -> None:
    one, two = side(tmp_path / "a", "a", err="x"), side(tmp_path / "b", "b", err="y")
    found = compare_sets(one, two, Options())
    assert verdicts(found)["<stderr>"] == "different"
    assert found.verdict is Verdict.IDENTICAL
    failed = compare_sets(one, side(tmp_path / "c", "c", status=1), Options())
    assert failed.verdict is Verdict.DIFFERENT
    assert [output.reason for output in failed.outputs if output.path == "<exit status>"] == ["0 → 1"]


def test_output_counts(tmp_path: Path) -> None:
    found = compare_sets(side(tmp_path / "a", "a", out="1"), side(tmp_path / "b", "b", out="2"), Options())
    assert found.verdict is Verdict.DIFFERENT
    assert found.outputs[0].path == "<stdout>"


def test_what_cannot_be_had_is_uncompared_and_no_success(tmp_path: Path) -> None:
    two = folder(tmp_path / "b", x="1")
    found = compare_sets(
        Side(label="original"),
        side_of_folder(two),
        Options(),
        uncompared={"x": "not in the store", "y": "not in the store", "<stdout>": "not in the store"},
    )
    assert verdicts(found) == {"x": "uncompared", "y": "missing", "<stdout>": "uncompared"}
    assert not found.verdict.satisfies(Verdict.SAME_CONCLUSION)


def test_an_unreadable_file_is_uncompared(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "a", x="1"), folder(tmp_path / "b", x="1")
    sides = side_of_folder(one), side_of_folder(two)
    (two / "x").unlink()
    (output,) = compare_sets(*sides, Options()).outputs
    assert output.verdict is Verdict.UNCOMPARED
    assert "No such file" in output.reason


def test_a_comparator_that_fails_never_makes_it_better(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(json_, "compare_trees", broken)
    found = judge('{"a": 1}', '{"a": 2}', "m.json")
    assert found.finding.verdict == "different"
    assert "json comparator failed: RuntimeError" in found.finding.reason


def test_two_files_of_any_name(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", old_json='{"a": 1}', new_json='{"a": 2}')
    (output,) = compared(root / "old.json", root / "new.json").outputs
    assert output.reason == "$.a 1 → 2"


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", x="1")
    with pytest.raises(InputError, match="is a file and"):
        compared(root, root / "x")


def test_what_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere cannot be read"):
        side_of_folder(tmp_path / "nowhere")


def test_a_fifo_is_refused_and_skipped_inside(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", x="1")
    os.mkfifo(root / "pipe")
    assert set(side_of_folder(root).files) == {"x"}
    with pytest.raises(InputError, match="neither a file nor a folder"):
        side_of_folder(root / "pipe")


RUN = {
    "id": "1",
    "lock": "0" * 64,
    "engine": "local",
    "image": {"engine": "local", "reference": "x", "environment_id": "0" * 64},
    "command": ["python"],
    "directory": "/p",
    "started": "",
    "exit_status": 3,
    "stdout": {"sha256": "0" * 64},
    "stderr": {"sha256": "0" * 64},
}


def test_a_recorded_run(tmp_path: Path) -> None:
    root = folder(tmp_path / "run", stdout="o", stderr="e", run_json=json.dumps(RUN), outputs__m="1")
    (root / "outputs" / "@root" / "data").mkdir(parents=True)
    (root / "outputs" / "@root" / "data" / "x").write_text("1")
    found = side_of_folder(root)
    assert set(found.files) == {"m", "/data/x"}
    assert found.exit_status == 3
    assert found.stdout == root / "stdout"


@pytest.mark.parametrize("content", ["{", '{"id": 1}', "[" * 100_000])
def test_a_foreign_run_json_is_just_a_file(tmp_path: Path, content: str) -> None:
    root = folder(tmp_path / "a", run_json=content, x="1")
    assert set(side_of_folder(root).files) == {"run.json", "x"}


def test_a_run_against_a_plain_folder(tmp_path: Path) -> None:
    run = folder(tmp_path / "run", stdout="o", stderr="e", run_json=json.dumps(RUN), outputs__m="1")
    found = compared(run, folder(tmp_path / "plain", m="1"))
    assert found.verdict is Verdict.IDENTICAL
    assert verdicts(found)["<stdout>"] == "uncompared"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / os.fsdecode(b"caf\xe9")).write_text(name)
    (output,) = compared(tmp_path / "a", tmp_path / "b").outputs
    assert output.path == "caf\udce9"
    assert output.verdict is Verdict.DIFFERENT


def test_many_files_in_parallel_come_in_order(tmp_path: Path) -> None:
    contents = {f"f{number:03}": str(number) for number in range(200)}
    found = compared(folder(tmp_path / "a", **contents), folder(tmp_path / "b", **contents))
    assert [output.path for output in found.outputs] == sorted(contents)
    assert found.verdict is Verdict.IDENTICAL
