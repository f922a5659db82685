"""Locks from files, without an installed environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uv
from packaging.requirements import Requirement

from envfreeze import workflow
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.records import lockfile
from envfreeze.records.environment import Package
from envfreeze.records.lock import Lock
from envfreeze.sources import _compile

SERIES = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def links(project: Path, wheel: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that there is: ``app`` needs ``lib``."""
    folder = wheel("lib", "1.5").parent
    wheel("lib", "2.0")
    wheel("app", "1.0", requires=("lib<2", "nowhere; python_version < '3'"))
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def versions(lock: Lock) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages}


def freeze(path: str, **options: object) -> Lock:
    return workflow.freeze_file(path, python=sys.executable, dockerfile=False, **options)  # type: ignore[arg-type]


def test_requirements_are_resolved(project: Path, links: Path) -> None:
    (project / "requirements.in").write_text("app\n-c constraints.txt\n")
    (project / "constraints.txt").write_text("lib<9\n")
    lock = freeze("requirements.in")
    assert versions(lock) == {"app": "1.0", "lib": "1.5"}
    assert all(package.vendored and package.sha256 for package in lock.packages)
    assert lockfile.read(project / "envfreeze.lock") == lock
    assert (lock.run, lock.interpreter.executable, lock.gaps) == (None, "", ())


def test_pip_tools_resolve_where_uv_is_not(
    project: Path, links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in with pip-compile's name and options says what it was asked."""
    tool = project / "bin" / "pip-compile"
    tool.parent.mkdir()
    digest = "0" * 64
    tool.write_text(f"#!/bin/sh\necho \"$@\" >&2\necho 'lib==1.5 \\\\'\necho '    --hash=sha256:{digest}'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(_compile, "find_uv", lambda: None)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    (project / "requirements.in").write_text("lib\n")
    assert versions(freeze("requirements.in")) == {"lib": "1.5"}


def test_neither_tool_is_there(project: Path, links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compile, "find_uv", lambda: None)
    monkeypatch.setattr(_compile.shutil, "which", lambda *_, **__: None)
    (project / "requirements.in").write_text("lib\n")
    with pytest.raises(EnvironmentFailure, match="needs uv or pip-tools"):
        freeze("requirements.in")
    assert not (project / "envfreeze.lock").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("lib==9\n", "lib==9"), ("app\nlib>=2\n", "lib"), ("nothing-here\n", "nothing-here"), ("a b c\n", "")],
)
def test_what_cannot_be_resolved(project: Path, links: Path, text: str, words: str) -> None:
    (project / "requirements.in").write_text(text)
    with pytest.raises(InputError, match=r"requirements\.in cannot be resolved") as failure:
        freeze("requirements.in")
    assert words in str(failure.value) and "\n" not in str(failure.value)


def test_pyproject(project: Path, links: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.8"\n'
        'dependencies = ["lib>1", "gone; python_version < \'3\'"]\n'
    )
    assert versions(freeze("pyproject.toml")) == {"lib": "2.0"}


def test_pyproject_without_a_project(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.black]\n")
    with pytest.raises(InputError, match=r"no \[project\] table"):
        freeze("pyproject.toml")


@pytest.mark.parametrize(
    ("said", "version"),
    [(">=3.8", f"{SERIES}."), ("==3.10.*", "3.10"), ("==3.9.2", "3.9.2"), ("<3.10", "3.9")],
)
def test_python_of_the_file(project: Path, links: Path, said: str, version: str) -> None:
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "mine"\nversion = "1"\nrequires-python = "{said}"\ndependencies = ["lib"]\n'
    )
    lock = workflow.freeze_file("pyproject.toml", dockerfile=False)
    assert lock.interpreter.version.startswith(version)
    assert lock.interpreter.tags[0].startswith("cp" + "".join(lock.interpreter.version.split(".")[:2]))


def test_no_such_python(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=4"\n'
    )
    with pytest.raises(InputError, match="asks for Python >=4"):
        workflow.freeze_file("pyproject.toml", dockerfile=False)


WHEEL = '{ url = "https://files.example/lib-1.5-py3-none-any.whl", hash = "sha256:%s", size = 1 }' % (
    "1" * 64
)
UV_LOCK = f"""\
version = 1
revision = 2
requires-python = ">=3.8"

[[package]]
name = "mine"
version = "0.1"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "app", extra = ["fast"] }},
    {{ name = "windows-only", marker = "sys_platform == 'win32'" }},
]

[package.dev-dependencies]
dev = [{{ name = "checker" }}]

[package.optional-dependencies]
extra = [{{ name = "unwanted" }}]

[[package]]
name = "app"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
dependencies = [
    {{ name = "lib", version = "1.5", marker = "python_full_version >= '3'" }},
    {{ name = "lib", version = "0.1", marker = "python_full_version < '3'" }},
]
sdist = {{ url = "https://files.example/app-1.0.tar.gz", hash = "sha256:{"3" * 64}", size = 1 }}

[package.optional-dependencies]
fast = [{{ name = "quick" }}]

[[package]]
name = "lib"
version = "0.1"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{WHEEL}]

[[package]]
name = "lib"
version = "1.5"
source = {{ registry = "https://other.example/simple" }}
wheels = [
    {{ url = "https://files.example/lib-1.5-cp27-cp27m-win32.whl", hash = "sha256:{"2" * 64}", size = 1 }},
    {WHEEL},
]

[[package]]
name = "quick"
version = "3"
source = {{ url = "https://files.example/quick-3-py3-none-any.whl" }}
wheels = [{{ url = "https://files.example/quick-3-py3-none-any.whl", hash = "sha256:{"4" * 64}" }}]

[[package]]
name = "checker"
version = "1"
source = {{ git = "https://git.example/checker?rev=main#abc" }}

[[package]]
name = "windows-only"
version = "1"
source = {{ registry = "https://pypi.org/simple" }}

[[package]]
name = "unwanted"
version = "1"
source = {{ registry = "https://pypi.org/simple" }}
"""


def test_uv_lock_is_followed_from_the_project(project: Path) -> None:
    (project / "uv.lock").write_text(UV_LOCK)
    lock = freeze("uv.lock", offline=True)
    app, lib, quick = lock.packages
    assert (app.file, app.sha256, app.index) == ("app-1.0.tar.gz", "3" * 64, None)
    assert lib == Package(
        name="lib",
        version="1.5",
        source="index",
        file="lib-1.5-py3-none-any.whl",
        sha256="1" * 64,
        url="https://files.example/lib-1.5-py3-none-any.whl",
        index="https://other.example/simple",
    )
    assert (quick.source, quick.sha256) == ("url", "4" * 64)
    (gap,) = lock.gaps
    assert gap.what == "checker 1" and "git https://git.example" in gap.why


@pytest.mark.index
def test_uv_lock_of_uv_itself(project: Path) -> None:
    """What uv installs of its lock is what is read of it."""
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.9"\n'
        "dependencies = [\"requests[socks]==2.31; python_version>'3'\", \"tomli; python_version<'3.11'\"]\n"
        '[dependency-groups]\ndev = ["six"]\n'
    )
    words = [uv.find_uv_bin(), "--no-config", "--quiet"]
    subprocess.run([*words, "lock", "--python", sys.executable], check=True)
    lock = freeze("uv.lock", offline=True)
    text = subprocess.check_output(
        [*words, "export", "--frozen", "--no-emit-project", "--no-hashes", "--python", sys.executable],
        text=True,
    )
    assert not lock.gaps
    lines = [Requirement(line) for line in text.splitlines() if line[:1].isalpha()]
    expected = {f"{r.name}{r.specifier}" for r in lines if r.marker is None or r.marker.evaluate()}
    assert {f"{name}=={version}" for name, version in versions(lock).items()} == expected


POETRY_LOCK = f"""\
[[package]]
name = "app"
version = "1.0"
optional = false
python-versions = ">=3.8"
files = [
    {{file = "app-1.0-cp27-cp27m-win32.whl", hash = "sha256:{"9" * 64}"}},
    {{file = "app-1.0-py3-none-any.whl", hash = "sha256:%s"}},
]
%s
[package.dependencies]
Old = {{version = "*", markers = "python_version < '3'"}}

[[package]]
name = "old"
version = "1"
optional = false
python-versions = "*"
files = [{{file = "old-1-py3-none-any.whl", hash = "sha256:{"2" * 64}"}}]
%s
[[package]]
name = "extra"
version = "1"
optional = true
files = [{{file = "extra-1-py3-none-any.whl", hash = "sha256:{"3" * 64}"}}]

[[package]]
name = "from-git"
version = "1"
optional = false
files = []
%s
[package.source]
type = "git"
url = "https://git.example/x.git"
resolved_reference = "abc"

[metadata]
lock-version = "2.1"
python-versions = "^3.8"
content-hash = "0"
"""


@pytest.mark.parametrize("poetry", [1, 2])
def test_poetry_lock(project: Path, links: Path, poetry: int) -> None:
    from envfreeze.files import sha256

    digest = sha256(links / "app-1.0-py3-none-any.whl")
    groups = 'groups = ["main"]\n' if poetry == 2 else ""
    marked = 'groups = ["main"]\nmarkers = "python_version < \'3\'"\n' if poetry == 2 else ""
    (project / "poetry.lock").write_text(POETRY_LOCK % (digest, groups, marked, groups))
    lock = freeze("poetry.lock")
    (app,) = lock.packages
    assert (app.version, app.file, app.sha256) == ("1.0", "app-1.0-py3-none-any.whl", digest)
    (gap,) = lock.gaps
    assert gap.what == "from-git 1" and "git https://git.example/x.git abc" in gap.why


def test_poetry_lock_needs_no_index_for_the_digests(project: Path) -> None:
    (project / "poetry.lock").write_text(POETRY_LOCK % ("1" * 64, "", "", ""))
    (app,) = freeze("poetry.lock", offline=True).packages
    assert (app.file, app.sha256, app.url) == ("app-1.0-py3-none-any.whl", "1" * 64, None)


def test_environment_with_python_and_pip_only(project: Path, links: Path) -> None:
    (project / "environment.yml").write_text(
        f"name: mine\nchannels: [conda-forge]\ndependencies:\n- python={SERIES}\n- pip>=22\n- pip:\n  - app\n"
    )
    lock = workflow.freeze_file("environment.yml", dockerfile=False)
    assert versions(lock) == {"app": "1.0", "lib": "1.5"}
    assert lock.interpreter.version.startswith(f"{SERIES}.")
    assert not list(project.glob("*.in"))


def test_environment_that_conda_has_to_resolve(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "environment.yml").write_text("dependencies:\n- python=3.10\n- conda-forge::zlib>=1.2\n")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentFailure, match="takes zlib from conda") as failure:
        freeze("environment.yml")
    assert "conda-lock" in str(failure.value.hint)


CONDA_LOCK = f"""\
version: 1
metadata: {{platforms: [linux-64, osx-64]}}
package:
- {{name: python, version: 3.10.4, manager: conda, platform: linux-64, dependencies: {{}}, optional: false,
   url: 'https://conda.example/t/s3cret/forge/linux-64/python-3.10.4-h1_0.conda', hash: {{md5: {"a" * 32}}}}}
- {{name: python, version: 3.10.4, manager: conda, platform: osx-64, dependencies: {{}}, optional: false,
   url: 'https://conda.example/forge/osx-64/python-3.10.4-h1_0.conda', hash: {{md5: {"1" * 32}}}}}
- {{name: app, version: '1.0', manager: pip, platform: linux-64, dependencies: {{}}, optional: false,
   url: 'https://files.example/app-1.0-py3-none-any.whl', hash: {{sha256: {"2" * 64}}}}}
"""


def test_image_of_conda_packages(project: Path) -> None:
    (project / "conda-lock.yml").write_text(CONDA_LOCK)
    lock = workflow.freeze_file("conda-lock.yml", offline=True)
    assert lock.base is not None and lock.base.reference.startswith("debian:")
    assert "COPY --from=conda /opt/conda /opt/conda" in (project / "Dockerfile").read_text()
    packages = (project / ".envfreeze" / "build" / "conda" / "packages.txt").read_text()
    line = f"https://conda.example/forge/linux-64/python-3.10.4-h1_0.conda#{'a' * 32}"
    assert packages.splitlines()[1:] == ["@EXPLICIT", line]
    assert "app==1.0 --hash" in (project / ".envfreeze" / "build" / "requirements.txt").read_text()


def test_conda_lock(project: Path) -> None:
    (project / "conda-lock.yml").write_text(CONDA_LOCK)
    lock = workflow.freeze_file("conda-lock.yml", dockerfile=False, offline=True)
    assert lock.conda is not None
    (python,) = lock.conda.packages
    assert (python.build, python.url) == (
        "h1_0",
        "https://conda.example/forge/linux-64/python-3.10.4-h1_0.conda",
    )
    assert (lock.interpreter.version, versions(lock)) == ("3.10.4", {"app": "1.0"})
    assert b"s3cret" not in (project / "envfreeze.lock").read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("uv.lock", "version = [", "not readable as TOML"),
        ("uv.lock", "version = 7\n", "version 7"),
        ("uv.lock", UV_LOCK.replace('name = "lib"\n', 'name = "lob"\n'), "no package 'lib'"),
        ("uv.lock", UV_LOCK.replace("sys_platform == 'win32'", "x y"), "no environment marker"),
        ("poetry.lock", '[metadata]\nlock-version = "1.1"\n', "lock version '1.1'"),
        ("environment.yml", "dependencies: [\n", "not readable as YAML"),
        ("environment.yml", "dependencies: 3\n", "no list of dependencies"),
        ("environment.yml", "dependencies: ['python=3.10', '$(id)']\n", "no requirement of conda"),
        ("conda-lock.yml", "package: []\nmetadata: {}\nversion: 2\n", "version 2"),
        ("conda-lock.yml", "package: []\nmetadata: {}\nversion: 1\n", "no packages for"),
        ("setup.py", "", "no kind of file"),
        ("pyproject.toml", "\0", "not readable as TOML"),
    ],
)
def test_bad_file_gets_one_sentence(project: Path, name: str, text: str, words: str) -> None:
    (project / name).write_text(text)
    with pytest.raises(InputError) as failure:
        freeze(name)
    assert words in str(failure.value) and "\n" not in str(failure.value)
    assert not (project / "envfreeze.lock").exists()


def test_no_such_file(project: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        freeze("requirements.in")


def test_credentials_are_no_argument_and_not_in_the_lock(
    project: Path, links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:s3cret@127.0.0.1:9/simple")
    (project / "requirements.in").write_text("elsewhere\n")
    with pytest.raises(InputError) as failure:
        freeze("requirements.in")
    assert "s3cret" not in str(failure.value)


@pytest.mark.engine
@pytest.mark.index
def test_image_of_a_requirements_file(project: Path) -> None:
    """The whole way: a file, a lock, an image, and a command in it."""
    (project / "requirements.in").write_text("six==1.16.0\n")
    workflow.freeze_file("requirements.in", python=sys.executable)
    run = workflow.replay(command=["python", "-c", "import six; print(six.__version__)"], engine="docker")
    assert (Path(run.folder) / "stdout").read_text() == "1.16.0\n"
