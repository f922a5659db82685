"""uv's indexes are asked too, wherever they are configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envfreeze.probes import _uv, pip
from envfreeze.probes._uv import uv_configuration
from envfreeze.probes.packages import inspect


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_uv, "_OF_ALL_USERS", tmp_path / "etc.toml")
    folder = tmp_path / "home" / "project"
    folder.mkdir(parents=True)
    return folder


def variables(project: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(project.parent), "XDG_CONFIG_DIRS": str(project.parent / "none"), **more}


def test_variables_count_before_files(project: Path) -> None:
    (project / "uv.toml").write_text(
        '[[index]]\nurl = "https://file.example/default"\ndefault = true\n'
        '[[index]]\nname = "more"\nurl = "https://file.example/more/"\n'
    )
    found = uv_configuration(
        variables(project, UV_DEFAULT_INDEX="https://variable.example/", UV_INDEX="a=https://a.example"),
        project,
    )
    assert found.index == "https://variable.example"
    assert found.extra_indexes == ("https://a.example", "https://file.example/more")
    assert found.files == (str(project / "uv.toml"),)


def test_project_file_hides_the_table_beside_it_and_not_the_users(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.uv.pip]\nextra-index-url = ["https://hidden.example"]\n')
    (project / "uv.toml").write_text('[pip]\nfind-links = ["https://links.example/page"]\n')
    (project.parent / ".config" / "uv").mkdir(parents=True)
    (project.parent / ".config" / "uv" / "uv.toml").write_text('index-url = "https://user.example/simple"\n')
    found = uv_configuration(variables(project), project)
    assert (found.index, found.extra_indexes) == ("https://user.example/simple", ())
    assert found.find_links == ("https://links.example/page",)


def test_table_of_a_parent_folder(project: Path) -> None:
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (project.parent / "pyproject.toml").write_text('[tool.uv]\nindex-url = "https://parent.example"\n')
    assert uv_configuration(variables(project), project).index == "https://parent.example"
    assert uv_configuration(variables(project, UV_NO_CONFIG="1"), project).index is None


def test_credentials_of_a_named_index(project: Path) -> None:
    environment = variables(
        project, UV_INDEX="in-house=https://i.example/simple", UV_INDEX_IN_HOUSE_USERNAME="me",
        UV_INDEX_IN_HOUSE_PASSWORD="s3/cret",
    )  # fmt: skip
    assert uv_configuration(environment, project).extra_indexes == ("https://me:s3%2Fcret@i.example/simple",)


@pytest.mark.parametrize("text", ["[[index]\n", "index = 3\n", "[[index]]\nurl = 3\n", "pip = 1\n"])
def test_odd_file_is_no_failure(project: Path, text: str) -> None:
    (project / "uv.toml").write_text(text)
    found = uv_configuration(variables(project), project)
    assert (found.index, found.extra_indexes) == (None, ())


def test_package_of_an_index_that_only_uv_knows(
    environment: Any, index: Any, make_wheel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip, "_OF_ALL_USERS", environment.project / "none")
    environment.install(make_wheel(index.root / "tiny", "tiny"))
    (environment.packages / "tiny-1.0.dist-info" / "direct_url.json").unlink()
    index.password = "s3cret"
    url = index.url.replace("http://", "http://user:s3cret@")
    target = environment.target(UV_DEFAULT_INDEX=url, PIP_NO_INDEX="0")
    (package,) = (package for package in inspect(target).value if package.name == "tiny")
    assert (package.source, package.index, package.proof) == ("index", index.url, "proved")
    section = pip.inspect(target)
    assert section.value.index == index.url
