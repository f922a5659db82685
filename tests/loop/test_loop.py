"""The loop on real parts: freeze, leave the machine, replay, judge."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from .conftest import ENGINES, at_the_same_path, copy_example, run

TRAIN = """\
import json, os, pathlib, random, sys
SEED = 7
rows = [float(line) for line in open("data/rows.txt")]
generator = random.Random(SEED)
score = sum(value * generator.random() for value in rows)
pathlib.Path("out").mkdir(exist_ok=True)
json.dump({"score": score, "rows": len(rows)}, open("out/metrics.json", "w"))
open("out/raw.bin", "wb").write(bytes(generator.randrange(256) for _ in range(100)))
print("score", score, os.getcwd())
"""


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    folder = tmp_path / "author" / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "rows.txt").write_text("1.5\n2.5\n3.5\n")
    (folder / "train.py").write_text(TRAIN)
    (folder / "unused.txt").write_text("nobody reads this")
    return folder


def move_away(folder: Path, to: Path) -> Path:
    """What a reviewer gets; the original is gone."""
    to.mkdir()
    for name in ("envfreeze.lock", ".envfreeze", "Dockerfile"):
        shutil.move(folder / name, to / name)
    shutil.rmtree(folder)
    return to


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frozen_run_replays_identically_elsewhere(
    small_project: Path, bare_environment: Path, tmp_path: Path, engine: str
) -> None:
    frozen = run(
        "freeze", "--offline", "--", "python", "train.py", cwd=small_project, path=[bare_environment]
    )
    assert frozen.returncode == 0, frozen.stderr
    assert frozen.stdout.startswith("score ")
    lock = yaml.safe_load((small_project / "envfreeze.lock").read_text())
    assert [entry["path"] for entry in lock["run"]["files"]["entries"]] == ["data/rows.txt", "train.py"]
    assert [entry["path"] for entry in lock["run"]["outputs"]["entries"]] == [
        "out/metrics.json",
        "out/raw.bin",
    ]

    reviewer = move_away(small_project, tmp_path / "reviewer")
    replayed = run("replay", "--engine", engine, "--json", cwd=reviewer)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    # The script prints its folder: another one is set aside, and said.
    assert replayed.json["verdict"] == ("identical" if at_the_same_path(engine) else "equivalent")
    verdicts = {output["path"]: output["verdict"] for output in replayed.json["outputs"]}
    assert set(verdicts) == {"<exit status>", "<stdout>", "<stderr>", "out/metrics.json", "out/raw.bin"}
    record = Path(replayed.json["run"]["folder"])
    assert (record / "outputs" / "out" / "metrics.json").is_file()
    assert (record / "run.json").is_file()

    # One changed line in today's files: the metric that moved is named, with both values.
    today = tmp_path / "today"
    (today / "data").mkdir(parents=True)
    (today / "data" / "rows.txt").write_text("1.5\n2.5\n3.5\n")
    (today / "train.py").write_text(TRAIN.replace("SEED = 7", "SEED = 8"))
    page = tmp_path / "report.html"
    changed = run("replay", "--engine", engine, "--code", today, "--report", page, "--json", cwd=reviewer)
    assert changed.returncode == 1
    assert "Not reproduced" in page.read_text() and "out/metrics.json" in page.read_text()
    assert changed.json["verdict"] == "different"
    reasons = {output["path"]: output["reason"] for output in changed.json["outputs"]}
    assert "score" in reasons["out/metrics.json"] and "→" in reasons["out/metrics.json"]
    words = run("replay", "--engine", engine, "--code", today, cwd=reviewer)
    assert words.returncode == 1
    assert "Not reproduced" in words.stdout

    # Another command finds what the original made.
    other = ["python", "-c", "import json; print(json.load(open('out/metrics.json'))['rows'])"]
    evaluated = run("replay", "--engine", engine, "--json", "--", *other, cwd=reviewer)
    assert evaluated.returncode == 0, evaluated.stderr
    assert (Path(evaluated.json["run"]["folder"]) / "stdout").read_text() == "3\n"
    assert evaluated.json["verdict"] is None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pipeline_of_a_shell_script(tmp_path: Path, bare_environment: Path, engine: str) -> None:
    folder = copy_example("pipeline", tmp_path)
    frozen = run("freeze", "--offline", "--", "bash", "run.sh", cwd=folder, path=[bare_environment])
    assert frozen.returncode == 0, frozen.stderr
    reviewer = move_away(folder, tmp_path / "reviewer")
    replayed = run("replay", "--engine", engine, "--json", cwd=reviewer)
    assert replayed.json["verdict"] == "identical", replayed.stdout
    assert replayed.returncode == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_command_without_network_and_without_rights(
    tmp_path: Path, bare_environment: Path, engine: str
) -> None:
    """Whoever replays a stranger's lock runs a stranger's code."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "probe.py").write_text(
        "import os, socket\n"
        "try:\n    socket.create_connection(('192.0.2.1', 80), timeout=2)\n"
        "except OSError as error:\n    print('network', error.errno)\n"
        "try:\n    open('/usr/probe', 'w')\n    print('system written')\n"
        "except OSError as error:\n    print('system', error.errno)\n"
        "print('secret' in os.environ.get('SECRET', ''))\n"
    )
    run("freeze", "--offline", "--", "python", "probe.py", cwd=folder, path=[bare_environment])
    replayed = run("replay", "--engine", engine, "--json", cwd=folder, env={"SECRET": "secret"})
    record = replayed.json["run"]
    printed = (Path(record["folder"]) / "stdout").read_text()
    if engine == "docker" or any("network" in word for word in record["isolated"]):
        assert "network 101" in printed  # ENETUNREACH: there is no network at all
    assert "False" in printed
    if engine == "docker":
        assert "system 30" in printed or "system 13" in printed


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_takes_too_long_is_stopped_and_what_it_made_is_kept(
    tmp_path: Path, bare_environment: Path, engine: str
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "slow.py").write_text(
        "import os, sys, time\nopen('early.txt', 'w').write('early')\n"
        "sys.stdout.write('begun\\n'); sys.stdout.flush()\n"
        "time.sleep(float(open('seconds.txt').read()))\nopen('late.txt', 'w').write('late')\n"
    )
    (folder / "seconds.txt").write_text("0")
    run("freeze", "--offline", "--", "python", "slow.py", cwd=folder, path=[bare_environment])
    (folder / "seconds.txt").write_text("600")
    (folder / "early.txt").unlink()
    (folder / "late.txt").unlink()
    replayed = run("replay", "--engine", engine, "--code", ".", "--timeout", "4", "--json", cwd=folder)
    assert replayed.returncode == 1
    verdicts = {output["path"]: output["verdict"] for output in replayed.json["outputs"]}
    assert verdicts["<exit status>"] == "different"
    assert verdicts["late.txt"] == "missing"
    assert verdicts["early.txt"] == verdicts["<stdout>"] == "identical"
    assert replayed.json["run"]["timed_out"] is True
    assert replayed.json["run"]["exit_status"] == 124


def test_a_failed_command_is_written_down_and_its_exit_code_passes_through(
    tmp_path: Path, bare_environment: Path
) -> None:
    (tmp_path / "fail.py").write_text("import sys\nprint('so far')\nsys.exit(7)\n")
    frozen = run("freeze", "--offline", "--", "python", "fail.py", cwd=tmp_path, path=[bare_environment])
    assert frozen.returncode == 7
    assert frozen.stdout == "so far\n"
    assert "the command failed (exit status 7)" in frozen.stderr
    lock = yaml.safe_load((tmp_path / "envfreeze.lock").read_text())
    assert lock["run"]["exit_status"] == 7


def test_a_run_whose_interpreter_cannot_be_inspected_is_written_down_all_the_same(tmp_path: Path) -> None:
    """It may have taken days."""
    fake = tmp_path / "bin" / "python"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho result > result.txt\n")
    fake.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    frozen = run("freeze", "--offline", "--", "python", "train.py", cwd=folder, path=[fake.parent])
    assert frozen.returncode == 0, frozen.stderr
    lock = yaml.safe_load((folder / "envfreeze.lock").read_text())
    assert [entry["path"] for entry in lock["run"]["outputs"]["entries"]] == ["result.txt"]
    assert any("the interpreter and its packages" in gap["what"] for gap in lock["gaps"])
    replayed = run("replay", "--engine", "local", cwd=folder)
    assert replayed.returncode in (2, 3)


def test_the_environment_alone_freezes_to_the_same_bytes_again(
    tmp_path: Path, bare_environment: Path
) -> None:
    contents = []
    for _ in range(2):
        frozen = run("freeze", "--offline", "-q", cwd=tmp_path, path=[bare_environment])
        assert frozen.returncode == 0, frozen.stderr
        contents.append((tmp_path / "envfreeze.lock").read_bytes() + (tmp_path / "Dockerfile").read_bytes())
    assert contents[0] == contents[1]
    refused = run("replay", cwd=tmp_path)
    assert refused.returncode == 2
    assert "records an environment and no run" in refused.stderr


def test_a_clone_with_only_the_lock_finds_the_files_in_the_project(
    small_project: Path, bare_environment: Path, tmp_path: Path
) -> None:
    run("freeze", "--offline", "--", "python", "train.py", cwd=small_project, path=[bare_environment])
    shutil.rmtree(small_project / ".envfreeze")
    replayed = run("replay", "--engine", "local", "--json", cwd=small_project)
    assert replayed.returncode == 1
    assert {
        output["verdict"] for output in replayed.json["outputs"] if output["path"].startswith("out/")
    } == {"uncompared"}, "without the original outputs nothing may be called reproduced"
    (small_project / "train.py").write_text(TRAIN + "# edited\n")
    edited = run("replay", "--engine", "local", cwd=small_project)
    assert edited.returncode in (0, 1, 2)


def test_a_report_of_the_newest_replay(small_project: Path, bare_environment: Path, tmp_path: Path) -> None:
    run("freeze", "--offline", "-q", "--", "python", "train.py", cwd=small_project, path=[bare_environment])
    none = run("report", cwd=small_project)
    assert none.returncode == 2 and "no replay to report on" in none.stderr
    run("replay", "--engine", "local", "-q", cwd=small_project)
    made = run("report", "--json", cwd=small_project)
    assert made.returncode == 0, made.stderr
    page = Path(made.json["report"]).read_text()
    assert "Reproduced" in page and "processor" in page and "envfreeze replay --engine local" in page
    shown = run("report", "-o", "-", cwd=small_project)
    assert shown.stdout.startswith("**✔ Reproduced")
    unwanted = run("report", "-o", tmp_path / "report.docx", cwd=small_project)
    assert unwanted.returncode == 2 and "no suffix of a report" in unwanted.stderr
