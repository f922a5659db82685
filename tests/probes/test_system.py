"""The system's packages that own the libraries which a run loaded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envfreeze.probes import Target, _owners
from envfreeze.probes.system import inspect

SITE = dict.fromkeys(("stdlib", "platstdlib", "purelib", "platlib"), "/opt/py/lib/python3.11")


def target(project: Path, *libraries: str) -> Target:
    facts: dict[str, Any] = {
        "interpreter": {"prefix": "/opt/py", "base_prefix": "/usr"},
        "site": SITE,
        "path": ["/opt/more", str(project)],
    }
    return Target(
        executable="python",
        directory=str(project),
        environment={},
        facts=facts,
        libraries=libraries,
        project=project,
    )


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this package manager is installed."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_machine(tmp_path: Path) -> None:
    value = inspect(target(tmp_path)).value
    assert value.kernel == os.uname().release
    assert value.architecture == os.uname().machine
    assert value.memory > 1 << 20
    assert value.packages == () and value.unowned == ()


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="a Debian system")
def test_owner_of_the_c_library_by_any_of_its_names(tmp_path: Path) -> None:
    with open("/proc/self/maps") as maps:
        libc = next(line.split()[-1] for line in maps if "libc.so" in line)
    names = {libc, libc.removeprefix("/usr"), f"/usr{libc.removeprefix('/usr')}"}
    for name in names:
        (package,) = inspect(target(tmp_path, name)).value.packages
        assert (package.name, package.manager, package.libraries) == ("libc6", "dpkg", (name,))
        assert package.version.startswith("2.")


def test_python_s_own_libraries_are_left_out(tmp_path: Path) -> None:
    mine = str(tmp_path / "libmine.so")
    libraries = ("/opt/py/lib/libx.so", "/opt/more/numpy/a.so", "/usr/local/lib/libpython3.11.so.1.0", mine)
    assert inspect(target(tmp_path, *libraries)).value.unowned == (mine,)


def test_libraries_of_no_package_are_kept_with_their_names(tmp_path: Path) -> None:
    folder, project = tmp_path / "own", tmp_path / "project"
    folder.mkdir()
    project.mkdir()
    (folder / "libown.so.1.2").write_bytes(b"code")
    (folder / "libown.so.1").symlink_to("libown.so.1.2")
    (folder / "libother.so").write_bytes(b"not loaded")
    (folder / "libcuda.so.1").write_bytes(b"the driver's")
    (tmp_path / "by-link").symlink_to("own")
    loaded = [str(folder / name) for name in ("libown.so.1.2", "libcuda.so.1")]
    told = {"LD_LIBRARY_PATH": f"{tmp_path}/by-link:/nonexistent", "TZ": "UTC"}
    mine = msgspec.structs.replace(target(project, *loaded), environment=told)
    value = inspect(mine).value
    assert {entry.path: entry.link for entry in value.files} == {
        f"{folder}/libown.so.1": "libown.so.1.2",
        f"{folder}/libown.so.1.2": None,
        f"{tmp_path}/by-link/libown.so.1": None,
        f"{tmp_path}/by-link/libown.so.1.2": None,
    }
    assert value.library_path == (f"{tmp_path}/by-link",)
    assert value.time_zone == ""


def test_files_of_the_system_beyond_the_limit_are_told(tmp_path: Path) -> None:
    for name, size in (("libsmall.so", 10), ("liblarge.so", 100)):
        (tmp_path / name).write_bytes(bytes(size))
        (tmp_path / f"{name}.1").symlink_to(name)
    project = tmp_path / "project"
    project.mkdir()
    loaded = [str(tmp_path / name) for name in ("liblarge.so", "libsmall.so")]
    section = inspect(msgspec.structs.replace(target(project, *loaded), vendor_limit=50))
    assert [Path(entry.path).name for entry in section.value.files] == ["libsmall.so", "libsmall.so.1"]
    assert ["liblarge.so" in gap.why and "--vendor-limit" in gap.why for gap in section.gaps] == [True]


def test_rpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        'for path in "$@"; do case "$path" in -*|%*) ;; /usr/lib/libm.so) printf "glibc\\t2.34-60.el9\\n" ;; '
        '*.so) echo "error: file $path: No such file or directory" ;; esac; done; exit 1'
    )
    program(tmp_path, "rpm", script, monkeypatch)
    assert _owners.owners(["/usr/lib/libm.so", "/opt/own.so"]) == {
        "/usr/lib/libm.so": _owners.Owner("glibc", "2.34-60.el9", "rpm")
    }


def test_apk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "echo '/lib/ld-musl-x86_64.so.1 is owned by musl-1.2.4-r2'\n"
        "echo '/usr/lib/libz.so.1 symlink target is owned by zlib-ng-compat-1.3.1-r0'\n"
        "echo 'ERROR: /opt/own.so: Could not find owner package' >&2; exit 1"
    )
    program(tmp_path, "apk", script, monkeypatch)
    found = _owners.owners(["/lib/ld-musl-x86_64.so.1", "/usr/lib/libz.so.1", "/opt/own.so"])
    assert found == {
        "/lib/ld-musl-x86_64.so.1": _owners.Owner("musl", "1.2.4-r2", "apk"),
        "/usr/lib/libz.so.1": _owners.Owner("zlib-ng-compat", "1.3.1-r0", "apk"),
    }


def test_no_package_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _owners.owners(["/usr/lib/libm.so"]) == {}
