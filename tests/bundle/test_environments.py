"""Experiments of one machine share one environment, unless what they used there contradicts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from envfreeze.bundle.environments import united
from envfreeze.recipe import recipe_of
from envfreeze.records.environment import Interpreter, System, SystemPackage
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage

A, B = "a" * 64, "b" * 64
HERE = Path("/here")
FONT = FileEntry(path="/usr/share/fonts/one.ttf", sha256=A, size=3)
OWN = FileEntry(path="/opt/own/lib/libown.so", sha256=B, size=3)
GOMP = SystemPackage(name="libgomp1", version="12.2.0-14", manager="dpkg", libraries=("/lib/libgomp.so.1",))
GL = SystemPackage(name="libgl1", version="1.6.0-1", manager="dpkg", libraries=("/lib/libGL.so.1",))


def lock(**system: object) -> Lock:
    return Lock(
        envfreeze_lock=1,
        interpreter=Interpreter(implementation="CPython", version="3.11.7"),
        base=BaseImage(reference="python:3.11.7-slim-bookworm"),
        system=System(**{"distribution": "debian 12", "architecture": "x86_64"} | system),
    )


def test_the_first_figure_reads_the_fonts_and_the_second_a_cache() -> None:
    first = lock(files=(FONT,), packages=(GL,), kernel="6.1.0", memory=1)
    second = lock(files=(OWN,), packages=(GOMP,), library_path=("/opt/own/lib",), kernel="6.1.1", memory=2)
    assert recipe_of(first).environment_id != recipe_of(second).environment_id
    made = united({"figure1": (first, HERE), "figure2": (second, HERE)}, recipe_of)
    assert len({recipe_of(one).environment_id for one in made.values()}) == 1
    for name, original in (("figure1", first), ("figure2", second)):
        system = made[name].system
        assert system.files == (OWN, FONT) and system.library_path == ("/opt/own/lib",)
        assert [package.name for package in system.packages] == ["libgl1", "libgomp1"]
        assert (system.kernel, system.memory) == (original.system.kernel, original.system.memory)


CONTRADICTIONS = {
    "content": (lock(files=(FONT,)), lock(files=(msgspec.structs.replace(FONT, sha256=B),))),
    "version": (lock(packages=(GL,)), lock(packages=(msgspec.structs.replace(GL, version="2"),))),
    "order": (lock(files=(OWN,), library_path=("/a", "/b")), lock(library_path=("/b", "/a"))),
    "distribution": (lock(files=(FONT,)), lock(distribution="debian 13")),
    "time zone": (lock(files=(FONT,)), lock(time_zone="Europe/Berlin")),
}


@pytest.mark.parametrize("locks", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_contradicts_stays_apart(locks: tuple[Lock, Lock]) -> None:
    found = united({"one": (locks[0], HERE), "two": (locks[1], HERE)}, recipe_of)
    assert tuple(found.values()) == locks


def test_other_stores_and_other_packages_stay_apart() -> None:
    one, two = lock(files=(FONT,)), lock()
    assert united({"one": (one, HERE), "two": (two, Path("/elsewhere"))}, recipe_of) == {
        "one": one,
        "two": two,
    }
    newer = msgspec.structs.replace(two, base=BaseImage(reference="python:3.12.1-slim-bookworm"))
    assert united({"one": (one, HERE), "two": (newer, HERE)}, recipe_of) == {"one": one, "two": newer}
    assert united({"one": (one, HERE)}, recipe_of) == {"one": one}
