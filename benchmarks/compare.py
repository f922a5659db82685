"""``envfreeze diff`` beside ``cmp`` and ``diff -rq`` of the same files, which are equal.

    python benchmarks/compare.py [--scale 0.2] [--folder FOLDER] [--no-table]

Two shapes: one array of 10 GB, and 100,000 files of 1 kB, at scale 1. The disk cache is warm where memory
suffices. The table goes into benchmarks/README.md. No test asserts any of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- compare results -->", "<!-- end of compare results -->"

_DIFF = """
import json, sys, time
from pathlib import Path
from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets, side_of_folder
began = time.perf_counter()
found = compare_sets(side_of_folder(Path(sys.argv[1])), side_of_folder(Path(sys.argv[2])), Options())
seconds = time.perf_counter() - began
assert found.verdict == sys.argv[3], found.verdict
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([seconds, int(peak.split()[1]) / 1024]))
"""


def ours(one: Path, two: Path, verdict: str = "identical") -> tuple[float, float]:
    """Seconds and MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _DIFF, str(one), str(two), verdict], check=True, capture_output=True, text=True
    )
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


def seconds_of(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def best(measure: Callable[[], float], times: int = 3) -> float:
    return min(measure() for _ in range(times))


def large(folder: Path, scale: float) -> str:
    """An array against itself, and against one in which the last element moved by one step."""
    import numpy

    one, two = folder / "a.npy", folder / "b.npy"
    count = int(10e9 * scale) // 8
    array = numpy.lib.format.open_memmap(one, "w+", "f8", (count,))
    generator, block = numpy.random.default_rng(0), 1 << 22
    for start in range(0, count, block):
        array[start : start + block] = generator.random(min(block, count - start))
    del array
    shutil.copyfile(one, two)
    peer = best(lambda: seconds_of("cmp", str(one), str(two)))
    runs = [ours(one, two) for _ in range(3)]
    took, memory = min(runs)
    changed = numpy.load(two, mmap_mode="r+")
    changed[-1] = numpy.nextafter(changed[-1], 2.0)
    del changed
    close, close_memory = ours(one, two, "close")
    size = count * 8 / 1e9
    return (
        f"| one array, {size:.1f} GB, equal | `cmp` | {peer:.2f} s | {took:.2f} s | {peer / took:.2f} "
        f"| {memory:.0f} MiB |\n"
        f"| the same, one element moved | | | {close:.2f} s | | {close_memory:.0f} MiB |\n"
    )


def small(folder: Path, scale: float) -> str:
    count = int(100_000 * scale)
    sides = [folder / "one", folder / "two"]
    for side in sides:
        for number in range(count):
            path = side / f"{number % 100:02d}" / f"{number:06d}.txt"
            if number < 100:
                path.parent.mkdir(parents=True)
            path.write_bytes(number.to_bytes(8, "big") * 128)
    peer = best(lambda: seconds_of("diff", "-rq", str(sides[0]), str(sides[1])))
    took, memory = min(ours(sides[0], sides[1]) for _ in range(3))
    return (
        f"| {count:,} files of 1 kB, equal | `diff -rq` | {peer:.2f} s | {took:.2f} s | {peer / took:.2f} "
        f"| {memory:.0f} MiB |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-table", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="envfreeze-", dir=arguments.folder) as name:
        rows = small(Path(name), arguments.scale) + large(Path(name), arguments.scale)
    table = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.\n\n"
        "| data | peer | its time | ours | peer / ours | memory |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |\n" + rows
    )
    print(table)
    if not arguments.no_table:
        readme = ROOT / "benchmarks" / "README.md"
        head, rest = readme.read_text().split(START)
        readme.write_text(head + START + "\n" + table + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
