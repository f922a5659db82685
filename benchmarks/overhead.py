"""What watching costs a run, beside the bare run and tracers; its table goes into benchmarks/README.md.

    python benchmarks/overhead.py [--python PATH] [--reprozip PATH] [--rounds N] [--only NAME] [--no-table]

Every round runs a program bare, frozen (profile ``recorded``, the default), frozen with ``--profile off``
and with ``--trace deep``, under ReproZip (``pip install reprozip``) and under ``strace -f --seccomp-bpf``,
in turn, as a machine's speed drifts; the tracers only in the first rounds, as they take long. The table
holds medians; ratios are of one round, and beside them stands the fastest run over the fastest bare one,
which a busy machine spoils less. *Run* is the time from the command's start to its end, *CPU* its processor
time; what a freeze does before and after is told apart. Of the tracers the whole time counts, with what
they can leave out afterwards left out.
The trainings work on one thread. No test asserts any of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from envfreeze.records import lockfile

ROOT = Path(__file__).parent.parent
START, END = "<!-- overhead results -->", "<!-- end of overhead results -->"
TRACERS = ("ReproZip", "strace")
TRACED_ROUNDS = 2
FILES = 50_000
STARTS = 20

SKLEARN = """
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
x, y = make_classification(20_000, 40, n_informative=20, random_state=0)
train, test, a, b = train_test_split(x, y, random_state=0)
for model in (RandomForestClassifier(90, random_state=0), HistGradientBoostingClassifier(max_iter=200),
              MLPClassifier((128, 64), max_iter=30, random_state=0)):
    print(type(model).__name__, model.fit(train, a).score(test, b), flush=True)
"""
TORCH = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
images, labels = torch.randn(2048, 1, 28, 28), torch.randint(10, (2048,))
net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
                    nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 11 * 11, 10))
optimizer = torch.optim.Adam(net.parameters())
for epoch in range(14):
    for x, y in DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item(), flush=True)
torch.save(net.state_dict(), "net.pt")
"""
READING = """
import os
total = 0
for folder, _, names in os.walk("data"):
    for name in names:
        with open(os.path.join(folder, name), "rb") as stream:
            total += len(stream.read())
print(total)
"""
STARTING = f"""
import subprocess, sys
for _ in range({STARTS}):
    subprocess.run([sys.executable, "-c", "pass"], check=True)
"""


class Program(NamedTuple):
    """What is run, on which files, and by how much its times are divided for the table."""

    name: str
    code: str
    needs: str = ""
    """A module without which it is left out."""
    files: int = 0
    parts: int = 1


PROGRAMS = {
    "sklearn": Program("scikit-learn: forest, boosting, MLP", SKLEARN, needs="sklearn"),
    "torch": Program("torch: small CNN, 14 epochs", TORCH, needs="torch"),
    "files": Program(f"{FILES:,} small files read", READING, files=FILES),
    "starts": Program("one `python -c pass`", STARTING, parts=STARTS),
}


class Cost(NamedTuple):
    """Seconds of one run: of the command, of the processors in it, and of what came before and after it."""

    run: float
    cpu: float
    around: float = 0.0


Way = Callable[[Sequence[str], Path], Cost]


def whole(command: Sequence[str], folder: Path) -> Cost:
    """A process from start to end, with its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=VARIABLES, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, cpu)


def frozen(profile: str, trace: str = "default") -> Way:
    """``envfreeze freeze``, which itself says how long the command took."""

    def run(command: Sequence[str], folder: Path) -> Cost:
        shutil.rmtree(folder / ".envfreeze", ignore_errors=True)
        freeze = [sys.executable, "-m", "envfreeze", "freeze", "-q", "--profile", profile, "--trace", trace]
        freeze += ["--", *command]
        total = whole(freeze, folder).run
        lock = lockfile.read(folder / lockfile.NAME)
        assert lock.run is not None
        return Cost(lock.run.duration, lock.run.cpu, total - lock.run.duration)

    return run


def reprozip(program: str) -> Way:
    def run(command: Sequence[str], folder: Path) -> Cost:
        with tempfile.TemporaryDirectory() as trace:
            options = ["--dont-identify-packages", "--dont-find-inputs-outputs", "-w", "-d", f"{trace}/t"]
            return whole([program, "trace", *options, *command], folder)

    return run


def strace(command: Sequence[str], folder: Path) -> Cost:
    with tempfile.TemporaryDirectory() as trace:
        options = ["-f", "--seccomp-bpf", "-qq", "-e", "trace=%file,%process", "-o", f"{trace}/t"]
        return whole(["strace", *options, *command], folder)


VARIABLES: dict[str, str] = {}


def measure(
    program: Program, python: str, ways: Mapping[str, Way], rounds: int, folder: Path
) -> dict[str, list[Cost]]:
    """All ways in turn; the first round is thrown away."""
    (folder / "train.py").write_text(program.code)
    for number in range(program.files):
        path = folder / "data" / f"{number // 1000:03}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d\n" % number * 20)
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            if name in found and (name not in TRACERS or 1 <= turn <= TRACED_ROUNDS):
                try:
                    cost = way([python, "train.py"], folder)
                except SystemExit as failure:
                    print(f"{name}: {failure}", file=sys.stderr)
                    del found[name]
                    continue
                print(f"  {program.name}, {name}: {cost.run:.2f} s, CPU {cost.cpu:.2f} s", file=sys.stderr)
                if turn:
                    found[name].append(cost)
    return found


def lines(program: Program, costs: Mapping[str, list[Cost]]) -> Iterator[str]:
    """Rows of the table."""
    bare = costs["bare"]
    unit, scale = ("ms", 1000) if program.parts > 1 else ("s", 1)
    for name, found in costs.items():
        run = statistics.median(cost.run for cost in found) / program.parts * scale
        around = statistics.median(cost.around for cost in found)
        pairs = list(zip(found, bare, strict=False))  # tracers have fewer rounds
        wall = statistics.median(a.run / b.run for a, b in pairs)
        cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
        more = statistics.median(a.run - b.run for a, b in pairs)
        fastest = min(cost.run for cost in found) / min(cost.run for cost in bare)
        more = more / program.parts * scale
        ratios = f"| {wall:.3f} | {fastest:.3f} | {cpu:.3f} | {more:+.2f} {unit} |"
        ratios = "| | | | |" if name == "bare" else ratios
        yield f"| {program.name} | {name} | {run:.2f} {unit} {ratios} {f'{around:.2f} s' if around else ''} |"


def has(python: str, module: str) -> bool:
    return (
        not module or subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="with scikit-learn and torch")
    parser.add_argument("--reprozip", default=shutil.which("reprozip"), help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PROGRAMS, action="append")
    parser.add_argument("--ways", nargs="*", help="some of the ways only")
    parser.add_argument("--no-table", action="store_true", help="print only")
    options = parser.parse_args()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    VARIABLES.update({**os.environ, **threads})
    ways: dict[str, Way] = {
        "bare": whole,
        "frozen": frozen("recorded"),
        "frozen, `--profile off`": frozen("off"),
        "frozen, `--trace deep`": frozen("recorded", "deep"),
    }
    if options.reprozip:
        ways["ReproZip"] = reprozip(options.reprozip)
    if shutil.which("strace"):
        ways["strace"] = strace
    if options.ways:
        ways = {name: way for name, way in ways.items() if name in ("bare", *options.ways)}
    text = [
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"medians of {options.rounds}.",
        "",
        "| program | way | run | of bare | fastest | CPU of bare | more | before and after |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in options.only or PROGRAMS:
        program = PROGRAMS[name]
        if not has(options.python, program.needs):
            print(f"{options.python} has no {program.needs}: {program.name} is left out", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            text += lines(program, measure(program, options.python, ways, options.rounds, Path(folder)))
    print("\n".join(text))
    if not options.no_table and not options.only and not options.ways:
        path = ROOT / "benchmarks" / "README.md"
        before, _, rest = path.read_text().partition(START)
        after = rest.partition(END)[2] or "\n"
        path.write_text(f"{before}{START}\n" + "\n".join(text) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
