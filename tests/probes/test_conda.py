"""A conda environment is read from its records."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from envfreeze.probes import Section, Target
from envfreeze.probes.conda import inspect
from envfreeze.records.environment import CondaPackage


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
    record(tmp_path, name="zlib", version="1.3", build="h1", channel="conda-forge", md5="a" * 32)
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
        name="numpy", version="2.0", build="py311", channel=public, url=f"{public}/n.conda", sha256="b" * 64
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
