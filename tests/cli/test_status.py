"""``envfreeze status``: what has changed since the freeze, and what has not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from envfreeze.drift import status
from envfreeze.errors import InputError
from envfreeze.observer import inject
from envfreeze.records import lockfile
from envfreeze.records.environment import Package
from envfreeze.records.status import Change

from .conftest import Envfreeze, freeze_once


@pytest.fixture(scope="module")
def frozen_rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that reads data and configuration, looks for a file in vain, and writes over one that it read."""
    train = (
        "import json, pathlib, helper\n"
        "json.load(open('config.json')); open('data.csv').read()\n"
        "count = int(open('count.txt').read()); open('count.txt', 'w').write(str(count + 1))\n"
        "try: open('local.json')\nexcept OSError: pass\n"
        "pathlib.Path('out.txt').write_text('1')\n"
    )
    files = {
        "train.py": train,
        "helper.py": "x = 1\n",
        "config.json": "{}",
        "data.csv": "1,2\n",
        "count.txt": "0",
    }
    return freeze_once(tmp_path_factory.mktemp("status"), files)


@pytest.fixture
def rich(frozen_rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import shutil

    folder = Path(shutil.copytree(frozen_rich, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder


def test_nothing_has_changed_after_a_freeze(rich: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze("status")
    assert said.code == 0, said.out
    assert "as frozen" in said.out
    assert envfreeze("status", "-q").out == ""


def changes(**settings: object) -> list[tuple[str, str, str]]:
    found = status(**settings)  # type: ignore[arg-type]
    return [(change.area, change.name, change.what) for change in found.changes]


def test_each_kind_of_change_is_named(rich: Path, envfreeze: Envfreeze) -> None:
    (rich / "helper.py").write_text("x = 2\n")
    (rich / "config.json").unlink()
    (rich / "data.csv").write_text("3,4\n")
    (rich / "local.json").write_text("{}")
    (rich / "unrelated.py").write_text("")
    # What a run looked for in vain only the shim tells.
    sought = [("files", "local.json", "new")] if inject.shim() else []
    assert changes() == [
        ("files", "config.json", "missing"),
        ("files", "data.csv", "changed"),
        ("files", "helper.py", "changed"),
        *sought,
    ]
    said = envfreeze("status")
    assert said.code == 1
    assert f"{3 + len(sought)} things have changed" in said.out
    assert "helper.py" in said.out
    assert json.loads(envfreeze("status", "--json").out)["drifted"] is True


def test_change_of_the_same_size_and_time_is_seen(rich: Path) -> None:
    import os

    path = rich / "data.csv"
    before = path.stat()
    path.write_text("9,9\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert changes() == [("files", "data.csv", "changed")]


def test_data_that_is_elsewhere_is_no_drift_and_is_said(rich: Path) -> None:
    (rich / "data.csv").unlink()
    found = status()
    assert not found.drifted
    assert any("data.csv" in note for note in found.notes)


def with_packages(folder: Path, *packages: Package) -> None:
    path = folder / lockfile.NAME
    lock = lockfile.read(path)
    import msgspec

    lockfile.write(msgspec.structs.replace(lock, packages=packages), path)


def test_packages_of_the_frozen_interpreter(rich: Path) -> None:
    site = next(
        Path(lockfile.read(rich / lockfile.NAME).interpreter.prefix).glob("lib/python*/site-packages")
    )
    made = []
    for name, version in (("demo", "2.0"), ("same", "1.0"), ("extra", "1.0")):
        folder = site / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        made.append(folder)
    try:
        with_packages(
            rich,
            Package(name="demo", version="1.0"),
            Package(name="same", version="1.0"),
            Package(name="gone", version="3.0"),
        )
        found = status(only=("packages",))
    finally:
        import shutil

        for folder in made:
            shutil.rmtree(folder)
    assert found.changes == (
        Change(area="packages", name="demo", what="changed", frozen="1.0", now="2.0"),
        Change(area="packages", name="gone", what="missing", frozen="3.0"),
    )
    assert any("extra" in note for note in found.notes)


def test_requirements_need_no_environment(rich: Path) -> None:
    with_packages(rich, Package(name="numpy", version="1.26.4"), Package(name="torch", version="2.3.0+cpu"))
    (rich / "requirements.txt").write_text(
        "# ours\nnumpy>=1.20  # fine\ntorch==2.3.0\n--extra-index-url https://x/y\n-r other.txt\n"
        "tomli; python_version < '3'\nNumPy<2 --hash=sha256:00\n./local\n"
    )
    assert changes(only=("requirements",), python="/nonexistent") == []
    (rich / "requirements.txt").write_text("numpy>=2\nscipy\n")
    (rich / "pyproject.toml").write_text(
        '[project]\nrequires-python = ">=3.99"\ndependencies = ["numpy<1"]\n'
    )
    assert changes(only=("requirements",), python="/nonexistent") == [
        ("requirements", "numpy", "changed"),
        ("requirements", "scipy", "new"),
        ("requirements", "numpy", "changed"),
        ("requirements", "python", "changed"),
    ]


def test_unknown_area_and_missing_lock_are_usage_errors(rich: Path, envfreeze: Envfreeze) -> None:
    said = envfreeze("status", "--only", "weather")
    assert said.code == 2
    assert "files" in said.err
    with pytest.raises(InputError):
        status(rich / "nowhere")


def test_unchanged_files_are_not_read_again(rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time.sleep(0.1)  # digests of files that are newer than this are not trusted
    status(only=("files",))
    read: list[str] = []
    monkeypatch.setattr("envfreeze.files.sha256", lambda path: read.append(str(path)) or "")
    assert not status(only=("files",)).drifted
    assert read == []
