"""What tapes cost, beside the same programs without them; writes its table into benchmarks/README.md.

    python benchmarks/tapes.py [--rounds N] [--no-table]

Programs are run in turn: bare, recorded, replayed, bare, …; the table holds medians of seconds and of ratios
by round, as a machine's speed drifts. No test asserts any of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from envfreeze.observer import inject, tapes

ROOT = Path(__file__).parent.parent
START, END = "<!-- tapes results -->", "<!-- end of tapes results -->"

READS = "import time\nread = time.perf_counter\nfor _ in range(10_000_000): read()"
DRAWS = "import os\nfor _ in range(200_000): os.urandom(16)"
WORK = "total = 0\nfor i in range(8_000_000): total += i * i"
START_UP = "import subprocess\nfor _ in range(300): subprocess.run(['/bin/true'])"


class Program(NamedTuple):
    """What is run, and by how much its result is divided for the table (300 starts in one run)."""

    name: str
    code: str
    parts: int = 1


PROGRAMS = (
    Program("10 million `perf_counter()`", READS),
    Program("200,000 `os.urandom(16)`", DRAWS),
    Program("a loop that asks for neither", WORK),
    Program("one start of `/bin/true`, by `subprocess.run`", START_UP, 300),
)


class Result(NamedTuple):
    """Seconds, ratios to the bare run, and bytes on the tapes."""

    program: Program
    bare: float
    recorded: float
    replayed: float
    record_ratio: float
    replay_ratio: float
    size: int


def timed(code: str, variables: Mapping[str, str]) -> float:
    """Wall-clock seconds of a Python program."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **variables})
    return time.perf_counter() - start


def measure(program: Program, rounds: int) -> Result:
    """Time one program bare, recorded and replayed, in turn."""
    library = inject.shim()
    if library is None:
        raise SystemExit("This installation has no shim: reinstall with a C compiler.")
    times: list[tuple[float, float, float]] = []
    size = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder, state = Path(name) / "tapes", Path(name) / "state"
            state.mkdir()
            shim = {"LD_PRELOAD": str(library)}
            bare = timed(program.code, {})
            recorded = timed(program.code, tapes.prepare(folder) | shim)
            size = sum(path.stat().st_blocks * 512 for path in folder.glob("*.tape"))
            told = {"ENVFREEZE_TAPE": "replay", "ENVFREEZE_TAPES": str(folder)}
            told |= {"ENVFREEZE_TAPE_STATE": str(state), **tapes.first_process()}
            times.append((bare, recorded, timed(program.code, told | shim)))
    return Result(
        program,
        statistics.median(bare for bare, _, _ in times) / program.parts,
        statistics.median(recorded for _, recorded, _ in times) / program.parts,
        statistics.median(replayed for _, _, replayed in times) / program.parts,
        statistics.median(recorded / bare for bare, recorded, _ in times),
        statistics.median(replayed / bare for bare, _, replayed in times),
        size,
    )


def table(results: list[Result]) -> str:
    """The results as Markdown."""
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| program | bare | recorded | replayed | recorded / bare | replayed / bare | tapes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in results:
        unit, scale = ("ms", 1000) if one.program.parts > 1 else ("s", 1)
        seconds = [f"{value * scale:.2f} {unit}" for value in (one.bare, one.recorded, one.replayed)]
        ratios = [f"{one.record_ratio:.2f}", f"{one.replay_ratio:.2f}"]
        cells = [one.program.name, *seconds, *ratios, f"{one.size / 1e6:.1f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def put_into_readme(text: str) -> None:
    """Replace the table in benchmarks/README.md; add its section when there is none yet."""
    path = ROOT / "benchmarks" / "README.md"
    content = path.read_text()
    if START not in content:
        content = content.rstrip() + (
            "\n\n## Tapes\n`python benchmarks/tapes.py` runs programs without tapes, recorded and replayed.\n"
            f"\n{START}\n{END}\n"
        )
    before, _, rest = content.partition(START)
    path.write_text(f"{before}{START}\n{text}\n{END}{rest.partition(END)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-table", action="store_true", help="Leave benchmarks/README.md as it is.")
    arguments = parser.parse_args()
    text = table([measure(program, arguments.rounds) for program in PROGRAMS])
    print(text)
    if not arguments.no_table:
        put_into_readme(text)


if __name__ == "__main__":
    main()
