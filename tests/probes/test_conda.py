"""A conda environment is read from its records, and its files are held against them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from envfreeze.observer.target import examine
from envfreeze.probes import Section, Target, packages
from envfreeze.probes._conda_meta import Owned
from envfreeze.probes.conda import inspect
from envfreeze.records.environment import CondaPackage
from envfreeze.store import Store

from ..conda_channel import make_environment


def inspected(prefix: Path, base: Path | None = None, **environment: str) -> Section:
    facts = {"interpreter": {"prefix": str(prefix), "base_prefix": str(base or prefix)}}
    return inspect(
        Target(executable="python", directory="/", environment=environment, facts=facts, project=prefix)
    )


def record(prefix: Path, **fields: object) -> None:
    (prefix / "conda-meta").mkdir(exist_ok=True)
    name = f"{fields['name']}-{fields['version']}-{fields['build']}.json"
    (prefix / "conda-meta" / name).write_text(json.dumps(fields | {"files": ["bin/x"], "depends": []}))


def test_no_conda(tmp_path: Path) -> None:
    assert inspected(tmp_path).value is None


def test_packages_sorted_and_without_tokens(tmp_path: Path) -> None:
    channel = "https://conda.example.org/t/tk-s3cret/main/linux-64"
    forge = "https://conda.anaconda.org/conda-forge/linux-64"
    record(
        tmp_path, name="zlib", version="1.3", build="h1", channel=forge, url=f"{forge}/z.conda", md5="a" * 32
    )
    record(
        tmp_path,
        name="numpy",
        version="2.0",
        build="py311",
        channel=channel,
        url=f"{channel}/n.conda",
        sha256="b" * 64,
    )
    section = inspected(tmp_path)
    numpy, zlib = section.value.packages
    public = "https://conda.example.org/main/linux-64"
    assert numpy == CondaPackage(
        name="numpy",
        version="2.0",
        build="py311",
        channel=public,
        url=f"{public}/n.conda",
        sha256="b" * 64,
        proof="unproved",
    )
    assert zlib.md5 == "a" * 32
    assert b"s3cret" not in msgspec.json.encode(section)


def test_names(tmp_path: Path) -> None:
    env = tmp_path / "envs" / "ml"
    env.mkdir(parents=True)
    record(env, name="zlib", version="1.3", build="h1")
    assert inspected(env).value.name == "ml"
    named = inspected(env, CONDA_PREFIX=str(env), CONDA_DEFAULT_ENV="mine")
    assert named.value.name == "mine"


def test_virtual_environment_on_conda(tmp_path: Path) -> None:
    record(tmp_path, name="zlib", version="1.3", build="h1")
    (tmp_path / "condabin").mkdir()
    value = inspected(tmp_path / "venv", tmp_path).value
    assert (value.name, value.prefix) == ("base", str(tmp_path))


def test_damaged_record_is_a_gap(tmp_path: Path) -> None:
    record(tmp_path, name="zlib", version="1.3", build="h1")
    (tmp_path / "conda-meta" / "bad-1-0.json").write_text('{"name": "bad"')
    section = inspected(tmp_path)
    assert [package.name for package in section.value.packages] == ["zlib"]
    assert section.gaps[0].what == "conda package bad-1-0"


# A real environment


@pytest.fixture(scope="module")
def installed(conda_channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("env") / "ml"
    make_environment(conda_channel, prefix, "python", "pip", "tinyconda", "tinydata")
    return prefix


@pytest.fixture
def prefix(installed: Path, tmp_path: Path) -> Path:
    """A copy to spoil, as old as the original."""
    copy = tmp_path / "ml"
    subprocess.run(["cp", "-a", installed, copy], check=True)
    return copy


def target(prefix: Path, project: Path, **more: object) -> Target:
    python = str(prefix / "bin" / "python")
    facts = examine(python, dict(os.environ), project)
    fields = {"executable": python, "directory": "/", "environment": {}, "facts": facts, "project": project}
    return Target(**(fields | {"offline": True} | more))  # type: ignore[arg-type]


def by_name(section: Section) -> dict[str, CondaPackage]:
    return {package.name: package for package in section.value.packages}


def test_archives_of_a_folder_are_kept(installed: Path, conda_channel: Path, tmp_path: Path) -> None:
    section = inspect(target(installed, tmp_path))
    assert not section.gaps
    found = by_name(section)
    assert set(found) == {"python", "pip", "tinyconda", "tinydata"}
    (archive,) = conda_channel.glob("*/tinydata-2.0-h1_0.tar.bz2")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    tiny = found["tinydata"]
    assert (tiny.build, tiny.sha256, tiny.vendored, tiny.url) == ("h1_0", digest, True, archive.as_uri())
    assert all(package.sha256 in Store(tmp_path) for package in found.values())
    assert {package.proof for package in found.values()} == {"proved"}


def test_archive_that_is_gone_is_a_gap(installed: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    shutil.copytree(installed / "conda-meta", prefix / "conda-meta")
    path = next((prefix / "conda-meta").glob("tinydata*"))
    path.write_text(path.read_text().replace("/tinydata-2.0-h1_0.tar.bz2", "/gone-2.0-h1_0.tar.bz2"))
    section = inspected(prefix)
    (gap,) = [gap for gap in section.gaps if "archive" in gap.what]
    assert "tinydata" in gap.what and "no more" in gap.why
    assert not by_name(section)["tinydata"].vendored


def test_edited_and_removed_files_are_told(prefix: Path, tmp_path: Path) -> None:
    time.sleep(0.02)
    (prefix / "share" / "tinydata" / "table.csv").write_text("a,b\n3,4\n")
    (prefix / "etc" / "tinydata" / "where.txt").unlink()
    section = inspect(target(prefix, tmp_path))
    found = by_name(section)
    assert found["tinydata"].proof == "modified"
    assert found["tinydata"].modified == ("etc/tinydata/where.txt (removed)", "share/tinydata/table.csv")
    assert found["tinyconda"].proof == "proved"
    (gap,) = section.gaps
    assert "2 of the files of the conda package tinydata" in gap.what


def test_touched_files_are_read_and_found_as_they_were(prefix: Path, tmp_path: Path) -> None:
    (prefix / "bin" / "tiny-greet").touch()
    assert by_name(inspect(target(prefix, tmp_path)))["tinydata"].proof == "proved"


def test_nothing_is_proved_when_nobody_asks(installed: Path, tmp_path: Path) -> None:
    found = by_name(inspect(target(installed, tmp_path, prove=False)))
    assert {package.proof for package in found.values()} == {None}


def test_distributions_of_conda_and_of_pip(prefix: Path, tmp_path: Path, make_wheel: object) -> None:
    wheel = make_wheel(tmp_path / "wheels", "ofpip", "1.0")  # type: ignore[operator]
    words = ["install", "-q", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([prefix / "bin" / "python", "-m", "pip", *words], check=True)
    found = packages.inspect(target(prefix, tmp_path)).value
    assert {package.name: package.source for package in found} == {
        "pip": "conda",
        "tinyconda": "conda",
        "ofpip": "local",
    }


def said(prefix: Path, installer: str) -> dict[str, str]:
    info = prefix / "lib" / "a-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "INSTALLER").write_text(installer)
    return {"path": str(info), "installer": installer.strip()}


def owned(prefix: Path, *, installer: str | None) -> Owned:
    files = ["lib/a-1.dist-info/METADATA"]
    entries = []
    if installer is not None:
        files.append("lib/a-1.dist-info/INSTALLER")
        entries = [{"_path": files[1], "sha256": hashlib.sha256(installer.encode()).hexdigest()}]
    (prefix / "conda-meta").mkdir(exist_ok=True)
    meta = {"name": "a", "version": "1", "files": files, "paths_data": {"paths": entries}}
    (prefix / "conda-meta" / "a-1-0.json").write_text(json.dumps(meta))
    return Owned({"prefix": str(prefix), "base_prefix": str(prefix)})


@pytest.mark.parametrize(
    ("brought", "now", "of_conda"),
    [
        ("conda", "conda", True),
        ("pip\n", "pip\n", True),  # many a package is made with pip, and says so
        ("conda", "pip\n", False),  # the same version again, with pip
        (None, "", True),
        (None, "pip\n", False),
    ],
)
def test_reinstalled_with_pip(tmp_path: Path, brought: str | None, now: str, of_conda: bool) -> None:
    known = owned(tmp_path, installer=brought)
    assert (said(tmp_path, now) in known) is of_conda


def test_other_distributions_are_not_of_conda(tmp_path: Path) -> None:
    known = owned(tmp_path, installer="pip")
    assert {"path": str(tmp_path / "lib" / "b-1.dist-info"), "installer": "pip"} not in known
    assert {"path": "/x", "installer": "pip"} not in Owned({"prefix": "/x", "base_prefix": "/x"})
