"""The folder that a builder gets, and the files in the project."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from envfreeze.errors import InputError
from envfreeze.recipe.context import write_context, write_project
from envfreeze.recipe.render import MARK
from envfreeze.records.recipe import BaseImage, Recipe, VendoredWheel
from envfreeze.store import Store


@pytest.fixture
def store(project: Path) -> Store:
    made = Store(project)
    made.create()
    return made


@pytest.fixture
def recipe(store: Store) -> Recipe:
    wheel = VendoredWheel(file="x-1-py3-none-any.whl", sha256=store.add_bytes(b"wheel"))
    return Recipe(
        base=BaseImage(reference="python:3.11-slim"),
        python="3.11.7",
        dockerfile=f"{MARK}\n#   docker build -t frozen .\nFROM a\n",
        dockerfile_buildkit="FROM b\n",
        requirements="x==1\n",
        wheels=(wheel,),
        environment_id="0" * 64,
    )


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "objects" not in path.parts
    }


@pytest.mark.parametrize("buildkit", [True, False])
def test_context_is_complete(recipe: Recipe, store: Store, tmp_path: Path, buildkit: bool) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    write_context(recipe, store, folder, buildkit=buildkit)
    assert content(folder) == {
        "Dockerfile": b"FROM b\n" if buildkit else recipe.dockerfile.encode(),
        ".envfreeze/build/requirements.txt": b"x==1\n",
        ".envfreeze/build/wheels/x-1-py3-none-any.whl": b"wheel",
    }


def test_damaged_wheel_stops_before_anything_is_written(recipe: Recipe, store: Store, project: Path) -> None:
    path = store.path(recipe.wheels[0].sha256)
    path.chmod(0o644)
    path.write_bytes(b"other")
    with pytest.raises(InputError, match="x-1-py3-none-any"):
        write_project(recipe, store, project)
    assert not (project / "Dockerfile").exists()


def test_project_can_be_built_by_hand(recipe: Recipe, store: Store, project: Path) -> None:
    assert write_project(recipe, store, project) == project / "Dockerfile"
    first = content(project)
    assert "!.envfreeze/build" in first[".dockerignore"].decode()
    assert first[".envfreeze/build/wheels/x-1-py3-none-any.whl"] == b"wheel"
    write_project(recipe, store, project)
    assert content(project) == first


def test_wheels_of_an_older_lock_go(recipe: Recipe, store: Store, project: Path) -> None:
    write_project(recipe, store, project)
    write_project(msgspec.structs.replace(recipe, wheels=()), store, project)
    assert not (project / ".envfreeze/build/wheels").exists()


def test_own_dockerfile_is_not_touched(recipe: Recipe, store: Store, project: Path) -> None:
    (project / "Dockerfile").write_text("FROM mine\n")
    path = write_project(recipe, store, project)
    assert path == project / "Dockerfile.envfreeze"
    assert "docker build -f Dockerfile.envfreeze -t" in path.read_text()
    assert (project / "Dockerfile").read_text() == "FROM mine\n"
    assert not (project / ".dockerignore").exists()


def test_own_dockerignore_is_not_touched(recipe: Recipe, store: Store, project: Path) -> None:
    (project / ".dockerignore").write_text("data\n")
    write_project(recipe, store, project)
    assert (project / ".dockerignore").read_text() == "data\n"
