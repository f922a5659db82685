"""Data from elsewhere through the whole loop: frozen, the original gone, replayed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from .conftest import ENGINES, Result, at_the_same_path, run

READ = """\
import os, sys
sys.path.insert(0, {lib!r})
import helper
print(helper.NAME, open({far!r}).read(), open("linked.csv").read())
print(open(os.path.expanduser("~/scikit_learn_data/set.txt")).read())
open("out.txt", "w").write(str(len(open({far!r}).read())))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with all that lies outside of the project."""
    folder = tmp_path / "elsewhere"
    for name in ("lib", "disk", "home/scikit_learn_data"):
        (folder / name).mkdir(parents=True)
    (folder / "lib" / "helper.py").write_text("NAME = 'helper'\n")
    (folder / "disk" / "far.csv").write_text("far\n" * 1000)
    (folder / "disk" / "target.csv").write_text("target\n")
    (folder / "home/scikit_learn_data/set.txt").write_text("set\n")
    return folder


@pytest.fixture
def frozen(tmp_path: Path, elsewhere: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    lib, far = str(elsewhere / "lib"), str(elsewhere / "disk" / "far.csv")
    (folder / "train.py").write_text(READ.format(lib=lib, far=far))
    (folder / "linked.csv").symlink_to("../elsewhere/disk/target.csv")
    return folder


def freeze(folder: Path, elsewhere: Path, environment: Path, *options: str) -> None:
    home = {"HOME": str(elsewhere / "home")}
    command = ["freeze", "--offline", *options, "--", "python", "train.py"]
    done = run(*command, cwd=folder, path=[environment], env=home)
    assert done.returncode == 0, done.stderr


def says_that_it_is_out_of_reach(replayed: Result) -> bool:
    """Without bubblewrap a path in the script's text cannot be led to the copies: no success, and a word."""
    notes = " ".join(replayed.json["run"]["notes"])
    return replayed.returncode == 1 and "outside" in notes and "bubblewrap" in notes


@pytest.mark.parametrize("engine", ENGINES)
def test_data_outside_the_project_is_there_again(
    frozen: Path, elsewhere: Path, bare_environment: Path, engine: str
) -> None:
    freeze(frozen, elsewhere, bare_environment)
    shutil.rmtree(elsewhere)
    replayed = run("replay", "--engine", engine, "--json", cwd=frozen)
    if not at_the_same_path(engine):
        assert says_that_it_is_out_of_reach(replayed), replayed.stdout
        return
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert replayed.json["verdict"] == "identical"


@pytest.mark.parametrize("engine", ENGINES)
def test_data_by_digest_is_checked_and_mounted(
    frozen: Path, elsewhere: Path, bare_environment: Path, tmp_path: Path, engine: str
) -> None:
    freeze(frozen, elsewhere, bare_environment, "--data", "reference:2k")
    lock = yaml.safe_load((frozen / "envfreeze.lock").read_text())
    (far,) = (entry for entry in lock["run"]["files"]["entries"] if "origin" in entry)
    assert far["path"] == str(elsewhere / "disk" / "far.csv")
    replayed = run("replay", "--engine", engine, "--json", cwd=frozen)
    assert replayed.json["verdict"] == "identical", replayed.stdout + replayed.stderr

    # Moved elsewhere: the user says where.
    moved = tmp_path / "mount" / "disk"
    moved.parent.mkdir()
    (elsewhere / "disk").rename(moved)
    nowhere = run("replay", "--engine", engine, cwd=frozen)
    assert nowhere.returncode == 2 and "recorded by digest only" in nowhere.stderr
    replayed = run("replay", "--engine", engine, "--data", moved.parent, "--json", cwd=frozen)
    if at_the_same_path(engine):
        assert replayed.json["verdict"] == "identical", replayed.stdout + replayed.stderr
    else:
        assert says_that_it_is_out_of_reach(replayed), replayed.stdout

    (moved / "far.csv").write_text("fax\n" * 1000)
    changed = run("replay", "--engine", engine, "--data", moved.parent, cwd=frozen)
    assert changed.returncode == 2 and "is not the data that was recorded" in changed.stderr
    missing = run("replay", "--engine", engine, "--data", tmp_path / "none", cwd=frozen)
    assert missing.returncode == 2 and "no such folder" in missing.stderr


def test_words_that_are_no_way_to_keep_data_are_refused_before_the_run(frozen: Path) -> None:
    done = run("freeze", "--data", "both", "--", "touch", "ran", cwd=frozen)
    assert done.returncode == 2 and "--data both" in done.stderr
    assert not (frozen / "ran").exists()
