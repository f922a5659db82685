"""Whether the pinned file is what is installed: proved, modified, or unproved with the reason."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envfreeze.files import sha256
from envfreeze.probes import Section, Target
from envfreeze.probes.packages import inspect
from envfreeze.records.environment import Package
from envfreeze.store import Store


def only(section: Section, name: str = "tiny") -> Package:
    (package,) = [package for package in section.value if package.name == name]
    return package


def from_nowhere(environment: Any, wheel: Path) -> None:
    """Install as from an index: without direct_url.json."""
    environment.install(wheel)
    name, version = wheel.name.split("-")[:2]
    (environment.packages / f"{name}-{version}.dist-info" / "direct_url.json").unlink()


def kept(target: Target, digest: str | None) -> Path:
    assert digest is not None
    return Store(target.project).verified(digest, what="it")


@pytest.fixture
def wheel(environment: Any, index: Any, make_wheel: Any) -> Path:
    """A wheel on the index, installed."""
    path = make_wheel(index.root / "tiny", "tiny", files={"tiny_data.bin": "\0data"})
    from_nowhere(environment, path)
    return path


def test_edited_file_is_kept_with_its_difference(environment: Any, index: Any, wheel: Path) -> None:
    with (environment.packages / "tiny.py").open("a") as stream:
        stream.write("PATCHED = True\n")
    (environment.packages / "tiny_data.bin").write_bytes(b"\0DATA")
    target = environment.target(**index.variables())
    section = inspect(target)
    package = only(section)
    assert (package.proof, package.modified) == ("modified", ("tiny.py", "tiny_data.bin"))
    assert (package.source, package.vendored, package.url) == (
        "index",
        True,
        f"{index.url}/tiny/{wheel.name}",
    )
    with zipfile.ZipFile(kept(target, package.sha256)) as archive:
        assert archive.read("tiny.py").endswith(b"PATCHED = True\n")
        assert archive.read("tiny_data.bin") == b"\0DATA"
    patch = kept(target, package.patch).read_text()
    assert "--- a/tiny.py\n+++ b/tiny.py\n" in patch and "\n+PATCHED = True\n" in patch
    assert "Binary files a/tiny_data.bin and b/tiny_data.bin differ" in patch
    assert section.gaps == ()
    index.asked.clear()
    assert inspect(target) == section
    assert index.asked == []


def test_edit_cannot_hide_behind_size_and_time(environment: Any, index: Any, wheel: Path) -> None:
    file = environment.packages / "tiny.py"
    before = file.stat()
    file.write_text(file.read_text().replace("1.0", "1.1"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert only(inspect(environment.target(**index.variables()))).modified == ("tiny.py",)


def test_touched_file_is_no_modification(environment: Any, index: Any, wheel: Path) -> None:
    os.utime(environment.packages / "tiny.py")
    package = only(inspect(environment.target(**index.variables())))
    assert (package.proof, package.sha256) == ("proved", sha256(wheel))


def test_second_edit_is_noticed(environment: Any, index: Any, wheel: Path) -> None:
    digests = set()
    for text in ("A = 1\n", "A = 2\n"):
        (environment.packages / "tiny.py").write_text(text)
        digests.add(only(inspect(environment.target(**index.variables()))).sha256)
    assert len(digests) == 2


def test_removed_file_comes_back_and_the_lock_says_so(environment: Any, index: Any, wheel: Path) -> None:
    (environment.packages / "tiny_data.bin").unlink()
    section = inspect(environment.target(**index.variables()))
    package = only(section)
    assert (package.proof, package.modified) == ("modified", ("tiny_data.bin (removed)",))
    assert (package.vendored, package.sha256) == (False, sha256(wheel))
    assert section.gaps[0].why == (
        "its file tiny_data.bin was removed after the installation; a replay has what is missing"
    )


def test_many_edits_are_counted(environment: Any, index: Any, make_wheel: Any) -> None:
    files = {f"tiny_{number:02}.py": "" for number in range(30)}
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny", files=files))
    for name in files:
        (environment.packages / name).write_text("A = 1\n")
    package = only(inspect(environment.target(**index.variables())))
    assert len(package.modified) == 21 and package.modified[-1] == "and 10 more"


def test_index_has_another_content_under_that_name(environment: Any, index: Any, make_wheel: Any) -> None:
    make_wheel(index.root / "tiny", "tiny", mark="theirs")
    mine = make_wheel(index.root.parent / "wheels", "tiny", mark="mine")
    from_nowhere(environment, mine)
    target = environment.target(**index.variables())
    package = only(inspect(target))
    assert (package.proof, package.vendored) == ("proved", True)
    assert b"mine" in zipfile.ZipFile(kept(target, package.sha256)).read("tiny.py")


def test_index_lost_the_release(environment: Any, index: Any, make_wheel: Any, wheel: Path) -> None:
    make_wheel(index.root / "tiny", "tiny", "2.0")
    wheel.unlink()
    target = environment.target(**index.variables())
    section = inspect(target)
    package = only(section)
    assert (package.version, package.vendored, package.proof) == ("1.0", True, "proved")
    assert "tiny.py" in zipfile.ZipFile(kept(target, package.sha256)).namelist()
    assert section.gaps == ()


@pytest.mark.parametrize("from_the_end", [True, False])
def test_proof_without_a_download(environment: Any, index: Any, make_wheel: Any, from_the_end: bool) -> None:
    index.ranges_from_the_end = from_the_end
    noise = os.urandom(300_000).hex()
    wheel = make_wheel(index.root / "tiny", "tiny", files={"tiny_big.txt": noise})
    from_nowhere(environment, wheel)
    assert only(inspect(environment.target(**index.variables()))).proof == "proved"
    assert index.sent < wheel.stat().st_size / 2


def test_reason_is_said_once_for_all(environment: Any, index: Any, make_wheel: Any) -> None:
    for name in ("tiny", "small"):
        from_nowhere(environment, make_wheel(index.root / name, name))
    index.ranges = False
    section = inspect(environment.target(**index.variables()))
    assert {package.proof for package in section.value} == {"unproved"}
    (gap,) = section.gaps
    assert gap.what == "proof that the files of 2 packages (small, tiny) are the installed ones"
    assert gap.why == "the server answered 200 to a range request"


def test_offline_keeps_what_was_proved(environment: Any, index: Any, wheel: Path) -> None:
    first = inspect(environment.target(**index.variables()))
    assert only(first).proof == "proved"
    index.asked.clear()
    assert inspect(environment.target(**index.variables(), offline=True)) == first
    (environment.packages / "tiny.py").write_text("EDITED = 1\n")
    package = only(inspect(environment.target(**index.variables(), offline=True)))
    assert (package.proof, package.vendored, package.patch) == ("modified", True, None)
    assert index.asked == []


def test_not_asked_for(environment: Any, index: Any, wheel: Path) -> None:
    target = msgspec.structs.replace(environment.target(**index.variables()), prove=False)
    section = inspect(target)
    assert (only(section).proof, section.gaps) == (None, ())
    assert not any(wheel.name in path for path in index.asked)


def test_installed_without_a_record(environment: Any, index: Any, wheel: Path) -> None:
    (environment.packages / "tiny-1.0.dist-info" / "RECORD").unlink()
    section = inspect(environment.target(**index.variables()))
    assert only(section).proof == "unproved"
    assert "without a RECORD" in section.gaps[0].why


def test_changed_script_is_no_modification(environment: Any, index: Any, make_wheel: Any) -> None:
    files = {"tiny-1.0.data/scripts/hello": "#!python\nprint(1)\n"}
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny", files=files))
    (environment.folder / "bin" / "hello").write_text("#!/moved/bin/python\nprint(1)\n")
    assert only(inspect(environment.target(**index.variables()))).proof == "proved"


def test_code_of_no_distribution_is_a_gap(environment: Any, index: Any, wheel: Path, tmp_path: Path) -> None:
    (environment.packages / "mine.pth").write_text("import mine\n")
    (environment.packages / "mine.py").write_text("")
    (environment.packages / "space" / "deep").mkdir(parents=True)
    (environment.packages / "space" / "deep" / "code.py").write_text("")
    (environment.packages / "empty").mkdir()
    (gap,) = inspect(environment.target(**index.variables())).gaps
    assert gap.what == f"mine.pth, mine.py, space/ in {environment.packages}"


def test_archive_on_the_path_is_a_gap(environment: Any, index: Any, wheel: Path, tmp_path: Path) -> None:
    archive = tmp_path / "modules.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("zipped.py", "VALUE = 1\n")
    (gap,) = inspect(environment.target(**index.variables(), PYTHONPATH=str(archive))).gaps
    assert gap.what == str(archive) and "imported from this archive" in gap.why


def test_user_site(environment: Any, index: Any, make_wheel: Any, make_environment: Any) -> None:
    """A package in the user's folder is found, proved, and rebuilt with its scripts when it was edited."""
    files = {"tiny-1.0.data/scripts/hello": "#!python\nimport tiny\nprint(tiny.VERSION)\n"}
    wheel = make_wheel(index.root / "tiny", "tiny", files=files)
    settings = (
        environment.folder / "pyvenv.cfg"
    )  # a virtual environment sees the user's folder only with this
    settings.write_text(
        settings.read_text().replace(
            "include-system-site-packages = false", "include-system-site-packages = true"
        )
    )
    home = Path(environment.variables["HOME"])
    version = environment.packages.parent.name
    environment.install("--prefix", home / ".local", wheel)
    folder = home / ".local" / "lib" / version / "site-packages"
    (folder / "tiny-1.0.dist-info" / "direct_url.json").unlink()
    assert only(inspect(environment.target(**index.variables()))).proof == "proved"
    (folder / "tiny.py").write_text("VERSION = 'edited'\n")
    target = environment.target(**index.variables())
    package = only(inspect(target))
    assert package.proof == "modified"
    assert "tiny-1.0.data/scripts/hello" in zipfile.ZipFile(kept(target, package.sha256)).namelist()
