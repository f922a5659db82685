"""What a bundle's environment needs from elsewhere, as ``verify`` names it for each engine."""

from __future__ import annotations

import platform

import msgspec
import pytest

from envfreeze.bundle.needs import CONTAINERS, LOCAL, of_environment
from envfreeze.records.artifact import BundledEnvironment
from envfreeze.records.environment import Interpreter, Package, System, SystemPackage
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage

DIGEST = "ab" * 32
ENVIRONMENT = BundledEnvironment(folder="environments/x", environment_id=DIGEST, python="3.11.7")
NUMPY = Package(
    name="numpy",
    version="2.1.0",
    source="index",
    file="numpy-2.1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    sha256=DIGEST,
    url="https://files.pythonhosted.org/numpy.whl",
)
TOOL = Package(
    name="tool", version="1", source="index", file="tool-1.tar.gz", sha256="cd" * 32, url="https://x/tool"
)


def lock(*packages: Package, python: str = platform.python_version()) -> Lock:
    return Lock(
        envfreeze_lock=1,
        interpreter=Interpreter(implementation="CPython", version=python),
        packages=packages,
        system=System(
            distribution="debian 12",
            packages=(
                SystemPackage(
                    name="libnowhere1", version="12", manager="dpkg", libraries=("/no/libnowhere.so.1",)
                ),
                SystemPackage(name="libc6", version="2.36", manager="dpkg", libraries=("/bin/sh",)),
            ),
        ),
        base=BaseImage(reference="python:3.11.7-slim-bookworm"),
    )


def needs(lock: Lock, engine: str, environment: BundledEnvironment = ENVIRONMENT) -> dict[str, str]:
    found = list(of_environment(environment, lock, (engine,)))
    assert found and all(item.what.startswith(f"engine {engine}, environments/x: ") for item in found)
    return {item.what.split(": ", 1)[1]: item.why for item in found if item.level == "missing"}


def test_docker_needs_base_image_packages_and_a_compiler() -> None:
    found = needs(lock(NUMPY, TOOL), CONTAINERS)
    assert list(found) == [
        "the base image python:3.11.7-slim-bookworm",
        "packages of the system (libnowhere1, g++, gcc, make)",
        "packages (numpy, tool)",
    ]
    assert "pack --with-wheels" in found["packages (numpy, tool)"]


def test_what_travels_along_is_not_needed() -> None:
    vendored = msgspec.structs.replace(NUMPY, vendored=True)
    assert "packages (numpy)" not in needs(lock(vendored), CONTAINERS)
    image = msgspec.structs.replace(ENVIRONMENT, image=True)
    assert needs(lock(NUMPY, TOOL), CONTAINERS, image) == {}


def test_the_local_engine_needs_python_libraries_and_packages_of_this_machine() -> None:
    image = msgspec.structs.replace(ENVIRONMENT, image=True)
    found = needs(lock(NUMPY, TOOL, python="3.1.4"), LOCAL, image)
    assert list(found) == [
        "CPython 3.1.4",
        "libraries of the system (libnowhere1)",
        "a compiler",
        "packages (numpy, tool)",
    ]
    assert "uv python install 3.1.4" in found["CPython 3.1.4"]


def test_a_lock_that_cannot_be_built_is_named() -> None:
    broken = msgspec.structs.replace(NUMPY, source="unknown")
    (found,) = of_environment(ENVIRONMENT, lock(broken), (CONTAINERS,))
    assert found.level == "missing" and "numpy" in found.why


@pytest.mark.parametrize("engine", [CONTAINERS, LOCAL])
def test_nothing_is_needed_when_all_is_there(engine: str) -> None:
    bare = msgspec.structs.replace(lock(), system=System())
    environment = msgspec.structs.replace(ENVIRONMENT, image=True)
    (found,) = of_environment(environment, bare, (engine,))
    assert found.level == "ok"
