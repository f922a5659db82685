"""Each format is accepted by the tool that it is for, and installs the same files."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uv
import yaml
from packaging.pylock import Pylock

from envfreeze import workflow
from envfreeze.errors import InputError
from envfreeze.exports import exports
from envfreeze.records import lockfile
from envfreeze.records.environment import CondaEnvironment, CondaPackage, Interpreter, Package
from envfreeze.records.lock import Lock
from envfreeze.store import Store

SIX = "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"
SIX_URL = (
    "https://files.pythonhosted.org/packages/d9/5a/"
    "e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11/six-1.16.0-py2.py3-none-any.whl"
)
OTHER = "other-1.16.0-py3-none-any.whl"
OTHER_URL = f"https://index.example/files/{OTHER}"
FORMATS_OF_PIP = ["pylock", "requirements", "uv", "environment"]


def conda_package(name: str, **fields: str) -> CondaPackage:
    known = {"version": "1.0", "build": "h0_0", "channel": "conda-forge", "md5": "0" * 32, "sha256": "1" * 64}
    url = f"https://conda.anaconda.org/conda-forge/linux-64/{name}-1.0-h0_0.conda"
    return CondaPackage(**({"name": name, "url": url} | known | fields))


@pytest.fixture
def frozen(tmp_path: Path, wheel: Callable[..., Path]) -> Path:
    """A lock of one package from the index and of one that is vendored, as it lies in a project."""
    project = tmp_path / "project"
    digest, _ = Store(project).add_file(wheel("tiny"))
    six = Package(
        name="six", version="1.16.0", source="index", file=SIX_URL.rpartition("/")[2], sha256=SIX, url=SIX_URL
    )
    tiny = Package(
        name="tiny",
        version="1.0",
        source="local",
        file="tiny-1.0-py3-none-any.whl",
        sha256=digest,
        vendored=True,
    )
    series = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Interpreter(implementation="CPython", version=f"{series}.1", platform="linux-x86_64")
    lock = Lock(envfreeze_lock=1, interpreter=interpreter, packages=(six, tiny))
    lockfile.write(lock, project / "envfreeze.lock")
    return project


def changed(project: Path, **fields: Any) -> Path:
    path = project / "envfreeze.lock"
    lockfile.write(msgspec.structs.replace(lockfile.read(path), **fields), path)
    return project


def with_conda(project: Path, *packages: CondaPackage) -> Path:
    return changed(project, conda=CondaEnvironment(name="base", prefix="/opt/conda", packages=packages))


def run(*words: str | Path, cwd: Path) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VIRTUAL", "UV_", "PIP_FIND"))
    }
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An empty environment."""
    run(uv.find_uv_bin(), "venv", "-q", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    return tmp_path / "venv" / "bin" / "python"


def installed(python: Path) -> set[str]:
    return set(run(uv.find_uv_bin(), "pip", "freeze", "--python", python, cwd=python.parent).split("\n"))


def test_every_format_is_offered_by_the_command() -> None:
    from envfreeze.cli.export import FORMATS

    assert set(FORMATS) == set(exports())


@pytest.mark.index
@pytest.mark.parametrize("name", ["pylock", "requirements"])
@pytest.mark.parametrize("place", ["in the project", "elsewhere"])
def test_uv_installs_it(frozen: Path, python: Path, tmp_path: Path, name: str, place: str) -> None:
    folder = frozen if place == "in the project" else tmp_path / "out"
    ((path, _),) = workflow.export(frozen, to=name, output=f"{folder}/")
    run(uv.find_uv_bin(), "pip", "sync", "-q", "--require-hashes", "--python", python, path, cwd=tmp_path)
    assert any(line.startswith("tiny") for line in installed(python))
    assert "six==1.16.0" in installed(python)
    print(run(python, "-c", "import tiny, six", cwd=tmp_path))


@pytest.mark.index
@pytest.mark.parametrize("name", ["pylock", "requirements"])
def test_pip_installs_it(frozen: Path, python: Path, tmp_path: Path, name: str) -> None:
    ((path, _),) = workflow.export(frozen, to=name, output=f"{frozen}/")
    run(uv.find_uv_bin(), "pip", "install", "-q", "--python", python, "pip>=26", cwd=tmp_path)
    run(python, "-m", "pip", "install", "-q", "--no-deps", "-r", path, cwd=tmp_path)
    run(python, "-c", "import tiny, six", cwd=tmp_path)


@pytest.mark.index
def test_uv_sync_takes_the_project(frozen: Path, tmp_path: Path) -> None:
    workflow.export(frozen, to="uv", output=tmp_path / "out")
    run(uv.find_uv_bin(), "sync", "-q", "--frozen", "--python", sys.executable, cwd=tmp_path / "out")
    run(".venv/bin/python", "-c", "import tiny, six", cwd=tmp_path / "out")


def test_wrong_digest_is_noticed_by_the_tool(frozen: Path, python: Path, tmp_path: Path) -> None:
    (path, text), *_ = workflow.export(frozen, to="pylock", output=f"{frozen}/")
    digest = tomllib.loads(text)["packages"][1]["wheels"][0]["hashes"]["sha256"]
    alone = text[: text.index("[[packages]]")] + text[text.rindex("[[packages]]") :]
    Path(path).write_text(alone.replace(digest, "0" * 64))
    words = [uv.find_uv_bin(), "pip", "sync", "--offline", "--python", str(python), path]
    assert b"ash" in subprocess.run(words, capture_output=True, check=False, cwd=tmp_path).stderr


def test_pylock_is_valid_by_the_standard(frozen: Path) -> None:
    ((_, text),) = workflow.export(frozen, to="pylock")
    lock = Pylock.from_dict(tomllib.loads(text))
    lock.validate()
    six, tiny = lock.packages
    assert six.wheels is not None and six.wheels[0].url == SIX_URL and six.wheels[0].hashes == {"sha256": SIX}
    assert tiny.wheels is not None
    assert tiny.wheels[0].path == ".envfreeze/build/wheels/tiny-1.0-py3-none-any.whl"
    assert (frozen / str(tiny.wheels[0].path)).is_file()


def test_environment_without_conda(frozen: Path) -> None:
    ((_, text),) = workflow.export(frozen, to="environment")
    content = yaml.safe_load(text)
    assert set(content) == {"name", "channels", "dependencies"}
    python, pip, of_pip = content["dependencies"]
    assert python.startswith("python=3.") and pip == "pip"
    assert of_pip["pip"][0] == "--find-links ./.envfreeze/build/wheels"
    assert f"six==1.16.0 --hash=sha256:{SIX}" in of_pip["pip"]


def test_environment_with_conda(frozen: Path) -> None:
    with_conda(frozen, conda_package("python"), conda_package("pip"))
    ((_, text),) = workflow.export(frozen, to="environment")
    content = yaml.safe_load(text)
    assert content["channels"] == ["conda-forge", "nodefaults"]
    assert content["dependencies"][:2] == ["pip=1.0=h0_0", "python=1.0=h0_0"]


def test_environment_without_vendored_wheels_has_requirements_only(frozen: Path) -> None:
    """conda-lock reads no option lines, so that other indexes are told by the address of the file."""
    six = lockfile.read(frozen / "envfreeze.lock").packages[0]
    fields = {"name": "other", "index": "https://index.example/simple", "url": OTHER_URL, "file": OTHER}
    changed(frozen, packages=(six, msgspec.structs.replace(six, **fields)))
    ((_, text),) = workflow.export(frozen, to="environment")
    assert yaml.safe_load(text)["dependencies"][-1]["pip"] == [
        f"other @ {OTHER_URL}#sha256={SIX}",
        f"six==1.16.0 --hash=sha256:{SIX}",
    ]


@pytest.mark.index
def test_conda_lock_reads_the_environment(frozen: Path, tmp_path: Path) -> None:
    six = lockfile.read(frozen / "envfreeze.lock").packages[0]
    fields = {"name": "other", "source": "url", "url": OTHER_URL, "file": OTHER}
    with_conda(frozen, conda_package("python"), conda_package("zlib"))
    changed(frozen, packages=(six, msgspec.structs.replace(six, **fields)))
    ((path, _),) = workflow.export(frozen, to="environment", output=f"{tmp_path}/out/")
    (tmp_path / "mapping.yml").write_text("{}")
    question = (
        "import pathlib, sys\n"
        "from conda_lock.src_parser.environment_yaml import parse_environment_file as parse\n"
        "found = parse(pathlib.Path(sys.argv[1]), ['linux-64'], mapping_url=sys.argv[2])\n"
        "for said in found.dependencies['linux-64']:\n"
        "    print(said.manager, said.name, getattr(said, 'hash', None), getattr(said, 'hashes', None))\n"
    )
    said = run(
        *(uv.find_uv_bin(), "tool", "run", "-q", "--python", sys.executable, "--from", "conda-lock@4.0.3"),
        *("python", "-c", question, path, (tmp_path / "mapping.yml").as_uri()),
        cwd=tmp_path,
    ).splitlines()
    assert {"conda python None None", "conda zlib None None"} <= set(said)
    assert f"pip six sha256:{SIX} None" in said
    assert f"pip other None ['sha256:{SIX}']" in said


def test_explicit_file_is_read_by_rattler(frozen: Path) -> None:
    from rattler.explicit_environment import ExplicitEnvironmentSpec

    with_conda(frozen, conda_package("python"), conda_package("zlib"))
    ((_, text),) = workflow.export(frozen, to="explicit")
    spec = ExplicitEnvironmentSpec.from_str(text)
    assert str(spec.platform) == "linux-64"
    assert [entry.url.partition("#")[0].rpartition("/")[2] for entry in spec.packages] == [
        "python-1.0-h0_0.conda",
        "zlib-1.0-h0_0.conda",
    ]


def test_explicit_file(frozen: Path) -> None:
    private = "https://conda.example/t/s3cret/mine/linux-64/b-1.0-h0_0.tar.bz2"
    with_conda(frozen, conda_package("b", url=private.replace("/t/s3cret", "")), conda_package("a", md5=""))
    ((_, text),) = workflow.export(frozen, to="explicit")
    lines = text.splitlines()
    assert lines[2:] == [
        "@EXPLICIT",
        f"https://conda.anaconda.org/conda-forge/linux-64/a-1.0-h0_0.conda#sha256:{'1' * 64}",
        f"https://conda.example/mine/linux-64/b-1.0-h0_0.tar.bz2#{'0' * 32}",
    ]


@pytest.mark.index
def test_conda_lock_reads_it(frozen: Path, tmp_path: Path) -> None:
    """conda-lock itself turns it into what conda and pip install."""
    with_conda(frozen, conda_package("python"), conda_package("zlib"))
    ((path, _),) = workflow.export(frozen, to="conda-lock", output=f"{tmp_path}/out/")
    run(
        *(uv.find_uv_bin(), "tool", "run", "-q", "--python", sys.executable, "conda-lock@4.0.3"),
        *("render", "--kind", "explicit", "-p", "linux-64", path),
        cwd=tmp_path / "out",
    )
    text = (tmp_path / "out" / "conda-linux-64.lock").read_text()
    assert f"https://conda.anaconda.org/conda-forge/linux-64/zlib-1.0-h0_0.conda#{'0' * 32}" in text
    assert f"pip six @ {SIX_URL}#sha256={SIX}" in text


@pytest.mark.parametrize("name", ["conda-lock", "explicit"])
def test_without_conda_there_is_nothing_to_say(frozen: Path, name: str) -> None:
    with pytest.raises(InputError, match="no conda environment"):
        workflow.export(frozen, to=name)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://conda.example/x\n- evil.conda"},
        {"url": "ftp://conda.example/a-1.0-h0_0.conda"},
        {"build": "0\n@EXPLICIT"},
        {"md5": "", "sha256": ""},
        {"md5": "x" * 32},
    ],
)
@pytest.mark.parametrize("name", ["conda-lock", "explicit", "environment"])
def test_hostile_conda_package(frozen: Path, fields: dict[str, str], name: str) -> None:
    with_conda(frozen, conda_package("a", **fields))
    with pytest.raises(InputError, match="no usable address"):
        workflow.export(frozen, to=name)


@pytest.mark.parametrize("name", FORMATS_OF_PIP)
@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x\n--index-url http://evil.example"},
        {"version": "1 ; import os"},
        {"url": "https://e.example/$(id)/six-1.16.0-py2.py3-none-any.whl"},
        {"file": "../../six-1.16.0-py2.py3-none-any.whl"},
        {"index": "https://e.example/\n--trusted-host *"},
        {"sha256": None},
    ],
)
def test_hostile_package(frozen: Path, name: str, fields: dict[str, Any]) -> None:
    six = lockfile.read(frozen / "envfreeze.lock").packages[0]
    changed(frozen, packages=(msgspec.structs.replace(six, **fields),))
    with pytest.raises(InputError):
        workflow.export(frozen, to=name, output=frozen / "out")
    assert not (frozen / "out").exists()


@pytest.mark.parametrize("name", FORMATS_OF_PIP)
def test_same_lock_gives_the_same_bytes(frozen: Path, name: str) -> None:
    first = workflow.export(frozen, to=name, output=frozen.parent / "out" / "")
    assert workflow.export(frozen, to=name, output=frozen.parent / "out" / "") == first


def test_file_of_somebody_else_is_left_alone(frozen: Path) -> None:
    (frozen / "requirements.txt").write_text("numpy\n")
    with pytest.raises(InputError, match="did not make it"):
        workflow.export(frozen, to="requirements", output=frozen)
    assert (frozen / "requirements.txt").read_text() == "numpy\n"


def test_missing_wheel_leaves_nothing(frozen: Path) -> None:
    digest = lockfile.read(frozen / "envfreeze.lock").packages[1].sha256
    assert digest
    Store(frozen).path(digest).unlink()
    with pytest.raises(InputError, match="missing from the store"):
        workflow.export(frozen, to="pylock", output=frozen.parent / "out.toml")
    assert not (frozen.parent / "out.toml").exists()


def test_several_files_need_a_folder(frozen: Path) -> None:
    with pytest.raises(InputError, match="several files"):
        workflow.export(frozen, to="uv")
