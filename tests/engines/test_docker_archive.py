"""Tar streams into and out of containers, with members as hostile code could make them."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.engines._archive import LAID_OUT, _Outputs, pack, unpack_outputs
from envfreeze.errors import InputError
from envfreeze.records.files import FileEntry
from envfreeze.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "project")
    made.create()
    return made


def entry(store: Store, path: str, data: bytes = b"x", **more: object) -> FileEntry:
    return FileEntry(path=path, size=len(data), sha256=store.add_bytes(data), **more)  # type: ignore[arg-type]


def pieces(data: bytes, size: int = 700) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return target.getvalue()


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "", mtime: int = 1 << 30):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mtime = kind, link, len(data), mtime
    return info, data


def test_pack_makes_what_tar_reads(store: Store) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    files = {
        "/w/x/a/b": entry(store, "a/b", b"content" * 200),
        "/w/x/run": entry(store, "run", b"#!", executable=True),
        f"/w/x/{name}": entry(store, name),
        "/w/x/l": FileEntry(path="l", link="a/b"),
        "/w/x/" + "long/" * 60 + "f": entry(store, "long/" * 60 + "f"),
    }
    data = b"".join(pack("/w/x", ["/w/x", "/w/x/empty/e", "/w/y"], files, store, owner=1000))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {item.name: item for item in tar}
        assert {".", "a", "empty", "empty/e", "l", name} <= found.keys()
        assert not any("w" in item.split("/") or (item.endswith("y") and item != "empty") for item in found)
        assert tar.extractfile("a/b").read() == b"content" * 200  # type: ignore[union-attr]
        assert found["run"].mode == 0o755
        assert found["l"].linkname == "a/b"
        assert all((item.uid, item.gid, item.mtime) == (1000, 1000, LAID_OUT) for item in found.values())


def test_pack_refuses_damage(store: Store) -> None:
    damaged = entry(store, "a", b"good")
    path = store.path(str(damaged.sha256))
    path.chmod(0o644)
    path.write_bytes(b"evil")
    with pytest.raises(InputError, match="damaged"):
        list(pack("/w", [], {"/w/a": damaged}, store, owner=1))
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        list(pack("/w", [], {"/w/a": damaged}, store, owner=1))


def test_only_what_was_written_comes_out(store: Store, tmp_path: Path) -> None:
    big = os.urandom(3_000_000)
    given_files = {
        f"/w/x/{name}": entry(store, name, big) for name in ("same", "restored", "touched", "grown")
    }
    other = big[:2_500_000] + b"!" + big[2_500_001:]
    data = archive(
        member("x", kind=tarfile.DIRTYPE),
        member("x/same", big, mtime=LAID_OUT),
        member("x/restored", other, mtime=LAID_OUT),
        member("x/touched", big),
        member("x/grown", big + b"more", mtime=LAID_OUT),
        member("x/d/new", b"n"),
        member("x/__pycache__/m.pyc", b"n"),
        member("x/envfreeze.lock", b"n"),
    )
    out = tmp_path / "out"
    assert unpack_outputs(pieces(data, 65536), "/w/x", given_files, store, out) == ()
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert found == {"restored": other, "touched": big, "grown": big + b"more", "d/new": b"n"}


@pytest.mark.parametrize("name", ["x/../../evil", "/../evil", "../evil", "x/a/../../../evil", ".."])
def test_members_that_climb_out_are_left_out(store: Store, tmp_path: Path, name: str) -> None:
    out = tmp_path / "deep" / "out"
    unpack_outputs(pieces(archive(member(name, b"e"))), "/w/x", {}, store, out)
    assert not list(tmp_path.rglob("*evil*"))


def test_the_folders_own_name_may_be_left_out(store: Store, tmp_path: Path) -> None:
    """As Podman does: a name that looks absolute still means a place in the folder."""
    unpack_outputs(pieces(archive(member("/etc/made", b"m"))), "/w/x", {}, store, tmp_path / "out")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("made")] == [Path("out/etc/made")]


@pytest.mark.parametrize(
    ("path", "link", "kept"),
    [
        ("l", "a", "a"),
        ("d/l", "../a", "../a"),
        ("d/l", "/w/x/a", "../a"),
        ("l", "../a", None),
        ("l", "/etc/passwd", None),
        ("l", "/w/xy", None),
        ("l", "/w/x/../y", None),
        ("l", "d/../..", None),
        ("d/l", "./../../a", None),
    ],
)
def test_links_stay_inside(store: Store, tmp_path: Path, path: str, link: str, kept: str | None) -> None:
    out = tmp_path / "out"
    notes = unpack_outputs(
        pieces(archive(member(f"x/{path}", kind=tarfile.SYMTYPE, link=link))), "/w/x", {}, store, out
    )
    assert ((out / path).readlink() == Path(kept)) if kept else not (out / path).is_symlink()
    assert bool(notes) == (kept is None)


def test_no_file_is_written_through_a_link(store: Store, tmp_path: Path) -> None:
    data = archive(
        member("x/d/e/f", b"1"),
        member("x/l", kind=tarfile.SYMTYPE, link="d"),
        member("x/l/g", b"2"),
        member("x/hard", kind=tarfile.LNKTYPE, link="x/d/e/f"),
        member("x/climb", kind=tarfile.LNKTYPE, link="../../../etc/passwd"),
        member("x/tty", kind=tarfile.CHRTYPE),
    )
    out = tmp_path / "out"
    notes = unpack_outputs(pieces(data), "/w/x", {}, store, out)
    assert (out / "hard").read_bytes() == b"1"
    assert not (out / "climb").exists()
    assert not (out / "d/g").exists()
    assert len(notes) == 1 and "/w/x/tty" in notes[0]


def test_truncated_archive_is_an_error(store: Store, tmp_path: Path) -> None:
    data = archive(member("x/a", bytes(5000)))[:3000]
    with pytest.raises(tarfile.TarError):
        unpack_outputs(pieces(data), "/w/x", {}, store, tmp_path / "out")


parts = st.lists(st.sampled_from(["..", ".", "a", "b", "d", "l"]), min_size=1, max_size=6)


@settings(max_examples=200)
@given(
    links=st.dictionaries(
        st.sampled_from(["a", "b", "l", "d/a", "d/b", "d/e/l"]),
        st.builds(str.__add__, st.sampled_from(["", "/w/x/"]), parts.map("/".join)),
        max_size=6,
    )
)
def test_no_set_of_links_leads_out(tmp_path_factory: pytest.TempPathFactory, links: dict[str, str]) -> None:
    root = tmp_path_factory.mktemp("links") / "out"
    outputs = _Outputs("/w/x", {}, Store(root), root, ())
    outputs._links = {path: link for path, link in links.items() if link}
    outputs.make_links()
    for path in links:
        if (root / path).is_symlink():
            real = os.path.realpath(root / path)
            assert real == str(root) or real.startswith(f"{root}/")
