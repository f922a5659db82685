"""The profile portable, measured: do operations give the same bits on other processors, and at what cost?

    python benchmarks/portability.py --python ENV/bin/python [--cpu Haswell] [--write]

Each table of ``benchmarks/portability/`` runs in the first given interpreter that has its library: natively
without the profile, natively with it, and with it under QEMU's user-mode emulator (``qemu-x86_64-static``) as
each CPU model. The digests are compared with each other and with the references
``portability/<processor>.json`` made on real processors, where the versions of the libraries are the
same. ``--write`` makes the reference of this machine's processor. ``--speed`` compares the speed of typical
work (``portability/speed.py``) with and without the profile instead, on one thread in both.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from envfreeze.determinism import settings_at_freeze
from envfreeze.observer.inject import copy_agent, kernels, settings_variables
from envfreeze.probes.cpu import describe

TABLES = Path(__file__).parent / "portability"
SPEEDS = ("numpy", "sklearn", "lightgbm", "xgboost", "torch", "jax", "tensorflow")
NAMES = ("numpy", "scipy", "sklearn", "lightgbm", "xgboost", "torch", "jax", "tensorflow")
MODELS = ("Haswell", "Skylake-Client", "EPYC-Rome")
EMULATOR = "qemu-x86_64-static"
_MOST_CRASHES = 20
_TURNS = 3


def plain() -> dict[str, str]:
    """The variables of this process without those that choose kernels."""
    chosen = {item.variable for item in settings_at_freeze("portable", {})}
    return {name: value for name, value in os.environ.items() if name not in chosen}


def portable(folder: Path) -> dict[str, str]:
    """The variables with which a run of the profile portable is started; the agent lies in ``folder``."""
    given = plain()
    settings = settings_at_freeze("portable", given)
    notes = folder / "notes"
    notes.mkdir()
    copy_agent(folder / "agent")
    answers = kernels()
    if answers is None:
        sys.exit("error: the library of the profile portable is not compiled here")
    return {
        **given,
        **{item.variable: item.value for item in settings if item.kind == "variable"},
        **settings_variables(settings, folder / "agent", str(notes)),
        "PYTHONPATH": str(folder / "agent"),
        "LD_PRELOAD": str(answers),
    }


def run(
    table: str, python: str, variables: dict[str, str], model: str | None, limit: float
) -> dict[str, Any]:
    """Digests, seconds and crashes of a table; begun again behind the operation that ended it."""
    prefix = [] if model is None else ["nice", EMULATOR, "-cpu", model]
    found: dict[str, Any] = {"versions": {}, "digests": {}, "seconds": {}, "kinds": {}, "crashed": []}
    until = time.monotonic() + limit
    while len(found["crashed"]) < _MOST_CRASHES and time.monotonic() < until:
        left_out = [*found["digests"], *found["crashed"]]
        command = [*prefix, python, str(TABLES / f"{table}_table.py"), *left_out]
        with tempfile.TemporaryFile() as output:
            try:
                subprocess.run(
                    command,
                    env=variables,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    timeout=limit,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                until = 0.0
            output.seek(0)
            begun, ended = _read(output.read().decode(errors="replace"), found)
        if ended or begun is None:
            break
        found["crashed"].append(begun)
    return found


def _read(text: str, found: dict[str, Any]) -> tuple[str | None, bool]:
    """Take the lines of a process in; the operation that had begun and not ended, and whether all had."""
    begun = None
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        found["versions"] |= said.get("versions", {})
        if "begins" in said:
            begun = said["begins"]
            found["kinds"][begun] = said["kind"]
        elif "digest" in said:
            found["digests"][said["name"]] = said["digest"]
            found["seconds"][said["name"]] = said["seconds"]
            begun = None
        elif "ends" in said:
            return None, True
    return begun, False


def compared(one: dict[str, str], other: dict[str, str]) -> tuple[int, list[str]]:
    """How many operations both have, and those that differ."""
    both = [name for name in one if name in other]
    return len(both), [name for name in both if one[name] != other[name]]


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def references() -> dict[str, dict[str, Any]]:
    """The committed digests, by the processor's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(TABLES.glob("*.json"))}


def has(python: str, table: str) -> bool:
    command = [python, "-c", f"import importlib.util as u; raise SystemExit(u.find_spec({table!r}) is None)"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def measure(table: str, python: str, models: list[str], limit: float) -> dict[str, dict[str, Any]]:
    """All modes of one table; ``plain`` runs a second time so that its seconds have no cold start in them."""
    with tempfile.TemporaryDirectory() as folder:
        variables = portable(Path(folder))
        run(table, python, plain(), None, limit)
        modes = {"plain": run(table, python, plain(), None, limit)}
        modes["portable"] = run(table, python, variables, None, limit)
        for model in models:
            modes[model] = run(table, python, variables, model, limit)
            print(f"  {table} as {model}: {len(modes[model]['digests'])} operations", file=sys.stderr)
    return modes


def row(
    table: str, modes: dict[str, dict[str, Any]], known: dict[str, dict[str, Any]]
) -> tuple[str, int, int]:
    """A line of the table, how many comparisons were made and how many differ."""
    own = modes["portable"]
    trainings = sum(kind == "training" for kind in own["kinds"].values())
    cells, total, apart = [], 0, 0
    against = {name: mode["digests"] for name, mode in modes.items() if name not in ("plain", "portable")}
    for processor, reference in known.items():
        there = reference["tables"].get(table)
        if there is not None and there["versions"] == own["versions"]:
            against[processor] = there["digests"]
    for name, digests in against.items():
        both, different = compared(own["digests"], digests)
        total, apart = total + both, apart + len(different)
        crashed = len(modes.get(name, {}).get("crashed", ()))
        note = f"; crashed on {crashed}" if crashed else ""
        cells.append(f"{name} {both - len(different)} / {both}{note}{': ' if different else ''}")
        cells[-1] += ", ".join(different)
    shared = [name for name in own["seconds"] if name in modes["plain"]["seconds"]]
    before = sum(modes["plain"]["seconds"][name] for name in shared)
    after = sum(own["seconds"][name] for name in shared)
    changed = len(compared(own["digests"], modes["plain"]["digests"])[1])
    versions = ", ".join(f"{name} {version}" for name, version in own["versions"].items())
    size = f"{len(own['digests'])} ({trainings})"
    cost = f"{before:.2f} s → {after:.2f} s ({after / max(before, 1e-9):.2f})"
    return f"| {versions} | {size} | {'<br>'.join(cells)} | {changed} | {cost} |", total, apart


def family() -> str:
    """Family, model and stepping, where the processor's name does not tell them (Linux; else empty)."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    found = [
        re.search(rf"^{key}\s*: (\S+)$", text, re.MULTILINE) for key in ("cpu family", "model", "stepping")
    ]
    return " ".join(item[1] for item in found if item)


def write(results: dict[str, dict[str, dict[str, Any]]]) -> Path:
    """Make or renew the reference of this processor; tables that were not run stay as they are."""
    processor = describe()
    path = TABLES / f"{slug(processor.model or 'unknown')}.json"
    before = json.loads(path.read_text()) if path.is_file() else {"tables": {}}
    tables = before["tables"] | {
        table: {"versions": modes["portable"]["versions"], "digests": modes["portable"]["digests"]}
        for table, modes in results.items()
    }
    features = [name for name in processor.features if name.startswith(("avx", "fma"))]
    content = {
        "vendor": processor.vendor,
        "model": processor.model,
        "family": family(),
        "features": features,
        "tables": {name: tables[name] for name in sorted(tables)},
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def one_thread() -> dict[str, str]:
    """The variables of a run without the profile, but with its number of threads."""
    threads = {
        item.variable: item.value
        for item in settings_at_freeze("portable", plain())
        if item.kind == "variable" and ("THREADS" in item.variable or item.variable == "PJRT_NPROC")
    }
    return {**plain(), **threads, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}


def fastest(library: str, python: str, variables: dict[str, str], best: dict[str, float]) -> None:
    """Run the library's work; keep the least seconds of each in ``best``."""
    command = [python, str(TABLES / "speed.py"), library]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        said = json.loads(line)
        best[said["work"]] = min(said["seconds"], best.get(said["work"], math.inf))


def speeds(library: str, python: str) -> list[str]:
    """Lines of the table of speeds; both modes in turns, so that what else the machine does meets both."""
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        variables = portable(Path(folder))
        for _ in range(_TURNS):
            fastest(library, python, one_thread(), before)
            fastest(library, python, variables, after)
    return [
        f"| {library} | {work} | {before[work]:.3f} | {after[work]:.3f} | {after[work] / before[work]:.2f} |"
        for work in before
    ]


def print_speeds(tables: tuple[str, ...] | list[str], pythons: list[str]) -> None:
    print("| library | work | one thread, s | portable, s | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for library in tables:
        python = next((path for path in pythons if has(path, library)), None)
        if python is not None and library in SPEEDS:
            print("\n".join(speeds(library, python)), flush=True)


def main() -> int:
    """Run the tables and print the results; 1 when more than one in a hundred comparisons differ."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--python", action="append", default=[], help="an interpreter with libraries")
    options.add_argument("--cpu", action="append", default=[], help="CPU model to emulate; or none")
    options.add_argument("--table", action="append", default=[], choices=NAMES)
    options.add_argument("--limit", type=float, default=1800, help="seconds for one table in one mode")
    options.add_argument("--write", action="store_true", help="write the reference of this processor")
    options.add_argument("--speed", action="store_true", help="compare speeds, not bits")
    given = options.parse_args()
    if given.speed:
        print_speeds(given.table or SPEEDS, given.python or [sys.executable])
        return 0
    models = [model for model in given.cpu or MODELS if model != "none"]
    if models and shutil.which(EMULATOR) is None:
        print(f"{EMULATOR} is not installed: nothing is emulated", file=sys.stderr)
        models = []
    results, lines, total, apart = {}, [], 0, 0
    for table in given.table or NAMES:
        python = next((path for path in given.python or [sys.executable] if has(path, table)), None)
        if python is None:
            print(f"no interpreter has {table}", file=sys.stderr)
            continue
        results[table] = measure(table, python, models, given.limit)
        line, both, different = row(table, results[table], references())
        lines.append(line)
        total, apart = total + both, apart + different
        print(line, file=sys.stderr)
    if given.write:
        print(f"wrote {write(results)}", file=sys.stderr)
    print(f"On {describe().model}, the profile portable here and elsewhere:\n")
    print("| versions | operations (trainings) | the same bits | changed by the profile | time |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(lines))
    print(f"\n{total - apart} of {total} comparisons equal ({(total - apart) / max(total, 1):.1%}).")
    return 0 if total and apart <= total / 100 else 1


if __name__ == "__main__":
    raise SystemExit(main())
