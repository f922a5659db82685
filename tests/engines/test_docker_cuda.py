"""CUDA copied from another image, on a real engine; a small image stands for NVIDIA's."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from envfreeze.engines import _docker_build
from envfreeze.engines._docker_client import connect
from envfreeze.engines.docker import ENGINE
from envfreeze.errors import EnvironmentFailure
from envfreeze.progress import Silent
from envfreeze.recipe.base_image import choose
from envfreeze.recipe.render import render
from envfreeze.records.environment import Cuda, GpuLibrary, Interpreter
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import BaseImage, CudaImage, Recipe
from envfreeze.records.run import Gpus, Image, Job
from envfreeze.store import Store

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]

INTERPRETER = Interpreter(implementation="CPython", version="3.11.7", libc="glibc 2.36")
LIB = "/usr/local/cuda-12.4/targets/x86_64-linux/lib"
LOCK = Lock(
    envfreeze_lock=1,
    interpreter=INTERPRETER,
    cuda=Cuda(
        used=True,
        toolkit="12.4",
        libraries=(
            GpuLibrary(name="cublas", version="12.4.5.8", origin="system", path=f"{LIB}/libcublas.so"),
        ),
    ),
)


def compile_library(folder: Path, name: str, soname: str, number: int) -> None:
    folder.mkdir(parents=True)
    (folder / "x.c").write_text(f"int number(void) {{ return {number}; }}")
    words = ["cc", "-shared", "-o", folder / name, folder / "x.c", f"-Wl,-soname,{soname}"]
    subprocess.run(words, check=True)
    (folder / "x.c").unlink()
    (folder / soname).symlink_to(name)


@pytest.fixture(scope="module")
def toolkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with a toolkit and cuDNN where NVIDIA's images have them; its name."""
    context = tmp_path_factory.mktemp("toolkit")
    compile_library(context / "root" / LIB[1:], "libcublas.so.12.4.5.8", "libcublas.so.12", 12)
    (context / "root/usr/local/cuda-12.4/lib64").symlink_to("targets/x86_64-linux/lib")
    compile_library(context / "root/usr/lib/x86_64-linux-gnu", "libcudnn.so.9.1.0", "libcudnn.so.9", 9)
    (context / "Dockerfile").write_text("FROM debian:bookworm-slim\nCOPY root /\n")
    tag = f"envfreeze-test-cuda:{uuid.uuid4().hex[:12]}"
    client = connect()
    client.images.build(path=str(context), tag=tag)
    yield tag
    with contextlib.suppress(Exception):
        client.images.remove(tag, force=True)
    client.close()


def image_of(recipe: Recipe, store: Store) -> Iterator[Image]:
    yield ENGINE.build(recipe, store, progress=Silent())
    client = connect()
    with contextlib.suppress(Exception):
        client.images.remove(_docker_build.tag(recipe), force=True)
    client.close()


@pytest.fixture(scope="module")
def image(toolkit: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    store = Store(tmp_path_factory.mktemp("project"))
    store.create()
    base, _ = choose(Lock(envfreeze_lock=1, interpreter=INTERPRETER), ENGINE)
    base = BaseImage(
        reference=base.reference, digest=base.digest, cuda=CudaImage(reference=toolkit, why="It ran")
    )
    yield from image_of(render(LOCK, base), store)


def test_loader_finds_what_was_copied(image: Image, tmp_path: Path) -> None:
    code = (
        "import ctypes, os\n"
        "for name in ('libcublas.so.12', 'libcudnn.so.9'):\n"
        "    print(name, ctypes.CDLL(name).number())\n"
        "print(os.readlink('/usr/local/cuda'), 'NVIDIA_VISIBLE_DEVICES' in os.environ)\n"
    )
    job = Job(command=("python", "-c", code), directory="/p", project="/p")
    store, folder = Store(tmp_path / "project"), tmp_path / "run"
    (tmp_path / "project").mkdir()
    store.create()
    (folder / "outputs").mkdir(parents=True)
    result = ENGINE.run(image, job, store, folder, progress=Silent())
    assert result.exit_status == 0, (folder / "stderr").read_text()
    assert (folder / "stdout").read_text() == "libcublas.so.12 12\nlibcudnn.so.9 9\ncuda-12.4 False\n"


def test_gpus_of_an_engine_that_has_none(image: Image, tmp_path: Path) -> None:
    client = connect()
    has_some = "nvidia" in str(client.info())
    client.close()
    if has_some:
        pytest.skip("this engine has GPUs")
    job = Job(command=("true",), directory="/p", project="/p", gpus=Gpus())
    store, folder = Store(tmp_path / "project"), tmp_path / "run"
    (tmp_path / "project").mkdir()
    store.create()
    (folder / "outputs").mkdir(parents=True)
    with pytest.raises(EnvironmentFailure, match="cannot give a GPU"):
        ENGINE.run(image, job, store, folder, progress=Silent())
