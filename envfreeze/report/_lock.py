"""The lock for people: what ``envfreeze show`` prints."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from envfreeze.determinism._not_promised import not_promised
from envfreeze.errors import InputError
from envfreeze.records.environment import Package
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation, ProcessEntry
from envfreeze.report._files import as_tree, by_class
from envfreeze.report._gpu import cuda_facts, rocm_facts
from envfreeze.report._parameters import summary
from envfreeze.report._tapes import taped
from envfreeze.report._words import counted, duration, printable, size

if TYPE_CHECKING:
    from rich.console import Console

    from envfreeze.store import Store

Facts = Iterator[tuple[str, str]]
"""Label and what is said; an empty text is left out."""

MAX_OUTPUTS = 12


def print_lock(lock: Lock, console: Console, store: Store | None = None, *, verbose: bool = False) -> None:
    """All sections of the lock, what could not be captured first.

    Args:
        store: holds the lists that are long.
        verbose: say of each program which files it read and wrote.
    """
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    def clean(text: str) -> str:
        return printable(text, console.encoding)

    _print_gaps(lock, console)
    for title, facts in _sections(lock, store, verbose=verbose):
        rows = [(label, text) for label, text in facts if text]
        if not rows:
            continue
        console.print(Text(title, style="bold"))
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(
            overflow="fold", min_width=12, max_width=max(16, console.width * 2 // 5), style="cyan"
        )
        table.add_column(overflow="fold")
        for label, text in rows:
            table.add_row(Text(clean(label)), Text(clean(text)))
        console.print(Padding(table, (0, 0, 0, 2)))


def _print_gaps(lock: Lock, console: Console) -> None:
    from rich.text import Text

    if not lock.gaps:
        console.print(Text("Nothing is missing: all that envfreeze looks for was captured.", style="green"))
        return
    console.print(Text(f"Not captured: {counted(len(lock.gaps), 'thing')}", style="bold yellow"))
    for gap in lock.gaps:
        console.print(Text(printable(f"  {gap.what}: {gap.why}", console.encoding), style="yellow"))


def _sections(lock: Lock, store: Store | None, *, verbose: bool) -> Iterator[tuple[str, Facts]]:
    if lock.run is not None:
        yield "Run", _run(lock.run)
        yield "Files that it read", by_class(_entries(lock.run, store))
        programs = _processes(lock.run, store)
        yield f"Programs ({len(programs)})", (("", line) for line in as_tree(programs, files=verbose))
    yield "No bits promised on a GPU", iter(not_promised(lock))
    yield "Interpreter", _interpreter(lock)
    yield f"Packages ({len(lock.packages)})", _packages(lock)
    yield "Package sources", _pip(lock)
    yield "System", _system(lock)
    yield "Processor", _cpu(lock)
    yield "GPU", cuda_facts(lock.cuda)
    yield "AMD GPU", rocm_facts(lock.rocm)
    yield "Version control", _git(lock)


def _entries(run: Observation, store: Store | None) -> tuple[FileEntry, ...]:
    """The files that were read, as far as the store is there."""
    with contextlib.suppress(InputError):
        return store.entries(run.files, what="recorded files") if store else run.files.entries
    return run.files.entries


def _processes(run: Observation, store: Store | None) -> tuple[ProcessEntry, ...]:
    if store is None or run.process_tree is None:
        return ()
    try:
        data = store.verified(run.process_tree, what="the list of programs").read_bytes()
        return msgspec.json.decode(data, type=tuple[ProcessEntry, ...])
    except (InputError, msgspec.DecodeError, msgspec.ValidationError):
        return ()


def _run(run: Observation) -> Facts:
    failed = " (failed)" if run.failed else ""
    yield "command", shlex.join(run.command)
    yield "in", run.directory
    yield "exit status", f"{run.exit_status}{failed}"
    yield "started", run.started
    yield "took", f"{duration(run.duration)}, {duration(run.cpu)} of processor time"
    yield "peak memory", size(run.peak_memory) if run.peak_memory else ""
    yield "read", f"{counted(run.files.count, 'file')}, {size(run.files.size)}"
    yield "made", f"{counted(run.outputs.count, 'file')}, {size(run.outputs.size)}"
    for entry in run.outputs.entries[:MAX_OUTPUTS]:
        yield "", f"  {entry.path} ({size(entry.size)})"
    if run.outputs.count > MAX_OUTPUTS:
        yield "", f"  and {run.outputs.count - MAX_OUTPUTS} more"
    yield "profile", run.profile + (f", seed {run.seed}" if run.seed is not None else "")
    yield "taped", taped(run.tapes)
    for text in run.warned:
        yield "warned", text
    yield "parameters", summary(run.parameters)
    yield "looked for", ", ".join(run.absent[:MAX_OUTPUTS]) + (", …" if len(run.absent) > MAX_OUTPUTS else "")
    yield "connected to", ", ".join(run.network)
    for name, value in sorted(run.environment.items()):
        yield f"${name}", value or "(empty)"


def _interpreter(lock: Lock) -> Facts:
    python = lock.interpreter
    yield "version", f"{python.implementation} {python.version} ({python.kind})"
    yield "platform", ", ".join(part for part in (python.platform, python.abi, python.libc) if part)
    yield "built", ", ".join(part for part in (python.compiler, python.build) if part)
    yield "executable", python.executable
    if lock.conda is not None:
        yield "conda", f"{lock.conda.name}, {counted(len(lock.conda.packages), 'package')}"
    if lock.base is not None:
        yield "base image", lock.base.reference + (f"@{lock.base.digest}" if lock.base.digest else "")
        yield "its reason", lock.base.why
        if cuda := lock.base.cuda:
            yield "CUDA from", cuda.reference + (f"@{cuda.digest}" if cuda.digest else "")
            yield "its reason", cuda.why


def _packages(lock: Lock) -> Facts:
    for package in lock.packages:
        yield package.name, f"{package.version}  {_source(package)}"


def _source(package: Package) -> str:
    where = {
        "index": package.index or "index",
        "url": package.direct_url or "URL",
        "vcs": package.direct_url or "version control",
        "unknown": "source unknown",
    }.get(package.source, package.source)
    kept = ", kept in .envfreeze" if package.vendored else ""
    return f"{where}{kept}" + ("" if package.sha256 else ", without a digest")


def _pip(lock: Lock) -> Facts:
    yield "index", lock.pip.index or ""
    yield "also", ", ".join(lock.pip.extra_indexes)
    yield "find-links", ", ".join(lock.pip.find_links)
    yield "constraints", ", ".join(lock.pip.constraints)


def _system(lock: Lock) -> Facts:
    system = lock.system
    yield "system", ", ".join(part for part in (system.distribution, system.architecture) if part)
    yield "kernel", system.kernel
    yield "memory", size(system.memory) if system.memory else ""
    managers = Counter(package.manager for package in system.packages)
    for manager, count in sorted(managers.items()):
        names = ", ".join(
            f"{package.name} {package.version}" for package in system.packages if package.manager == manager
        )
        yield f"{manager} ({count})", names
    yield "of no package", ", ".join(system.unowned)


def _cpu(lock: Lock) -> Facts:
    cpu = lock.cpu
    yield "model", cpu.model or cpu.vendor
    if cpu.logical_cores:
        yield "cores", f"{cpu.usable_cores} usable of {cpu.logical_cores} ({cpu.physical_cores} physical)"
    yield "features", " ".join(cpu.features)
    for library in cpu.libraries:
        parts = [library.version, library.kernels and f"{library.kernels} kernels"]
        parts.append(counted(library.threads, "thread") if library.threads else "")
        yield library.name, ", ".join(part for part in parts if part)


def _git(lock: Lock) -> Facts:
    if lock.git is None:
        return
    yield "commit", lock.git.commit + (" with uncommitted changes" if lock.git.dirty else "")
    yield "branch", lock.git.branch or ""
    yield "remote", lock.git.remote or ""
