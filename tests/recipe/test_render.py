"""The Dockerfile: what a person finds in it, and that no lock can put an instruction of its own there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.errors import InputError
from envfreeze.recipe.render import MARK, render
from envfreeze.recipe.system_packages import not_installed
from envfreeze.records.environment import Interpreter, Package, System, SystemPackage
from envfreeze.records.files import FileEntry, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation
from envfreeze.records.recipe import BaseImage

A = "a" * 64
BASE = BaseImage(reference="python:3.11.7-slim-bookworm", digest=f"sha256:{A}", why="CPython 3.11.7 ran")
STREAM = StreamEntry(sha256=A)


def observation(*command: str, **more: object) -> Observation:
    places = {"directory": "/home/a/p", "project": "/home/a/p"}
    return Observation(command=command, stdout=STREAM, stderr=STREAM, **(places | more))  # type: ignore[arg-type]


def lock(run: Observation | None = None, **more: object) -> Lock:
    package = Package(name="x", version="1", source="index", sha256=A, file="x-1-py3-none-any.whl")
    settings = {
        "packages": (package,),
        "interpreter": Interpreter(implementation="CPython", version="3.11.7"),
    }
    return Lock(envfreeze_lock=1, run=run, **(settings | more))  # type: ignore[arg-type]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """As a builder reads it: comments dropped, continued lines joined."""
    joined, current = [], ""
    for line in dockerfile.split("\n"):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        current += line.removesuffix("\\")
        if not line.endswith("\\"):
            joined.append(current)
            current = ""
    assert not current
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined]


def test_plain_dockerfile_is_for_every_builder() -> None:
    text = render(lock(observation("/home/a/v/bin/python", "train.py")), BASE).dockerfile
    assert text.startswith(MARK)
    assert f"FROM {BASE.reference}@sha256:{A}\n" in text
    assert "--mount" not in text
    assert "--require-hashes" in text
    assert 'CMD ["python", "train.py"]' in text
    assert "USER 1000:1000" in text
    assert "apt-get" not in text
    assert "/home/a" not in text
    assert "\n\n\n" not in text
    assert "docker build -t" in text and "docker run --rm" in text


def test_secrets_are_mounts_of_the_installing_step() -> None:
    text = render(lock(), BASE).dockerfile_buildkit
    assert "--mount=type=secret,id=envfreeze-ca" in text
    assert [name for name, _ in instructions(text)].count("ARG") == 0
    assert "COPY" not in text


def test_same_lock_same_bytes() -> None:
    assert render(lock(observation("x")), BASE) == render(lock(observation("x")), BASE)


def test_identity_is_of_the_environment_only() -> None:
    first = render(lock(observation("python", "a.py")), BASE)
    assert render(lock(observation("python", "b.py", environment={"TZ": "UTC"})), BASE).environment_id == (
        first.environment_id
    )
    others = [
        render(lock(packages=()), BASE),
        render(lock(), msgspec.structs.replace(BASE, digest=None)),
        render(lock(system=SYSTEM), BASE),
    ]
    assert len({first.environment_id, *(other.environment_id for other in others)}) == 4


SYSTEM = System(
    distribution="debian 12",
    packages=tuple(
        SystemPackage(name=name, version="1", manager="dpkg")
        for name in ("libgomp1:amd64", "libc6", "a; rm -rf /")
    ),
)


def test_system_packages_of_the_same_release_are_installed() -> None:
    text = render(lock(system=SYSTEM), BASE).dockerfile
    assert re.search(r"--no-install-recommends libgomp1=1 \\$", text, re.MULTILINE)
    assert "deb [" not in text, "when it was unpacked is not known"
    other = msgspec.structs.replace(SYSTEM, distribution="ubuntu 22.04")
    assert "apt-get" not in render(lock(system=other), BASE).dockerfile
    assert not_installed(BASE, SYSTEM) == ()
    (gap,) = not_installed(BASE, other)
    assert "libgomp1" in gap.why and "libc6" not in gap.why and "ubuntu 22.04" in gap.why


def test_system_packages_come_from_the_snapshot_of_their_day_when_the_mirror_has_others() -> None:
    packages = (
        SystemPackage(
            name="libgomp1", version="12.2.0-14+deb12u1", manager="dpkg", installed="2024-01-31T10:15:00Z"
        ),
        SystemPackage(name="libgl1", version="1.6.0-1; reboot", manager="dpkg", installed="'; reboot"),
    )
    text = render(lock(system=System(distribution="debian 12", packages=packages)), BASE).dockerfile
    installs = re.findall(r"install --yes --no-install-recommends (.*?)(?: \\|;)", text)
    exact = "libgl1 libgomp1=12.2.0-14+deb12u1"
    assert installs == [exact, f"--allow-downgrades {exact}", "libgl1 libgomp1"]
    for archive, suite in (("debian", "bookworm"), ("debian-security", "bookworm-security")):
        assert f" http://snapshot.debian.org/archive/{archive}/20240131T101500Z {suite} main'" in text
    assert "reboot" not in text


def test_files_of_the_system_are_put_at_their_paths() -> None:
    entries = (
        FileEntry(path="/opt/own/lib/libown.so.1.2", sha256=A, size=1),
        FileEntry(path="/opt/own/lib/libown.so.1", link="libown.so.1.2"),
    )
    system = System(files=entries, library_path=("/opt/own/lib", "/elsewhere"), time_zone="Europe/Berlin")
    made = render(lock(system=system), BASE)
    assert made.files == entries
    for text in (made.dockerfile, made.dockerfile_buildkit):
        assert "ADD .envfreeze/build/system.tar /" in text
        assert 'ENV LD_LIBRARY_PATH="/opt/own/lib"\n' in text and 'ENV TZ="Europe/Berlin"' in text
    assert made.environment_id != render(lock(), BASE).environment_id
    assert "system.tar" not in render(lock(), BASE).dockerfile


@pytest.mark.parametrize("path", ["relative.so", "/proc/self/mem", "/lib"])
def test_files_that_no_image_can_have_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="files of the system"):
        render(lock(system=System(files=(FileEntry(path=path, sha256=A),))), BASE)


def test_compiler_only_for_source_distributions() -> None:
    source = Package(name="x", version="1", source="index", sha256=A, file="x-1.tar.gz")
    made = render(lock(packages=(source,)), BASE)
    assert made.build_tools == ("x",)
    assert "gcc" in made.dockerfile
    alpine = msgspec.structs.replace(BASE, reference="python:3.11.7-alpine")
    assert "apk add" in render(lock(packages=(source,)), alpine).dockerfile


def test_directory_below_the_project() -> None:
    assert (
        "WORKDIR /workspace/a/b\n"
        in render(lock(observation("x", directory="/home/a/p/a/b")), BASE).dockerfile
    )
    assert (
        "WORKDIR /workspace\n" in render(lock(observation("x", directory="/home/a/p/$(x)")), BASE).dockerfile
    )


def test_variables_of_one_machine_stay_there() -> None:
    variables = {
        "OMP_NUM_THREADS": "2",
        "TZ": "Europe/Berlin",
        "HF_HOME": "/home/a/.cache",
        "PYTHONPATH": "src:/home/a/lib",
        "LD_LIBRARY_PATH": "lib",
        "PIP_INDEX_URL": "x",
        "BAD-NAME": "x",
        "PYTHON_X": "two\nlines",
    }
    text = render(lock(observation("x", environment=variables)), BASE).dockerfile
    assert dict(line.split("=", 1) for name, line in instructions(text) if name == "ENV") == {
        "OMP_NUM_THREADS": '"2"',
        "TZ": '"Europe/Berlin"',
        "HOME": "/home/envfreeze",
    }


@pytest.mark.parametrize(
    "base",
    [
        BaseImage(reference="python:3.11\nRUN x"),
        BaseImage(reference="python"),
        BaseImage(reference="$X:1"),
        BaseImage(reference="python:3.11 AS x"),
        BaseImage(reference="python:3.11", digest="sha256:0\nRUN x"),
    ],
)
def test_base_is_checked(base: BaseImage) -> None:
    with pytest.raises(InputError, match="image"):
        render(lock(), base)


hostile = st.text(max_size=40) | st.sampled_from(
    [
        '"]\nRUN evil',
        "\\",
        'a"\\',
        "<<EOF\nRUN x\nEOF",
        "$(evil)",
        "${PATH}",
        "# escape=`",
        "\r\nRUN evil",
        "\x85RUN",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    command=st.lists(
        hostile.filter(lambda text: not re.search("[\ud800-\udfff]", text)), min_size=1, max_size=4
    ),
    variables=st.dictionaries(st.sampled_from(["OMP_X", "TZ", "MKL_Y"]) | hostile, hostile, max_size=4),
    why=hostile,
    directory=hostile,
)
def test_no_lock_adds_an_instruction(
    command: list[str], variables: dict[str, str], why: str, directory: str
) -> None:
    try:
        run = observation(*command, environment=variables, directory=f"/home/a/p/{directory}")
    except ValueError:  # no plain path: the record itself refuses it
        run = observation(*command, environment=variables)
    made = render(lock(run), msgspec.structs.replace(BASE, why=why))
    for text in (made.dockerfile, made.dockerfile_buildkit):
        usual = [name for name, _ in instructions(render(lock(observation("x")), BASE).dockerfile)]
        found = [name for name, _ in instructions(text) if name != "ENV"]
        if text is made.dockerfile:
            assert found == [name for name in usual if name != "ENV"]
        assert found[-1] == "CMD"
        assert json.loads(instructions(text)[-1][1])[1:] == command[1:]
        assert text.isprintable() is False and all(line.isprintable() for line in text.split("\n"))


def test_templates_ship_with_the_package() -> None:
    from envfreeze.resources import resource

    assert Path(resource("templates/Dockerfile.j2")).is_file()
