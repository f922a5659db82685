"""No string of a lock becomes an instruction or a command: rendered, and then built by the real builder."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.engines._docker_build import buildkit_client
from envfreeze.errors import InputError
from envfreeze.recipe._conda import packages_text
from envfreeze.recipe.command import portable
from envfreeze.recipe.context import write_context
from envfreeze.recipe.render import render
from envfreeze.recipe.variables import for_image, of_system
from envfreeze.records.environment import (
    CondaEnvironment,
    CondaPackage,
    Interpreter,
    Package,
    System,
    SystemPackage,
)
from envfreeze.records.files import FileEntry, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation
from envfreeze.records.recipe import BaseImage
from envfreeze.store import Store

STUB = "envfreeze-tests-stub:1-slim-bookworm"
CONTENT = b"content"
A = hashlib.sha256(CONTENT).hexdigest()
HOSTILE = [
    "\nRUN touch /evil\n",
    "x\nRUN touch /evil",
    "\\\nRUN touch /evil",
    "a\\",
    '"\nUSER evil\nENV A="',
    '" evil="1',
    "'; touch /evil; '",
    "; touch /evil #",
    "&& touch /evil",
    "| touch /evil",
    "$(touch /evil)",
    "`touch /evil`",
    "${IFS}touch${IFS}/evil",
    "${PATH}",
    "$PATH\\$PATH\\\\$PATH",
    "<<EOF\ntouch /evil\nEOF",
    "# syntax=docker/evil:1\nx",
    "# escape=`\nx`\n",
    "#",
    "\r\nRUN touch /evil\r\n",
    "\u2028RUN touch /evil",
    "\x85RUN touch /evil",
    "\x0bRUN touch /evil\x0c",
    "ONBUILD RUN touch /evil",
    "--mount=type=secret,id=evil",
    "--from=evil /etc/shadow",
    "--index-url=http://evil.invalid/",
    "../../evil",
    "x --hash=sha256:evil",
    '["sh", "-c", "touch /evil"]',
    "'\"'\"'",
    "{{ 7*7 }}evil{% raw %}",
    "%s%n",
    "é\u202eevil",
    "\x1b]0;evil\x07",
]


def frozen(conda: bool = False, hostile: tuple[str, ...] = ()) -> Lock:
    """A lock in which everything that a Dockerfile speaks of is there, with hostile texts where any are."""
    variables = {f"OMP_{number}": text for number, text in enumerate(hostile)}
    run = Observation(
        command=("/home/a/v/bin/python", "train.py", *hostile),
        directory="/home/a/p/sub",
        project="/home/a/p",
        environment={"TZ": "UTC", "OMP_NUM_THREADS": "2"} | variables,
        stdout=StreamEntry(sha256=A),
        stderr=StreamEntry(sha256=A),
    )
    packages = (
        Package(name="x", version="1", source="index", sha256=A, file="x-1.tar.gz"),
        Package(name="y", version="1", source="local", sha256=A, file="y-1-py3-none-any.whl", vendored=True),
        Package(name="z", version="1", source="url", sha256=A, url="https://z.invalid/z-1-py3-none-any.whl"),
    )
    system = [
        SystemPackage(name="libgomp1", version="12.2.0-14", manager="dpkg", installed="2024-01-31T10:15:00Z"),
        *(SystemPackage(name=text, version="1", manager="dpkg") for text in hostile),
        *(
            SystemPackage(name=f"lib{number}", version=text, installed=text, manager="dpkg")
            for number, text in enumerate(hostile)
        ),
    ]
    archive = CondaPackage(
        name="python", version="3.11.7", build="0", sha256=A,
        url="https://conda.invalid/linux-64/python-3.11.7-0.conda",
    )  # fmt: skip
    return Lock(
        envfreeze_lock=1,
        run=run,
        interpreter=Interpreter(implementation="CPython", version="3.11.7", platform="linux-x86_64"),
        packages=packages,
        conda=CondaEnvironment(name="ml", prefix="", packages=(archive,)) if conda else None,
        system=System(
            distribution="debian 12",
            packages=tuple(system),
            files=(FileEntry(path="/opt/own/lib/libown.so", sha256=A, size=len(CONTENT)),),
            library_path=("/opt/own/lib",),
            time_zone="Europe/Berlin",
        ),
        base=BaseImage(reference=STUB, why=" ".join(hostile) or "it ran"),
    )


def leaves(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in nested lists and mappings; a mapping's own names too, as (…, name, None)."""
    if isinstance(content, str):
        yield path
    for key, value in content.items() if isinstance(content, dict) else ():
        if path and path[-1] == "environment":
            yield (*path, key, None)
        yield from leaves(value, (*path, key))
    for number, value in enumerate(content) if isinstance(content, list) else ():
        yield from leaves(value, (*path, number))


def replaced(content: Any, path: tuple[Any, ...], text: str) -> Any:
    """The same with another text in one place."""
    if not path:
        return text
    if isinstance(content, list):
        return [
            replaced(value, path[1:], text) if at == path[0] else value for at, value in enumerate(content)
        ]
    if path[1:] == (None,):
        return {text if name == path[0] else name: value for name, value in content.items()}
    return {
        name: replaced(value, path[1:], text) if name == path[0] else value for name, value in content.items()
    }


BUILTINS = {conda: json.loads(msgspec.json.encode(frozen(conda))) for conda in (False, True)}
PLACES = [(conda, path) for conda, content in BUILTINS.items() for path in leaves(content)]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Instructions and their words as the builder reads them: by line feeds alone, comments left out."""
    assert not re.match(r"\s*#\s*[A-Za-z]+\s*=", dockerfile), "a parser directive"
    joined, current = [], ""
    for line in dockerfile.split("\n"):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        current += line.removesuffix("\\")
        if not line.endswith("\\"):
            joined.append(current)
            current = ""
    assert not current
    return [(words[0], words[1]) for words in (line.split(None, 1) for line in joined)]


SKELETON = {
    (conda, name): [word for word, _ in instructions(getattr(render(frozen(conda), frozen().base), name))]
    for conda in (False, True)
    for name in ("dockerfile", "dockerfile_buildkit")
}
REQUIREMENT = re.compile(
    r"#.*|--no-index|--(extra-)?index-url https?://\S+|[a-z0-9-]+(==\S+| @ https?://\S+) --hash=sha256:\S{64}"
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    place=st.sampled_from(PLACES),
    text=st.sampled_from(HOSTILE) | st.text(max_size=8).map(lambda text: f"evil!{text}\nRUN {text}"),
    around=st.sampled_from(["{}", "x{}", "{}x", "https://h.invalid/{}", "/{}", "1{}"]),
)
def test_no_text_of_a_lock_is_an_instruction(
    place: tuple[bool, tuple[Any, ...]], text: str, around: str
) -> None:
    conda, path = place
    try:
        lock = msgspec.convert(replaced(BUILTINS[conda], path, around.format(text)), Lock)
        made = render(lock, lock.base)
    except (InputError, msgspec.ValidationError):
        return
    for name in ("dockerfile", "dockerfile_buildkit"):
        found = instructions(getattr(made, name))
        skeleton = SKELETON[made.conda is not None, name]
        varying = {"ENV", "RUN", "ADD"}
        assert [word for word, _ in found if word not in varying] == [
            word for word in skeleton if word not in varying
        ]
        assert sum(word == "RUN" for word, _ in found) <= skeleton.count("RUN")
        for word, rest in found:
            if word not in ("ENV", "LABEL", "CMD", "FROM"):
                assert "evil" not in rest, (word, rest)
    assert all(REQUIREMENT.fullmatch(line) for line in made.requirements.splitlines()), made.requirements
    for line in packages_text(made.conda).splitlines() if made.conda else ():
        assert re.fullmatch(r"#.*|@EXPLICIT|\S+", line)


TOOL = """\
#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" >> /said
echo >> /said
case " $* " in *=*) exit 1;; esac
"""
"""Stands for pip and apt-get: writes its words down; exact versions are not to be had."""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("stub")
    (folder / "tool").write_text(TOOL)
    (folder / "tool").chmod(0o755)
    (folder / "Dockerfile").write_text(
        "FROM debian:bookworm-slim\nCOPY tool /usr/local/bin/pip\nCOPY tool /usr/local/bin/apt-get\n"
        "COPY tool /usr/local/bin/python\nRUN mkdir -p /opt/conda/envs/ml\nENV KEPT=kept\n"
    )
    subprocess.run(["docker", "build", "-q", "-t", STUB, folder], check=True, capture_output=True)
    yield STUB
    subprocess.run(["docker", "image", "rm", "-f", STUB], check=True, capture_output=True)


WAYS = ["buildkit", "plain", "conda"]


@pytest.mark.engine
@pytest.mark.parametrize("way", WAYS)
def test_the_builder_makes_of_hostile_texts_what_they_are(way: str, stub: str, tmp_path: Path) -> None:
    """All of them in one image: variables, words of the command, packages, versions, comments."""
    build_and_check(way, stub, tmp_path, tuple(HOSTILE))


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_builder_makes_of_random_signs_what_they_are(seed: int, stub: str, tmp_path: Path) -> None:
    chance = random.Random(seed)
    parts = [
        *"\\\"'`$#{}()[]<>|&;!%=:,~*?^@\n\r\t\0 ",
        "${x}",
        "<<E",
        "RUN ",
        "evil ",
        "\\\n",
        "# escape=`\n",
        "é",
    ]
    texts = ("".join(chance.choices(parts, k=chance.randint(1, 12))) for _ in range(60))
    build_and_check(WAYS[seed % 3], stub, tmp_path, tuple(texts))


def build_and_check(way: str, stub: str, tmp_path: Path, texts: tuple[str, ...]) -> None:
    import docker

    store = Store(tmp_path)
    store.add_bytes(CONTENT)
    lock = frozen(way == "conda", texts)
    recipe = render(lock, lock.base)
    context = tmp_path / "context"
    context.mkdir()
    write_context(recipe, store, context, buildkit=way == "buildkit")
    dockerfile = context / "Dockerfile"
    dockerfile.write_text(re.sub(r"(?m)^FROM \S+ AS conda$", f"FROM {stub} AS conda", dockerfile.read_text()))
    program = buildkit_client(os.environ["PATH"])
    assert program is not None
    environment = os.environ | {"DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default"}
    tag = f"envfreeze-tests-injection:{way}"
    done = subprocess.run(
        [program, "build", "--no-cache", "-t", tag, context], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    client = docker.from_env()
    try:
        found = client.images.get(tag)
        check_image(found.attrs["Config"], lock, recipe.labels, conda=way == "conda")
        said = client.containers.run(
            tag, ["sh", "-c", "ls -d /evil* 2>/dev/null; cat /said"], entrypoint=[], remove=True, user="0:0"
        )
        check_said(said.decode())
    finally:
        client.images.remove(tag, force=True)
        client.close()


def check_image(config: dict[str, Any], lock: Lock, labels: dict[str, str], *, conda: bool) -> None:
    assert lock.run is not None
    variables = dict(text.split("=", 1) for text in config["Env"])
    wanted = for_image(lock.run.environment) | of_system(lock.system) | {"HOME": "/home/envfreeze"}
    assert len(wanted) > 15
    assert {name: variables[name] for name in wanted} == wanted
    assert set(variables) - set(wanted) == {"PATH", "KEPT", *(["LANG", "CONDA_PREFIX"] if conda else [])}
    assert config["Labels"] == labels
    assert config["Cmd"] == [word.encode("utf-8", "replace").decode() for word in portable(lock.run.command)]
    assert (config["WorkingDir"], config["User"]) == ("/workspace/sub", "1000:1000")
    assert not config["Entrypoint"] and not config.get("OnBuild") and not config.get("Volumes")


def check_said(text: str) -> None:
    calls = [line.split("\0")[:-1] for line in text.splitlines()]
    assert {call[0] for call in calls} <= {"apt-get", "pip", "python"}
    assert [call for call in calls if call[:2] == ["apt-get", "install"]], calls
    for call in calls:
        assert all(re.fullmatch(r"[A-Za-z0-9./:=+~_-]+", word) for word in call if call[0] == "apt-get"), call
        assert not any("evil" in word for word in call), call
