"""kill -9 and full disks at every command: no original is lost, and all is whole or as it was before.

Each command is killed before changes of the disk that are spread over all of it, so that no point depends on
speed, and, with ``make torture``, before every one of them and at thousands of random moments.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from envfreeze.records import lockfile
from envfreeze.store import Store
from envfreeze.store_maintenance import verify

from ._forks import Forks
from ._hostile import traces

TRAIN = "open('result.txt', 'w').write(open('data.txt').read() * 1000)\nprint(2)\n"
DATA = "data\n"
KILLS = int(os.environ.get("ENVFREEZE_KILLS", "0"))
"""Of ``make torture``, for each command."""


class Place(NamedTuple):
    """A folder with a frozen project in ``project``, and its bundle beside it."""

    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def bundle(self) -> Path:
        return self.root / "a.zip"


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Place:
    place = Place(tmp_path_factory.mktemp("killed") / "template")
    place.project.mkdir(parents=True)
    (place.project / "train.py").write_text(TRAIN)
    (place.project / "data.txt").write_text(DATA)
    environment = place.root.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (place.root / "python").write_text(str(environment / "bin" / "python"))
    assert forks(place.project, *freeze(place)).status == 0
    assert forks(place.project, "pack", "-q", "-o", "../a.zip").status == 0
    return place


@pytest.fixture
def place(template: Place, tmp_path: Path) -> Place:
    return Place(Path(shutil.copytree(template.root, tmp_path / "place", symlinks=True)))


def freeze(place: Place) -> tuple[str, ...]:
    return ("freeze", "-q", "--offline", "--", (place.root / "python").read_text(), "train.py")


def rot(place: Place) -> None:
    """Damage half of the objects; all of them are in the bundle."""
    store = Store(place.project)
    for path in sorted(store.objects.glob("*/*"))[::2]:
        path.unlink()
        path.write_bytes(b"rotten")


def litter(place: Place) -> None:
    for number in range(5):
        Store(place.project).add_bytes(b"unused %d" % number)


def nothing(place: Place) -> None:
    """All is there."""


def without_bundle(place: Place) -> None:
    place.bundle.unlink()


def without_lock(place: Place) -> None:
    shutil.rmtree(place.project / ".envfreeze")
    (place.project / lockfile.NAME).unlink()
    (place.project / "Dockerfile").unlink()


class Command(NamedTuple):
    """A command, and what is done before each time."""

    words: Callable[[Place], tuple[str, ...]]
    before: Callable[[Place], None] = nothing
    afresh: bool = False
    """Whether each time begins with a new copy; else what a kill left is there the next time."""


COMMANDS = {
    "freeze": Command(freeze),
    "first freeze": Command(freeze, without_lock, afresh=True),
    "build": Command(lambda place: ("build", "-q", "--engine", "local", "--force")),
    "replay": Command(lambda place: ("replay", "-q", "--engine", "local")),
    "pack": Command(lambda place: ("pack", "-q", "-o", "../a.zip")),
    "first pack": Command(lambda place: ("pack", "-q", "-o", "../a.zip"), without_bundle, afresh=True),
    "unpack": Command(lambda place: ("unpack", "-q", "../a.zip", "../out"), afresh=True),
    "prune": Command(lambda place: ("store", "prune", "-q"), litter),
    "repair": Command(lambda place: ("store", "verify", "--repair", "--offline", "-q", "../a.zip"), rot),
}
DEFAULT = {
    "freeze": 6,
    "first freeze": 4,
    "pack": 4,
    "first pack": 4,
    "build": 4,
    "replay": 6,
    "unpack": 12,
    "prune": 12,
    "repair": 16,
}


def whole(place: Place, template: Place, name: str) -> None:
    """What has to hold after a kill at any moment."""
    project = place.project
    assert (project / "train.py").read_text() == TRAIN and (project / "data.txt").read_text() == DATA
    if (project / lockfile.NAME).exists():
        lock = lockfile.read(project / lockfile.NAME)
        assert lock.run is not None
        if name != "repair":  # it is allowed not to be done
            found = verify(Store(project))
            assert not found.damaged and not found.missing and not found.damaged_tapes
    else:
        assert name == "first freeze"
    if place.bundle.exists():
        assert place.bundle.read_bytes() == template.bundle.read_bytes()
    out = place.root / "out"
    if out.exists():
        assert {str(path.relative_to(out)) for path in out.rglob("*")} == contents(template)
    for run in (project / ".envfreeze" / "runs").glob("*"):
        assert (run / "run.json").exists(), "a replay is recorded whole or not at all"


def contents(template: Place) -> set[str]:
    import zipfile

    with zipfile.ZipFile(template.bundle) as archive:
        names = archive.namelist()
    folders = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, name.count("/") + 1)}
    return {*names, *folders}


def reset(place: Place, template: Place) -> None:
    """As it was; the path stays the same, and so does what an environment of it knows."""
    shutil.rmtree(place.root)
    shutil.copytree(template.root, place.root, symlinks=True)


def ends_well(place: Place, template: Place, forks: Forks, name: str) -> None:
    """The next time it works, and nothing of the killed ones is left."""
    command = COMMANDS[name]
    shutil.rmtree(place.root / "out", ignore_errors=True)
    done = forks(place.project, *command.words(place))
    assert done.status == 0, done.words
    whole(place, template, name)
    found = verify(Store(place.project))
    assert not found.damaged and not found.missing
    left = [trace for trace in traces(place.project) if not trace.startswith("runs")]
    if name in ("build", "replay"):
        left = [trace for trace in left if not trace.startswith(tuple(environments(place)))]
    assert left == []
    assert [path.name for path in place.root.iterdir() if path.name.endswith(".tmp")] == []


def environments(place: Place) -> list[str]:
    return [path.name for path in (place.project / ".envfreeze" / "environments").glob("[!.]*")]


def killed_before_changes(place: Place, template: Place, forks: Forks, name: str, kills: int) -> int:
    """Kill it ``kills`` times; how often that met it."""
    command = COMMANDS[name]
    command.before(place)
    first = forks(place.project, *command.words(place))
    assert first.status == 0 and first.changes > 1, first.words
    met = 0
    points = sorted({1 + round(step * (first.changes - 1) / max(1, kills - 1)) for step in range(kills)})
    for at in points:
        if command.afresh:
            reset(place, template)
        command.before(place)
        ended = forks(place.project, *command.words(place), at=at)
        met += ended.status == -9
        assert ended.status in (-9, 0), (at, ended.words)
        whole(place, template, name)
    ends_well(place, template, forks, name)
    return met


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_before_a_change_of_the_disk(name: str, place: Place, template: Place, forks: Forks) -> None:
    kills = DEFAULT.get(name, 6)
    met = killed_before_changes(place, template, forks, name, kills)
    assert met > kills / 3, "what was killed had ended mostly"


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_before_every_change_of_the_disk(
    name: str, place: Place, template: Place, forks: Forks
) -> None:
    killed_before_changes(place, template, forks, name, KILLS or 60)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_any_moment(name: str, place: Place, template: Place, forks: Forks) -> None:
    """In the middle of a write too, with all that it started."""
    command = COMMANDS[name]
    command.before(place)
    took = forks(place.project, *command.words(place)).seconds
    moments = random.Random(name)
    for _ in range(KILLS or 30):
        if command.afresh:
            reset(place, template)
        command.before(place)
        moment = moments.uniform(0.001, took * 1.1)
        ended = forks(place.project, *command.words(place), after=moment)
        assert ended.status in (-9, 0), (moment, ended.words)
        whole(place, template, name)
    ends_well(place, template, forks, name)


FULL = [pytest.param(name, marks=pytest.mark.slow if "first" in name else ()) for name in COMMANDS]


@pytest.mark.parametrize("name", FULL)
def test_no_file_can_grow(name: str, place: Place, template: Place, forks: Forks) -> None:
    """A limit on the size of files is a full disk that needs no root: it ends well, or in one sentence."""
    command = COMMANDS[name]
    for largest in (0, 5000):
        if command.afresh:
            reset(place, template)
        command.before(place)
        ended = forks(place.project, *command.words(place), largest=largest)
        assert ended.status in (0, 1, 3), (largest, ended.words)
        if ended.status == 3:
            assert ended.words.splitlines()[-1].strip(), "it says why"
        whole(place, template, name)
    ends_well(place, template, forks, name)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 80 MiB, of which ``unpack`` leaves 64 free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", folder], capture_output=True
    ).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], capture_output=True)


@pytest.mark.parametrize("name", FULL)
def test_a_full_disk(name: str, disk: Path, template: Place, forks: Forks) -> None:
    """Less and less room: it ends well, or in one sentence, and works when there is room again."""
    command = COMMANDS[name]
    place = Place(Path(shutil.copytree(template.root, disk / "place", symlinks=True)))
    full = 0
    for left in (0, 20 << 10):
        if command.afresh:
            reset(place, template)
        command.before(place)
        free = shutil.disk_usage(disk).free - left
        with (disk / "fill").open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, free)
        ended = forks(place.project, *command.words(place))
        (disk / "fill").unlink()
        assert ended.status in (0, 1, 3), (left, ended.words)
        full += ended.status == 3
        if ended.status == 3:
            assert re.search("no space left|no room|disk is full", ended.words.lower()), ended.words
        whole(place, template, name)
    assert full or name == "prune", "pruning needs no room"
    ends_well(place, template, forks, name)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_killed_replay_in_a_container_is_tidied_up_by_the_next(
    place: Place, template: Place, forks: Forks
) -> None:
    """The image is there already: cancelling builds is another matter, and some engines' own."""
    import docker

    words = ("replay", "-q", "--engine", "docker")
    assert forks(place.project, *words).status == 0
    took = forks(place.project, *words).seconds
    moments = random.Random("docker")
    for _ in range(KILLS or 8):
        ended = forks(place.project, *words, after=moments.uniform(0.05, took))
        assert ended.status in (-9, 0), ended.words
        whole(place, template, "replay")
    assert forks(place.project, *words).status == 0
    client = docker.from_env()
    label = {"label": "envfreeze.owner"}
    things = [*client.containers.list(all=True, filters=label), *client.volumes.list(filters=label)]
    names = [
        (thing.attrs.get("Labels") or thing.attrs["Config"]["Labels"])["envfreeze.owner"] for thing in things
    ]
    client.close()
    gone = [name for name in names if not Path("/proc", name.split(":")[1]).exists()]
    assert gone == [], "what the killed ones had made"
