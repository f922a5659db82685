"""Bundles beside ReproZip's ``.rpz`` and ``docker save | zstd``: size, and time to pack and to unpack.

    python benchmarks/bundle.py [--name NAME --python PATH --script FILE] [--reprozip PATH] [--no-image]

``PATH`` is a Python with the packages of the script, which by default is examples/digits in an environment
that is made for it. What each holds differs, and is told in the table: only bundles hold original outputs,
claims and digests; only ``.rpz`` holds every file that was opened, and thus no index is needed. The table
goes into benchmarks/README.md; rows of other names stay. No test asserts any of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
ENVFREEZE = [sys.executable, "-m", "envfreeze"]
START, END = "<!-- bundle results -->", "<!-- end of bundle results -->"


class Result(NamedTuple):
    """Bytes of the packed file, and seconds to make it and to take it apart."""

    project: str
    way: str
    size: int
    packing: float
    unpacking: float
    needs: str


def timed(command: list[str] | str, folder: Path) -> float:
    """Wall-clock seconds of a command; a text goes to the shell."""
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, shell=isinstance(command, str), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


def bundles(name: str, project: Path, image: bool) -> Iterator[Result]:
    """The bundle alone, with wheels, and with the image, which is built beforehand."""
    ways = [("envfreeze pack", [], "index and registry")]
    ways.append(("envfreeze pack --with-wheels", ["--with-wheels"], "registry, or Python"))
    if image:
        timed([*ENVFREEZE, "build"], project)
        ways.append(("envfreeze pack --with-image", ["--with-image"], "nothing"))
    for way, options, needs in ways:
        target = project.parent / "paper.zip"
        # Wheels come from the index once, and then from this user's cache.
        timed([*ENVFREEZE, "pack", "-q", "-o", str(target), *options], project)
        packing = timed([*ENVFREEZE, "pack", "-q", "-o", str(target), *options], project)
        unpacking = timed([*ENVFREEZE, "unpack", "-q", str(target), str(project.parent / "out")], project)
        yield Result(name, way, target.stat().st_size, packing, unpacking, needs)
        shutil.rmtree(project.parent / "out")
        target.unlink()


def saved(name: str, project: Path) -> Result:
    """The same image by Docker's own means; it holds neither code nor data nor results."""
    lock = (project / "Dockerfile").read_text()
    tag = "envfreeze:" + lock.partition('envfreeze.environment-id="')[2][:16]
    packing = timed(f"docker save {tag} | zstd -q -f -3 -T0 -o ../image.tar.zst", project)
    size = (project.parent / "image.tar.zst").stat().st_size
    unpacking = timed("zstd -q -d -f ../image.tar.zst -o ../image.tar", project)
    for part in ("image.tar.zst", "image.tar"):
        (project.parent / part).unlink()
    return Result(name, "`docker save` and `zstd -3`, environment only", size, packing, unpacking, "nothing")


def reprozip(name: str, project: Path, program: str, command: list[str]) -> Result:
    """The trace is not timed: benchmarks/overhead.py does that."""
    timed([program, "usage_report", "--disable"], project)
    timed([program, "trace", "-w", *command], project)
    target = project.parent / "paper.rpz"
    packing = timed([program, "pack", str(target)], project)
    (project.parent / "rpz").mkdir()
    unpacking = timed("tar -xf ../paper.rpz -C ../rpz && tar -xzf ../rpz/DATA.tar.gz -C ../rpz", project)
    shutil.rmtree(project.parent / "rpz")
    return Result(
        name, "ReproZip `.rpz`", target.stat().st_size, packing, unpacking, "Linux of the same kind"
    )


def environment(folder: Path, requirements: Path) -> str:
    """A virtual environment of its own with the example's packages."""
    timed([sys.executable, "-m", "venv", str(folder)], folder.parent)
    python = str(folder / "bin" / "python")
    timed([python, "-m", "pip", "install", "-q", "-r", str(requirements)], folder.parent)
    return python


def table(results: list[Result]) -> None:
    """Put the rows into benchmarks/README.md in place of those of the same project."""
    path = ROOT / "benchmarks" / "README.md"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    old, _, after = rest.partition(END)
    names = {result.project for result in results}
    kept = [
        line for line in old.splitlines() if line.startswith("| ") and line.split("|")[1].strip() not in names
    ]
    kept = [line for line in kept if not line.startswith(("| project", "| ---"))]
    rows = [
        f"| {one.project} | {one.way} | {one.size / 1e6:.1f} MB | {one.packing:.2f} s "
        f"| {one.unpacking:.2f} s | {one.needs} |"
        for one in results
    ]
    head = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.\n\n"
    head += (
        "| project | way | size | pack | unpack | needs to run |\n| --- | --- | ---: | ---: | ---: | --- |\n"
    )
    path.write_text(
        f"{before}{START}\n{head}" + "\n".join([*kept, *rows]) + f"\n{END}{after}", encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", default="scikit-learn: examples/digits")
    parser.add_argument("--python")
    parser.add_argument("--script", type=Path, default=ROOT / "examples" / "digits" / "train.py")
    parser.add_argument("--reprozip", default=shutil.which("reprozip"))
    parser.add_argument("--no-image", action="store_true")
    parser.add_argument("--no-table", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "project"
        shutil.copytree(options.script.parent, project)
        python = options.python or environment(Path(name) / "environment", project / "requirements.txt")
        command = [python, options.script.name]
        timed([*ENVFREEZE, "freeze", "-q", "--", *command], project)
        results = list(bundles(options.name, project, not options.no_image))
        if not options.no_image and shutil.which("zstd"):
            results.append(saved(options.name, project))
        if options.reprozip:
            results.append(reprozip(options.name, project, options.reprozip, command))
    for result in results:
        print(result)
    if not options.no_table:
        table(results)


if __name__ == "__main__":
    main()
