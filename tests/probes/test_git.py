"""The state of version control, read without running what a repository's configuration names."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from envfreeze.errors import ProbeError
from envfreeze.probes import Section, Target
from envfreeze.probes.git import inspect
from envfreeze.store import Store

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main")
    finished = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return finished.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "train.py").write_text("seed = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def inspected(folder: Path, **variables: str) -> Section:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    return inspect(
        Target(executable="python", directory=str(folder), environment=environment, project=folder)
    )


def test_no_repository(tmp_path: Path) -> None:
    section = inspected(tmp_path)
    assert section.value is None and section.gaps == ()


def test_no_git(repository: Path) -> None:
    assert inspected(repository, PATH=str(repository)).value is None


def test_clean(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://user:s3cret@example.org/it.git")
    value = inspected(repository).value
    assert value.commit == git(repository, "rev-parse", "HEAD")
    assert (value.branch, value.remote, value.dirty, value.diff) == (
        "main",
        "https://example.org/it.git",
        False,
        None,
    )


def test_dirty_difference_is_stored_and_applies(repository: Path) -> None:
    (repository / "train.py").write_text("seed = 2\n")
    (repository / "new.bin").write_bytes(bytes(range(256)))
    git(repository, "add", "new.bin")
    value = inspected(repository).value
    assert value.dirty
    diff = Store(repository).verified(value.diff, what="the difference").read_bytes()
    git(repository, "reset", "-q", "--hard")
    (repository / "diff").write_bytes(diff)
    git(repository, "apply", "--binary", "diff")
    assert (repository / "train.py").read_text() == "seed = 2\n"
    assert (repository / "new.bin").read_bytes() == bytes(range(256))


def test_from_a_folder_inside(repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "train.py").write_text("seed = 2\n")
    value = inspected(repository / "sub").value
    assert value.dirty and value.diff


def test_what_a_freeze_writes_is_not_dirt(repository: Path) -> None:
    for name in ("envfreeze.lock", "Dockerfile"):
        (repository / name).write_text("one")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "lock")
    (repository / "envfreeze.lock").write_text("two")
    assert not inspected(repository).value.dirty


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    section = inspected(tmp_path)
    assert section.value is None
    assert "the branch main has no commit yet" in section.gaps[0].why


def test_detached(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert inspected(repository).value.branch is None


def test_no_program_of_the_configuration_is_run(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "diff.x.textconv", "diff.x.command"):
        git(repository, "config", key, str(trap))
    (repository / ".gitattributes").write_text("*.py diff=x\n")
    (repository / "train.py").write_text("seed = 2\n")
    value = inspected(repository, GIT_EXTERNAL_DIFF=str(trap), GIT_PAGER=str(trap)).value
    assert value.diff
    assert not (tmp_path / "sprung").exists()


@pytest.fixture
def with_submodule(repository: Path, tmp_path: Path) -> Path:
    """The repository with another one in ``vendor/lib``."""
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    (library / "lib.py").write_text("x = 1\n")
    git(library, "add", ".")
    git(library, "commit", "-qm", "lib")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library), "vendor/lib")
    git(repository, "commit", "-qm", "two")
    return repository


def test_submodules(with_submodule: Path) -> None:
    inside = with_submodule / "vendor/lib"
    value = inspected(with_submodule).value
    assert not value.dirty
    assert [(item.path, item.commit, item.dirty) for item in value.submodules] == [
        ("vendor/lib", git(inside, "rev-parse", "HEAD"), False)
    ]
    (inside / "lib.py").write_text("x = 2\n")
    value = inspected(with_submodule).value
    assert value.dirty and value.diff is None
    diff = Store(with_submodule).verified(value.submodules[0].diff, what="the difference").read_bytes()
    assert b"+x = 2" in diff
    git(inside, "commit", "-qam", "further")
    value = inspected(with_submodule).value
    assert value.dirty and value.submodules[0].dirty and value.submodules[0].diff is None
    assert value.submodules[0].commit == git(inside, "rev-parse", "HEAD")


def test_a_submodule_that_is_not_checked_out(with_submodule: Path) -> None:
    git(with_submodule, "submodule", "deinit", "-q", "-f", "vendor/lib")
    (found,) = inspected(with_submodule).value.submodules
    assert (found.path, found.commit, found.dirty) == ("vendor/lib", None, False)


def test_no_program_of_a_submodules_configuration_is_run(with_submodule: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    inside = with_submodule / "vendor/lib"
    for key in ("core.fsmonitor", "diff.external", "diff.x.textconv"):
        git(inside, "config", key, str(trap))
    (inside / "lib.py").write_text("x = 2\n")
    assert inspected(with_submodule).value.submodules[0].dirty
    assert not (tmp_path / "sprung").exists()


def test_repository_of_another_user(repository: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(repository, 12345, 12345)
    os.chown(repository / ".git", 12345, 12345)
    with pytest.raises(ProbeError, match="belongs to another user"):
        inspected(repository, HOME=str(repository), GIT_CONFIG_GLOBAL=os.devnull)
