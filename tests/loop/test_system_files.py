"""What a run used of its machine beyond packages: own libraries, fonts, time zones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from envfreeze.observer import inject

from .conftest import ENGINES, run

pytestmark = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def compile_library(folder: Path, name: str, source: str, *options: str) -> Path:
    """``lib<name>.so`` as it is installed: two links to the file that has the version in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / f"{name}.c"
    text.write_text(source)
    file = folder / f"lib{name}.so.1.2"
    soname = f"-Wl,-soname,lib{name}.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", file, text, soname, *options], check=True)
    text.unlink()
    (folder / f"lib{name}.so.1").symlink_to(file.name)
    (folder / f"lib{name}.so").symlink_to(f"lib{name}.so.1")
    return file


SCRIPT = """
import ctypes, os, sys
told = ctypes.CDLL("libtold.so.1")
named = ctypes.CDLL(sys.argv[1])
print(told.scale(7), named.shift(7))
"""


def freeze_with_libraries(folder: Path, environment: Path) -> Path:
    """One is found by LD_LIBRARY_PATH, one is named and finds a third by its RPATH; then all are gone."""
    prefix, project = folder / "prefix", folder / "project"
    project.mkdir()
    (project / "train.py").write_text(SCRIPT)
    compile_library(prefix / "told", "told", "int scale(int x) { return 6 * x; }")
    compile_library(prefix / "deps", "dep", "int dep(int x) { return x + 100; }")
    named = compile_library(
        prefix / "named",
        "named",
        "int dep(int); int shift(int x) { return dep(x) + 1; }",
        f"-L{prefix}/deps",
        "-ldep",
        f"-Wl,-rpath,{prefix}/deps",
    )
    variables = {"LD_LIBRARY_PATH": f"{prefix}/told"}
    words = ("freeze", "--offline", "--", "python", "train.py", str(named))
    done = run(*words, cwd=project, env=variables, path=[environment])
    assert done.returncode == 0, done.stdout + done.stderr
    lock = yaml.safe_load((project / "envfreeze.lock").read_text())
    assert lock["system"]["library_path"] == [f"{prefix}/told"]
    shutil.rmtree(prefix)
    return project


@needs_compiler
@pytest.mark.parametrize("engine", ENGINES)
def test_libraries_of_no_package(tmp_path: Path, bare_environment: Path, engine: str) -> None:
    project = freeze_with_libraries(tmp_path, bare_environment)
    done = run("replay", "--engine", engine, "--require", "identical", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    replays = sorted((project / ".envfreeze" / "runs").iterdir())
    assert (replays[-1] / "stdout").read_text() == "42 108\n"


@needs_compiler
def test_libraries_in_the_project(tmp_path: Path, bare_environment: Path) -> None:
    """The loader was led to it through two links, of which nobody tells."""
    compile_library(tmp_path / "lib", "told", "int scale(int x) { return 6 * x; }")
    (tmp_path / "train.py").write_text("import ctypes; print(ctypes.CDLL('libtold.so').scale(7))")
    words = ("freeze", "--offline", "--", "python", "train.py")
    done = run(*words, cwd=tmp_path, env={"LD_LIBRARY_PATH": "lib"}, path=[bare_environment])
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(tmp_path / "lib")
    done = run("replay", "--engine", "local", "--require", "identical", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def resources() -> list[str]:
    """A font, or else another file that Debian has and slim images lack; and a time zone."""
    candidates = [*Path("/usr/share/fonts").rglob("*.ttf"), *Path("/usr/share/i18n/charmaps").glob("U*")]
    found = [str(path) for path in sorted(candidates, reverse=True)[:1]]
    return [*found, *(path for path in ("/usr/share/zoneinfo/Europe/Oslo",) if os.path.isfile(path))]


READER = """
import hashlib, sys, datetime, zoneinfo
for path in sys.argv[1:]:
    print(path, hashlib.sha256(open(path, "rb").read()).hexdigest())
print(datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Oslo")).utcoffset())
print(datetime.datetime.fromtimestamp(0).isoformat())
"""


@pytest.mark.skipif(len(resources()) < 2, reason="no fonts or time zones here")
@pytest.mark.parametrize("engine", ENGINES)
def test_fonts_and_time_zones(tmp_path: Path, bare_environment: Path, engine: str) -> None:
    (tmp_path / "read.py").write_text(READER)
    paths = resources()
    variables = {"TZ": "Asia/Kathmandu"}
    words = ("freeze", "--offline", "--", "python", "read.py", *paths)
    done = run(*words, cwd=tmp_path, env=variables, path=[bare_environment])
    assert done.returncode == 0, done.stdout + done.stderr
    lock = yaml.safe_load((tmp_path / "envfreeze.lock").read_text())
    kept = {entry["path"] for entry in lock["system"]["files"]}
    assert {*paths, "/usr/share/zoneinfo/Asia/Kathmandu"} <= kept
    done = run("replay", "--engine", engine, "--require", "identical", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["outputs"], done.stdout


LOCALIZED = """
import locale
print(locale.setlocale(locale.LC_ALL, "xx_XX.utf8"), locale.localeconv()["decimal_point"])
"""


@pytest.mark.skipif(not Path("/usr/lib/locale/C.utf8").is_dir(), reason="no compiled locale here")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_locale(tmp_path: Path, bare_environment: Path, engine: str) -> None:
    """The C library maps it without opening it through any function that could be watched."""
    locales, project = tmp_path / "locale", tmp_path / "project"
    shutil.copytree("/usr/lib/locale/C.utf8", locales / "xx_XX.utf8")
    project.mkdir()
    (project / "say.py").write_text(LOCALIZED)
    words = ("freeze", "--offline", "--", "python", "say.py")
    done = run(*words, cwd=project, env={"LOCPATH": str(locales)}, path=[bare_environment])
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(locales)
    done = run("replay", "--engine", engine, "--require", "identical", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def folders_of_the_system() -> Iterator[list[Path]]:
    """New folders where software of no package is installed, below /opt and /usr/local; gone afterwards."""
    name = f"envfreeze-test-{uuid.uuid4().hex[:8]}"
    folders = [Path("/opt") / name / "lib", Path("/usr/local") / name / "lib"]
    if not all(os.access(folder.parents[1], os.W_OK) for folder in folders):
        pytest.skip("writing to /opt and /usr/local needs root")
    yield folders
    for folder in folders:
        shutil.rmtree(folder.parent, ignore_errors=True)


@needs_compiler
@pytest.mark.parametrize("engine", ENGINES)
def test_libraries_below_opt_and_usr_local(
    tmp_path: Path, folders_of_the_system: list[Path], bare_environment: Path, engine: str
) -> None:
    """One finds the other by its RPATH; a replay has them where they were, although this machine has not."""
    (tmp_path / "train.py").write_text("import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).shift(7))")
    opt, local = folders_of_the_system
    compile_library(local, "dep", "int dep(int x) { return x + 100; }")
    source = "int dep(int); int shift(int x) { return dep(x) + 1; }"
    named = compile_library(opt, "named", source, f"-L{local}", "-ldep", f"-Wl,-rpath,{local}")
    words = ("freeze", "--offline", "--", "python", "train.py", str(opt / "libnamed.so"))
    done = run(*words, cwd=tmp_path, path=[bare_environment])
    assert done.returncode == 0, done.stdout + done.stderr
    lock = yaml.safe_load((tmp_path / "envfreeze.lock").read_text())
    assert str(named) in {entry["path"] for entry in lock["system"]["files"]}
    for folder in folders_of_the_system:
        shutil.rmtree(folder.parent)
    done = run("replay", "--engine", engine, "--require", "identical", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    replays = sorted((tmp_path / ".envfreeze" / "runs").iterdir())
    assert (replays[-1] / "stdout").read_text() == "108\n"
