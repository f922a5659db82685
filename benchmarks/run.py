"""Benchmarks, each beside a floor or a peer in the same run; writes the table of benchmarks/README.md.

    python benchmarks/run.py [--only NAME] [--rounds N]

Commands are timed in turn (A B A B …), so that a machine whose speed drifts treats both alike; the table
holds medians of seconds and of the ratio pair by pair. No test asserts any of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
ENVFREEZE = [sys.executable, "-m", "envfreeze"]
START, END = "<!-- results -->", "<!-- end of results -->"


class Result(NamedTuple):
    """One comparison: seconds of ours and of the floor or peer, and ours divided by it."""

    name: str
    ours: float
    beside: str
    theirs: float
    ratio: float


def timed(command: list[str], folder: Path) -> float:
    """Wall-clock seconds of a whole process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def pair(
    name: str, ours: list[str], beside: str, theirs: list[str], folder: Path, rounds: int, warmup: int = 1
) -> Result:
    """Time two commands in turn."""
    for _ in range(warmup):
        timed(ours, folder)
        timed(theirs, folder)
    pairs = [(timed(ours, folder), timed(theirs, folder)) for _ in range(rounds)]
    return Result(
        name,
        statistics.median(a for a, _ in pairs),
        beside,
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


@contextmanager
def digits() -> Iterator[tuple[Path, str]]:
    """The digits example in a folder and an environment of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "digits"
        shutil.copytree(ROOT / "examples" / "digits", folder)
        python = str(Path(name) / "venv" / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", Path(name) / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", folder / "requirements.txt"], check=True)
        yield folder, python


def startup(rounds: int) -> list[Result]:
    """``envfreeze --help`` beside an interpreter that does nothing."""
    bare = [sys.executable, "-c", "pass"]
    return [pair("`envfreeze --help`", [*ENVFREEZE, "--help"], "`python -c pass`", bare, ROOT, rounds)]


def static(rounds: int) -> list[Result]:
    """A freeze without a command, of the environment that these tests run in, beside ``pip inspect``."""
    with tempfile.TemporaryDirectory() as name:
        freeze = [*ENVFREEZE, "freeze", "--python", sys.executable]
        inspect = [sys.executable, "-m", "pip", "inspect"]
        return [pair("static freeze, warm", freeze, "`pip inspect`", inspect, Path(name), rounds)]


def overhead(rounds: int) -> list[Result]:
    """Freezing the digits example beside running it."""
    with digits() as (folder, python):
        watched = [*ENVFREEZE, "freeze", "--", python, "train.py"]
        bare = [python, "train.py"]
        return [pair("`freeze -- python train.py` (digits)", watched, "the bare run", bare, folder, rounds)]


def replaying(rounds: int) -> list[Result]:
    """Replaying the digits example beside a bare run in the same image or environment."""
    results = []
    with digits() as (folder, python):
        subprocess.run([*ENVFREEZE, "freeze", "-q", "--", python, "train.py"], cwd=folder, check=True)
        replay = [*ENVFREEZE, "replay", "-q", "--engine"]
        bare = [python, "train.py"]
        results.append(
            pair(
                "`replay --engine local`",
                [*replay, "local"],
                "the bare run",
                [python, "train.py"],
                folder,
                rounds,
            )
        )
        if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0:
            build = [*ENVFREEZE, "build", "--engine", "docker", "--json"]
            image = subprocess.run(build, cwd=folder, check=True, capture_output=True, text=True).stdout
            reference = image.split('"reference": "')[1].split('"')[0]
            bare = [
                "docker",
                "run",
                "--rm",
                "--network=none",
                "--user=0",
                "-v",
                f"{folder}:/code",
                "-w",
                "/code",
            ]
            bare += [reference, "python", "train.py"]
            docker = [*replay, "docker"]
            results.append(pair("`replay --engine docker`", docker, "`docker run`", bare, folder, rounds))
    return results


BENCHMARKS: dict[str, Callable[[int], list[Result]]] = {
    "startup": startup,
    "static": static,
    "overhead": overhead,
    "replay": replaying,
}


def table(results: list[Result]) -> str:
    """Markdown."""
    described = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = described[0].partition(":")[2].strip() if described else platform.machine()
    lines = [
        f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}; medians.",
        "",
        "| what | seconds | beside | seconds | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {r.name} | {r.ours:.3f} | {r.beside} | {r.theirs:.3f} | {r.ratio:.2f} |" for r in results]
    return "\n".join(lines)


def main() -> None:
    """Run the chosen benchmarks; with all of them, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    chosen = [arguments.only] if arguments.only else list(BENCHMARKS)
    results = [result for name in chosen for result in BENCHMARKS[name](arguments.rounds)]
    text = table(results)
    print(text)
    if not arguments.only:
        readme = Path(__file__).parent / "README.md"
        before, _, rest = readme.read_text().partition(START)
        after = rest.partition(END)[2]
        readme.write_text(f"{before}{START}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
