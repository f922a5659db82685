"""``envfreeze init``: a real repository, whose hook and workflow then do what they are there for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from envfreeze.repository import prepare

from .conftest import Envfreeze

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )


@pytest.fixture
def repository(frozen: Path) -> Path:
    git("init", "-q")
    return frozen


def content(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and "objects" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_second_time_there_is_nothing_to_do(repository: Path, envfreeze: Envfreeze) -> None:
    first = envfreeze("init")
    assert first.code == 0
    assert "+.envfreeze/objects/** -text" in first.out
    assert {
        ".gitattributes",
        ".gitignore",
        ".github/workflows/envfreeze.yml",
        ".git/hooks/pre-commit",
    } <= set(content(repository))
    before = content(repository)
    second = envfreeze("init")
    assert (second.out, second.err.splitlines()[-1]) == ("", "nothing to add")
    assert content(repository) == before


def test_dry_run_writes_nothing(repository: Path, envfreeze: Envfreeze) -> None:
    before = content(repository)
    said = envfreeze("init", "--dry-run", "--json")
    assert content(repository) == before
    made = json.loads(said.out)
    assert made["written"] is False
    assert len(made["files"]) == 4


def test_commit_is_refused_once_the_code_has_drifted(repository: Path) -> None:
    prepare(only=("hook",))
    git("add", "train.py", "envfreeze.lock")
    assert git("commit", "-qm", "as frozen").returncode == 0
    (repository / "train.py").write_text("print('other')\n")
    refused = git("commit", "-qam", "drifted")
    assert refused.returncode == 1
    assert "train.py" in refused.stdout + refused.stderr


def test_workflow_checks_a_fresh_clone(repository: Path, tmp_path: Path) -> None:
    prepare(only=("attributes", "ignore", "github"))
    git("add", "-A")
    git("commit", "-qm", "all")
    git("clone", "-q", str(repository), str(tmp_path / "clone"))
    workflow = yaml.safe_load((repository / ".github/workflows/envfreeze.yml").read_text())
    check = workflow["jobs"]["status"]["steps"][-1]["run"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", check], cwd=tmp_path / "clone", capture_output=True, text=True, env=environment
        )

    assert run().returncode == 0, run().stderr
    (tmp_path / "clone/train.py").write_text("print('other')\n")
    assert run().returncode == 1


@pytest.mark.parametrize(
    "before",
    [
        "# mine\nrepos:\n  - repo: https://github.com/x/y\n    rev: v1  # x\n    hooks:\n      - id: a\n",
        "repos:\n- repo: local\n  hooks:\n  - id: a\n\n# of all\ndefault_stages: [pre-commit]\n",
        "default_stages: [pre-commit]\nrepos:\n    -   repo: local\n        hooks:\n        -   id: a",
        "repos:\r\n  - repo: local\r\n    hooks:\r\n      - id: a\r\n",
        "repos:\n",
    ],
)
def test_entry_joins_the_hooks_of_pre_commit(repository: Path, before: str) -> None:
    path = repository / ".pre-commit-config.yaml"
    path.write_bytes(before.encode())
    prepare(only=("hook",))
    after = path.read_bytes().decode()
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    assert new["repos"][:-1] == (old["repos"] or [])
    assert new["repos"][-1]["hooks"][0]["entry"] == "envfreeze status --quiet -- envfreeze.lock"
    assert {key: new[key] for key in new if key != "repos"} == {
        key: old[key] for key in old if key != "repos"
    }
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines())
    assert not prepare(only=("hook",)).files
    assert not (repository / ".git/hooks/pre-commit").exists()


@pytest.mark.parametrize(
    "before", ["repos: [{repo: local, hooks: [{id: a}]}]\n", "- a\n", "repos: ]\n", "x: 1\n"]
)
def test_other_forms_of_pre_commit_are_left_alone(repository: Path, before: str) -> None:
    path = repository / ".pre-commit-config.yaml"
    path.write_text(before)
    prepared = prepare(only=("hook",))
    assert path.read_text() == before
    assert "envfreeze status" in prepared.hints[0]


def test_hook_and_workflow_of_the_user_are_left_alone(repository: Path) -> None:
    hook, workflow = repository / ".git/hooks/pre-commit", repository / ".github/workflows/envfreeze.yml"
    workflow.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nexec make lint\n")
    workflow.write_text("name: mine\n")
    prepared = prepare(only=("hook", "github"))
    assert not prepared.files
    assert [str(hook) in prepared.hints[1], str(workflow) in prepared.hints[0]] == [True, True]
    assert hook.read_text().endswith("make lint\n")


def test_lines_of_the_user_stay_and_win(repository: Path) -> None:
    (repository / ".gitattributes").write_bytes(b"* text=auto\r\nDockerfile text eol=crlf\r\n")
    (repository / ".gitignore").write_text("*.lock\n.envfreeze")
    prepared = prepare(only=("attributes", "ignore"))
    attributes = (repository / ".gitattributes").read_bytes().decode()
    assert attributes.startswith("* text=auto\r\nDockerfile text eol=crlf\r\n")
    assert attributes.count("Dockerfile") == 1
    assert "\n" not in attributes.replace("\r\n", "")
    assert (repository / ".gitignore").read_text().startswith("*.lock\n.envfreeze\n")
    assert git("check-ignore", "envfreeze.lock").returncode == 1
    assert any(".envfreeze/objects" in hint for hint in prepared.hints)
    assert not prepare(only=("attributes", "ignore")).files


def test_large_content_goes_to_git_lfs_where_that_is_in_use(repository: Path) -> None:
    large = repository / ".envfreeze/objects/ff/ff"
    large.parent.mkdir(parents=True, exist_ok=True)
    with large.open("wb") as stream:
        stream.truncate(60 << 20)
    assert any("git lfs track" in hint for hint in prepare(only=("attributes",), dry_run=True).hints)
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    prepare(only=("attributes",))
    shown = git("check-attr", "filter", ".envfreeze/objects/ff/ff").stdout
    assert shown.strip().endswith("filter: lfs")


def test_project_in_a_folder_of_the_repository(frozen: Path, tmp_path: Path) -> None:
    git("init", "-q", folder=tmp_path)
    git("remote", "add", "origin", "https://gitlab.com/a/b.git", folder=tmp_path)
    prepare(frozen)
    assert (frozen / ".gitattributes").exists()
    assert "-- project/envfreeze.lock" in (tmp_path / ".git/hooks/pre-commit").read_text()
    job = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())["envfreeze"]
    assert job["script"][1].endswith("-- project/envfreeze.lock")
    assert not (tmp_path / ".github").exists()


def test_folder_without_a_repository_is_refused(
    frozen: Path, envfreeze: Envfreeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(frozen.parent))
    said = envfreeze("init")
    assert said.code == 2
    assert "git init" in said.err
