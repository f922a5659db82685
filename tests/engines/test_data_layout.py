"""Files outside of the project and mounted data: where the engines put them, and what leads to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from envfreeze.data import PLACE, provide
from envfreeze.engines._docker_layout import home_of, layout
from envfreeze.engines._local_command import Fitted
from envfreeze.engines._local_unmounted import with_links_led, with_words_led
from envfreeze.engines._workspace import Workspace
from envfreeze.errors import InputError
from envfreeze.records.files import FileEntry
from envfreeze.records.run import Job, Mounted
from envfreeze.store import Store

ZERO = "0" * 64


def job(*files: FileEntry, **settings: object) -> Job:
    return Job(command=("x",), directory="/p/code", project="/p/code", files=files, **settings)  # type: ignore[arg-type]


def test_relative_links_out_of_a_volume_become_absolute() -> None:
    far = FileEntry(path="/data/x.csv", sha256=ZERO)
    links = [FileEntry(path=path, link=to) for path, to in (("a", "../../data/x.csv"), ("b", "a"))]
    placed = layout(job(far, *links)).files
    assert placed["/p/code/a"].link == "/data/x.csv"
    assert placed["/p/code/b"].link == "a"


@pytest.mark.parametrize(
    ("home", "expected"),
    [("/home/alice", "/home/alice"), ("/usr", "/home/envfreeze"), ("", "/home/envfreeze")],
)
def test_the_home_folder_is_the_recorded_one_where_that_is_possible(home: str, expected: str) -> None:
    assert home_of(job(environment={"HOME": home})) == expected


def test_without_mounts_links_and_words_lead_to_the_copies(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "project", tmp_path / "outside")
    files = (
        FileEntry(path="/data/x.csv", sha256=ZERO),
        FileEntry(path="near", link="inside"),
        FileEntry(path="a", link="/data/x.csv"),
        FileEntry(path="b", link="../../data"),
        FileEntry(path="c", link=f"{PLACE}/0/big"),
        FileEntry(path="d", link="/p/code/inside"),
    )
    given = job(
        *files,
        environment={"DATA": "/data", "OTHER": "/database"},
        mounts=(Mounted(source="/mnt/big", path=f"{PLACE}/0/big"),),
    )
    links = {entry.path: entry.link for entry in with_links_led(given, "/new", workspace) if entry.link}
    outside = str(tmp_path / "outside")
    assert links == {
        "near": "inside",
        "a": f"{outside}/data/x.csv",
        "b": f"{outside}/data",
        "c": "/mnt/big",
        "d": "/new/inside",
    }
    variables = {"HOME": "/h", **given.environment}
    fitted = with_words_led(Fitted(("run", "--in=/data/x.csv"), "/p", variables, ()), given, workspace)
    assert fitted.command == ("run", f"--in={outside}/data/x.csv")
    assert fitted.variables == {"HOME": "/h", "DATA": f"{outside}/data", "OTHER": "/database"}


def referenced(store: Store, path: str, data: bytes) -> FileEntry:
    import hashlib

    digest = hashlib.sha256(data).hexdigest()
    return FileEntry(path=path, size=len(data), sha256=digest, origin=f"path {path}")


def test_data_is_found_where_it_lay_or_in_the_given_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    store.create()
    entry = referenced(store, "data/big.bin", b"big")
    plain = FileEntry(path="train.py", sha256=ZERO)
    (tmp_path / "project" / "data").mkdir()
    (tmp_path / "project" / "data" / "big.bin").write_bytes(b"big")
    found = provide([entry, plain], store, project="/nowhere", folder=None)
    assert found.files[1] == plain
    assert found.files[0].link == f"{PLACE}/0/big.bin"
    assert found.mounts == (
        Mounted(source=str(tmp_path / "project/data/big.bin"), path=f"{PLACE}/0/big.bin"),
    )
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "big.bin").write_bytes(b"big")
    found = provide([entry], store, project="/nowhere", folder=tmp_path / "given")
    assert found.files[0].link == f"{PLACE}/given/big.bin"
    assert found.mounts == (Mounted(source=str(tmp_path / "given"), path=f"{PLACE}/given"),)


def test_other_data_of_the_same_size_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "project")
    store.create()
    (tmp_path / "project" / "big.bin").write_bytes(b"bug")
    with pytest.raises(InputError, match=r"big\.bin is not the data that was recorded .* instead of"):
        provide([referenced(store, "big.bin", b"big")], store, project="/nowhere", folder=None)
    (tmp_path / "project" / "big.bin").unlink()
    with pytest.raises(InputError, match="by digest only, and is not at"):
        provide([referenced(store, "big.bin", b"big")], store, project="/nowhere", folder=None)
