"""Taking data into the store, beside ``sha256sum``, ``b3sum`` and ``cp -r`` of the same files.

    python benchmarks/store.py [--scale 0.1] [--folder FOLDER] [--no-table]

Two shapes: 10 files of 1 GB, and 100,000 files of 100 kB, 10 GB each at scale 1. Each is taken into an empty
store, and again without any change. The disk cache is warm, as ``sha256sum`` runs first. The table goes into
benchmarks/README.md. No test asserts any of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
START, END = "<!-- store results -->", "<!-- end of store results -->"

_TAKE = """
import json, os, resource, sys, time
from pathlib import Path
from envfreeze.snapshot import Taken, take
from envfreeze.store import Store
sources = sorted(str(path) for path in Path(sys.argv[1]).rglob("*") if path.is_file())
store = Store(Path(sys.argv[2]))
began = time.perf_counter()
found = take(sources, store)
seconds = time.perf_counter() - began
assert all(isinstance(item, Taken) for item in found) and len(found) == len(sources)
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


class Shape(NamedTuple):
    """How much data in how many files."""

    name: str
    files: int
    size: int


class Result(NamedTuple):
    """Seconds of each step, and the most memory (MiB) that one of ours took."""

    shape: Shape
    sums: float
    blake3: float | None
    """None where there is no ``b3sum``."""
    copy: float
    first: float
    again: float
    memory: float


def make(shape: Shape, folder: Path) -> None:
    """Files of which no two are alike."""
    generator = random.Random(0)
    block = generator.randbytes(1 << 20)
    for number in range(shape.files):
        path = folder / f"{number // 1000:03}" / f"{number:06}"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as stream:
            stream.write(number.to_bytes(16, "little"))
            for left in range(shape.size - 16, 0, -len(block)):
                stream.write(block[: min(left, len(block))])


def summed(program: str, folder: Path) -> float:
    """Seconds of ``sha256sum`` or ``b3sum`` over all files, as a user would."""
    began = time.perf_counter()
    find = subprocess.Popen(["find", folder, "-type", "f", "-print0"], stdout=subprocess.PIPE)
    subprocess.run(["xargs", "-0", program], stdin=find.stdout, stdout=subprocess.DEVNULL, check=True)
    find.wait()
    return time.perf_counter() - began


def copy(folder: Path, target: Path) -> float:
    """Seconds of ``cp -r`` and the sync that makes the copy durable, as ours is."""
    began = time.perf_counter()
    subprocess.run(["cp", "-r", folder, target], check=True)
    os.sync()
    return time.perf_counter() - began


def taken(folder: Path, project: Path) -> tuple[float, float]:
    """Seconds and MiB of one process that takes all files into the store of ``project``."""
    command = [sys.executable, "-c", _TAKE, folder, project]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    seconds, memory = json.loads(done.stdout)
    return float(seconds), float(memory)


def measure(shape: Shape, root: Path) -> Result:
    """All steps on one shape."""
    with tempfile.TemporaryDirectory(dir=root) as name:
        folder, project = Path(name) / "data", Path(name) / "project"
        folder.mkdir()
        project.mkdir()
        make(shape, folder)
        os.sync()
        summed("sha256sum", folder)
        sums = summed("sha256sum", folder)
        blake3 = summed("b3sum", folder) if shutil.which("b3sum") else None
        copied = copy(folder, Path(name) / "copy")
        shutil.rmtree(Path(name) / "copy")
        first, memory = taken(folder, project)
        again, more = taken(folder, project)
        return Result(shape, sums, blake3, copied, first, again, max(memory, more))


def table(results: list[Result]) -> Iterator[str]:
    """Lines of Markdown."""
    yield f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}."
    yield ""
    yield (
        "| data | `sha256sum` | `b3sum` | `cp -r; sync` | first freeze | of `sha256sum` and `cp` | again "
        "| of the first | memory |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for result in results:
        size = result.shape.files * result.shape.size / 1e9
        ratio = result.first / (result.sums + result.copy)
        yield (
            f"| {result.shape.name}, {size:.2f} GB | {result.sums:.2f} s "
            f"| {'' if result.blake3 is None else f'{result.blake3:.2f} s'} | {result.copy:.2f} s "
            f"| {result.first:.2f} s | {ratio:.2f} | {result.again:.3f} s "
            f"| {100 * result.again / result.first:.1f} % | {result.memory:.0f} MiB |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the sizes and of the number of small files"
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where to work")
    parser.add_argument("--no-table", action="store_true", help="print only")
    options = parser.parse_args()
    small = max(1, int(100_000 * options.scale))
    shapes = [
        Shape("10 large files", 10, max(16, int(1e9 * options.scale))),
        Shape(f"{small:,} small files", small, 100_000),
    ]
    lines = list(table([measure(shape, options.folder) for shape in shapes]))
    print("\n".join(lines))
    if not options.no_table:
        path = ROOT / "benchmarks" / "README.md"
        before, _, rest = path.read_text().partition(START)
        after = rest.partition(END)[2] or "\n"
        path.write_text(f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
