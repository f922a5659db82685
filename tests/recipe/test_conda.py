"""The conda part of a recipe, and that nothing of a lock gets out of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from envfreeze.errors import InputError
from envfreeze.recipe._conda import conda_recipe, packages_text, tool_image, uses_conda
from envfreeze.recipe.base_image import choose
from envfreeze.recipe.context import write_project
from envfreeze.recipe.render import render
from envfreeze.recipe.system_packages import missing_from
from envfreeze.records.environment import (
    CondaEnvironment,
    CondaPackage,
    Interpreter,
    Package,
    System,
    SystemPackage,
)
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage
from envfreeze.resources import resource
from envfreeze.store import Store

BASE = BaseImage(reference="debian:bookworm-slim")
FORGE = "https://conda.anaconda.org/conda-forge/linux-64"


def package(name: str, **fields: object) -> CondaPackage:
    known = {"version": "1.0", "build": "h0_0", "md5": "0" * 32, "sha256": "1" * 64}
    url = f"{FORGE}/{name}-1.0-h0_0.conda"
    return CondaPackage(**({"name": name, "url": url} | known | fields))  # type: ignore[arg-type]


def lock(*packages: CondaPackage, prefix: str = "/opt/conda/envs/mine", **more: object) -> Lock:
    interpreter = Interpreter(
        implementation="CPython", version="3.8.1", platform="linux-x86_64", libc="glibc 2.31", prefix=prefix
    )
    conda = CondaEnvironment(name="ml", prefix=prefix, packages=packages or (package("python"),))
    return Lock(**({"envfreeze_lock": 1, "interpreter": interpreter, "conda": conda} | more))  # type: ignore[arg-type]


PIPS = Package(name="x", version="1", source="index", sha256="a" * 64, file="x-1-py3-none-any.whl")
CONDAS = Package(name="numpy", version="2", source="conda")


def test_dockerfile_links_first_and_installs_with_pip_afterwards() -> None:
    text = render(lock(package("python"), package("pip"), packages=(PIPS, CONDAS)), BASE).dockerfile
    tool, link, pip, base, copy = map(
        text.index,
        (
            "FROM python:3.11-slim-bookworm AS conda",
            "conda/install.py --link-scripts /opt/conda/envs/mine",
            "RUN /opt/conda/envs/mine/bin/python -m pip install",
            "FROM debian:bookworm-slim",
            "COPY --from=conda /opt/conda/envs/mine /opt/conda/envs/mine",
        ),
    )
    assert tool < link < pip < base < copy
    assert "--require-hashes" in text and "--mount" not in text
    assert "\n\n\n" not in text and "USER 1000:1000" in text


def test_what_conda_installed_is_not_asked_of_an_index() -> None:
    recipe = render(lock(packages=(PIPS, CONDAS)), BASE)
    assert "x==1" in recipe.requirements and "numpy" not in recipe.requirements


def test_without_packages_of_pip_there_is_no_such_step() -> None:
    recipe = render(lock(packages=(CONDAS,)), BASE)
    assert "/tmp/envfreeze/requirements.txt" not in recipe.dockerfile + recipe.dockerfile_buildkit


def test_environment_without_pip_gets_its_packages_from_outside() -> None:
    text = render(lock(packages=(PIPS,)), BASE).dockerfile
    assert "RUN pip --python /opt/conda/envs/mine/bin/python install" in text


@pytest.mark.parametrize(
    ("recorded", "in_image"),
    [
        ("/opt/conda", "/opt/conda"),
        ("/opt/conda/envs/x", "/opt/conda/envs/x"),
        ("/opt/miniforge3", "/opt/conda/envs/ml"),
        ("/home/somebody/miniforge3/envs/ml", "/opt/conda/envs/ml"),
        ("/root/micromamba/envs/ml", "/opt/conda/envs/ml"),
        ("/opt/conda/x; rm -rf /", "/opt/conda/envs/ml"),
        ("/opt/conda/../../etc", "/opt/conda/envs/ml"),
        ("/opt/conda/a\nRUN evil", "/opt/conda/envs/ml"),
        ("", "/opt/conda/envs/ml"),
    ],
)
def test_prefix_names_no_home_folder(recorded: str, in_image: str) -> None:
    recipe = conda_recipe(lock(prefix=recorded))
    assert recipe is not None
    assert recipe.prefix == in_image


def test_hostile_name_is_not_in_the_prefix() -> None:
    conda = CondaEnvironment(name="a b; evil", prefix="", packages=(package("python"),))
    recipe = conda_recipe(lock(conda=conda))
    assert recipe is not None and recipe.prefix == "/opt/conda"


@pytest.mark.parametrize(
    "fields",
    [
        {"url": f"{FORGE}/x\n- evil.conda"},
        {"url": f"{FORGE}/../../x-1.0-h0_0.conda"},
        {"url": f"{FORGE}/$(id)-1.0-h0_0.conda"},
        {"url": "ftp://conda.example/x-1.0-h0_0.conda"},
        {"url": ""},
        {"build": "0\n@EXPLICIT"},
        {"version": "1; evil"},
        {"md5": "", "sha256": ""},
        {"vendored": True, "sha256": ""},
    ],
)
def test_hostile_package(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match="no usable address"):
        render(lock(package("python"), package("x", **fields)), BASE)


def test_package_of_a_folder_that_is_not_in_the_store() -> None:
    with pytest.raises(InputError, match=r"came from a folder.*: x\."):
        render(lock(package("python"), package("x", url="file:///channel/noarch/x-1.0-0.conda")), BASE)


def test_environment_without_python() -> None:
    with pytest.raises(InputError, match="no Python"):
        render(lock(package("x")), BASE)


def test_explicit_file() -> None:
    recipe = conda_recipe(
        lock(
            package("python"),
            package("b", sha256="", url=f"{FORGE}/b-1.0-h0_0.tar.bz2"),
            package("a", url="file:///home/somebody/channel/noarch/a-1.0-h0_0.conda", vendored=True),
        )
    )
    assert recipe is not None
    assert packages_text(recipe).splitlines()[1:] == [
        "@EXPLICIT",
        f"packages/a-1.0-h0_0.conda#sha256:{'1' * 64}",
        f"{FORGE}/b-1.0-h0_0.tar.bz2#{'0' * 32}",
        f"{FORGE}/python-1.0-h0_0.conda#sha256:{'1' * 64}",
    ]


def test_identity_is_of_the_packages() -> None:
    first = render(lock(), BASE).environment_id
    assert render(lock(), BASE).environment_id == first
    assert render(lock(package("python", sha256="2" * 64)), BASE).environment_id != first


def test_virtual_environment_on_conda_is_an_ordinary_one() -> None:
    frozen = lock()
    interpreter = msgspec.structs.replace(frozen.interpreter, prefix="/home/a/venv")
    frozen = msgspec.structs.replace(frozen, interpreter=interpreter, packages=(PIPS,))
    assert not uses_conda(frozen)
    assert render(frozen, BaseImage(reference="python:3.8.1-slim-buster")).conda is None
    assert uses_conda(msgspec.structs.replace(frozen, packages=(PIPS, CONDAS))), "system-site-packages"


def test_base_is_debian_alone() -> None:
    base, gaps = choose(lock(), None)
    assert (base.reference, gaps) == ("debian:bullseye-slim", ())


@pytest.mark.parametrize(
    ("base", "tool"),
    [
        ("debian:bookworm-slim", "python:3.11-slim-bookworm"),
        ("python:3.11.7-slim-bullseye", "python:3.11-slim-bullseye"),
        ("somewhere/else:1", "python:3.11-slim"),
    ],
)
def test_tool_has_the_same_debian(base: str, tool: str) -> None:
    assert tool_image(base) == tool


def test_bare_debian_lacks_what_images_of_python_have() -> None:
    owners = tuple(
        SystemPackage(name=name, version="1", manager="dpkg") for name in ("libssl3", "libc6", "libgl1")
    )
    system = System(distribution="debian 12", packages=owners)
    assert _names(BASE, system) == ["libgl1", "libssl3"]
    assert _names(BaseImage(reference="python:3.11.7-slim-bookworm"), system) == ["libgl1"]
    assert _names(BaseImage(reference="debian:trixie-slim"), system) == []


def _names(base: BaseImage, system: System) -> list[str]:
    return [package.name for package in missing_from(base, system).packages]


def test_project_gets_what_the_dockerfile_copies(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = store.add_bytes(b"archive")
    vendored = package("a", url="file:///c/noarch/a-1.0-h0_0.conda", vendored=True, sha256=digest)
    write_project(render(lock(package("python"), vendored), BASE), store, tmp_path)
    folder = tmp_path / ".envfreeze" / "build" / "conda"
    assert sorted(path.name for path in folder.iterdir()) == [
        "install.py",
        "packages",
        "packages.txt",
        "tool.txt",
    ]
    assert (folder / "packages" / "a-1.0-h0_0.conda").read_bytes() == b"archive"
    assert (folder / "tool.txt").read_text().startswith("py-rattler==")
    plain = Lock(envfreeze_lock=1, interpreter=lock().interpreter, packages=(PIPS,))
    write_project(render(plain, BaseImage(reference="python:3.8.1-slim-buster")), store, tmp_path)
    assert not folder.exists()


def install(folder: Path, line: str, archive: bytes | None = b"archive") -> str:
    """What the script that links says when it cannot."""
    (folder / "packages").mkdir()
    (folder / "install.py").write_bytes(resource("templates/conda/install.py").read_bytes())
    (folder / "packages.txt").write_text(f"# comment\n@EXPLICIT\n{line}\n")
    if archive is not None:
        (folder / "packages" / "a-1-0.conda").write_bytes(archive)
    command = [sys.executable, folder / "install.py", folder / "out" / "env"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert not list((folder / "out").glob("*")), "nothing half-made is left"
    return done.stderr


def test_script_checks_digests(tmp_path: Path) -> None:
    said = install(tmp_path, f"packages/a-1-0.conda#sha256:{'1' * 64}")
    assert said == "conda packages: a-1-0.conda does not have the content that the lock records\n"


def test_script_wants_a_digest(tmp_path: Path) -> None:
    assert "does not have the content" in install(tmp_path, "packages/a-1-0.conda")


@pytest.mark.parametrize("address", ["packages/b-1-0.conda", "file:///etc/b-1-0.conda"])
def test_script_reads_no_other_files(tmp_path: Path, address: str) -> None:
    assert "is missing beside the Dockerfile" in install(tmp_path, f"{address}#{'0' * 32}")
