"""Machines that fail: a full disk, a read-only folder, no permission; the old lock stays as it was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ._hostile import copied, freeze_project, refused, traces
from ._packages import make_environment, make_wheel
from .conftest import Result, run


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory, bare_environment: Path) -> Path:
    return freeze_project(tmp_path_factory.mktemp("bad") / "project", bare_environment)


@pytest.fixture
def spoiled(frozen: Path, tmp_path: Path) -> Path:
    """A copy of a frozen project."""
    return copied(frozen, tmp_path / "project")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system with the given options."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small disk needs root")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def test_a_full_disk(mounted: Callable[[str], Path], bare_environment: Path) -> None:
    project = freeze_project(mounted("size=3m") / "project", bare_environment)
    before = (project / "envfreeze.lock").read_bytes()
    for program in ("open('big.bin', 'wb').write(bytes(2000000))", "print('x' * 2800000)"):
        done = run("freeze", "--offline", "--", "python", "-c", program, cwd=project, path=[bare_environment])
        refused(done, 3, "no space left", str(project), "Free some space")
        assert traces(project) == []
        assert (project / "envfreeze.lock").read_bytes() == before
        (project / "big.bin").unlink(missing_ok=True)
    fill(project / "fill")
    for engine in ("local", *(["docker"] if _docker_works() else [])):
        done = run("replay", "--engine", engine, cwd=project)
        assert re.search("no space left|disk is full", done.stderr.lower()), done.stderr
        refused(done, 3, "Free some space")
        assert traces(project) == []
    (project / "fill").unlink()
    assert run("replay", "--engine", "local", cwd=project).returncode == 0


def fill(path: Path) -> None:
    """Take all the space that is left on the disk."""
    with path.open("wb", buffering=0) as stream:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while stream.write(b"x" * size):
                    pass
            except OSError:
                continue


def _docker_works() -> bool:
    import docker

    try:
        client = docker.from_env(timeout=5)
        client.ping()
        client.close()
    except docker.errors.DockerException:
        return False
    return True


def test_an_output_larger_than_files_may_be(spoiled: Path, bare_environment: Path) -> None:
    """The same without root: a limit on the size of files instead of a full disk."""
    before = (spoiled / "envfreeze.lock").read_bytes()
    script = "ulimit -f 64 && exec " + " ".join([sys.executable, "-m", "envfreeze", "freeze", "--offline"])
    script += " -- python -c 'print(\"x\" * 1000000)'"
    env = os.environ | {"PATH": f"{bare_environment}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=spoiled, env=env, capture_output=True, text=True)
    refused(Result(done.args, done.returncode, done.stdout, done.stderr), 3, "file too large")
    assert traces(spoiled) == []
    assert (spoiled / "envfreeze.lock").read_bytes() == before


def test_a_read_only_folder(mounted: Callable[[str], Path], frozen: Path, bare_environment: Path) -> None:
    folder = mounted("size=4m")
    project = copied(frozen, folder / "project")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    before = (project / "envfreeze.lock").read_bytes()
    freeze = run(
        "freeze", "--offline", "--", "python", "-c", "print('ran')", cwd=project, path=[bare_environment]
    )
    refused(freeze, 3, "read-only file system", "copy the project")
    assert "ran" not in freeze.stdout
    done = run("replay", "--engine", "local", cwd=project)
    assert "read-only file system" in done.stderr.lower()
    refused(done, 3)
    assert run("show", cwd=project).returncode == 0, "reading needs no writing"
    assert run("diff", ".", ".", cwd=project).returncode == 0
    assert (project / "envfreeze.lock").read_bytes() == before


def test_a_folder_without_permission(spoiled: Path, bare_environment: Path) -> None:
    before = (spoiled / "envfreeze.lock").read_bytes()
    for path in (spoiled / ".envfreeze" / "lock", spoiled / ".envfreeze", spoiled):
        path.chmod(0o555)
    # Root without the capability that makes permissions void to it (capabilities(7)).
    ordinary = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    command = [
        *ordinary,
        sys.executable,
        "-m",
        "envfreeze",
        "freeze",
        "--offline",
        "--",
        "python",
        "-c",
        "print(1)",
    ]
    env = os.environ | {"PATH": f"{bare_environment}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=spoiled, env=env, capture_output=True, text=True)
    spoiled.chmod(0o755)
    (spoiled / ".envfreeze").chmod(0o755)
    refused(
        Result(done.args, done.returncode, done.stdout, done.stderr), 3, "permission denied", "permissions"
    )
    assert done.stdout == ""
    assert (spoiled / "envfreeze.lock").read_bytes() == before


@pytest.mark.parametrize("kept", ["package", "library"])
def test_a_disk_that_fills_up_while_something_is_kept(
    mounted: Callable[[str], Path], bare_environment: Path, tmp_path: Path, kept: str
) -> None:
    """The run itself fits; a wheel made of an installed package, or a library of no package, does not."""
    content = os.urandom(4 << 20).hex()
    project = freeze_project(mounted("size=2m") / "project", bare_environment)
    before = (project / "envfreeze.lock").read_bytes()
    if kept == "package":
        wheel = make_wheel(tmp_path / "wheels", "bulky", "1.0", {"bulky.py": f"TEXT = '{content}'\n"})
        environment, program = make_environment(tmp_path / "other", wheel), "import bulky; print('ran')"
    else:
        library = next(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))
        (tmp_path / "libown.so").write_bytes(library.read_bytes() + content.encode())
        environment = bare_environment
        program = f"import ctypes; ctypes.CDLL('{tmp_path}/libown.so'); print('ran')"
    done = run("freeze", "--offline", "--", "python", "-c", program, cwd=project, path=[environment])
    refused(done, 3, "no space left", str(project), "Free some space")
    assert done.stdout == "ran\n"
    assert traces(project) == []
    assert (project / "envfreeze.lock").read_bytes() == before
