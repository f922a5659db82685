"""The runs of ``envfreeze check``: each in a fresh copy of the project that the command sees at one path."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from envfreeze import tree
from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets
from envfreeze.compare.sides import Side
from envfreeze.engines import _local_sandbox
from envfreeze.files import sha256
from envfreeze.observer import inject
from envfreeze.records.base import Record
from envfreeze.records.checked import Differing, SourceName
from envfreeze.records.settings import Strictness
from envfreeze.records.verdict import Verdict

SOURCES: tuple[SourceName, ...] = ("hashseed", "entropy", "clock", "order", "aslr", "threads", "gpu")

_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)  # fmt: skip
"""Variables of determinism/*.py that bound threads."""

_ADDR_NO_RANDOMIZE = 0x0040000
"""personality(2)."""

_libc = ctypes.CDLL(None)


class Outcome(Record):
    """What one run made."""

    folder: Path
    """Holds ``stdout``, ``stderr`` and the project after it, ``project``."""
    exit_status: int
    duration: float
    made: dict[str, str]
    """Digest, or target of a link, of every output by path, in the order of writing; the streams last."""


def difference(one: Outcome, two: Outcome) -> list[str]:
    """Paths of the outputs that are not the same, in the order in which the first run wrote them."""
    paths = dict.fromkeys((*one.made, *two.made))
    return [path for path in paths if one.made.get(path) != two.made.get(path)]


class Bench:
    """A place for the copies; what the command leaves there is removed at the end."""

    def __init__(
        self, command: Sequence[str], project: Path, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.command, self.project, self.directory = command, project, directory
        self.environment = environment
        self.notes: tuple[str, ...] = ()
        self.has_gpu = any(Path("/proc/driver/nvidia/gpus").glob("*"))
        self._number = 0
        self._mounts = str(project) != "/" and _local_sandbox.best().startswith("bubblewrap")
        if not self._mounts:
            self.notes = ("without bubblewrap, what the command writes to absolute paths is not kept apart",)

    def __enter__(self) -> Bench:
        self._folder = Path(tempfile.mkdtemp(prefix="envfreeze-check-"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, *, held: Sequence[SourceName] = (), hash_seed: str = "0") -> Outcome:
        """Run the command in a fresh copy, with these sources held; with none it runs as it is.

        Args:
            hash_seed: for when other sources are held and the hash seed is not.

        Raises:
            OSError: the copy cannot be written.
        """
        self._number += 1
        folder = self._folder / f"run-{self._number}"
        place = self._folder / "project"  # the same path in every run
        folder.mkdir()
        linked = _copy(self.project, place)
        for path in linked:
            if self._mounts:
                (place / path).mkdir()  # to be mounted over
            else:
                (place / path).symlink_to(self.project / path)
        before = tree.scan(place)
        environment = self._environment(folder, held, hash_seed)
        command, directory = self._wrapped(place, linked)
        began = time.monotonic()
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as errors:
            done = subprocess.run(
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                preexec_fn=_fix_addresses if "aslr" in held else None,
                check=False,
            )
        duration = time.monotonic() - began
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        made = _made(place, before)
        made["<stdout>"] = sha256(folder / "stdout")
        made["<exit status>"] = str(status)
        place.rename(folder / "project")
        return Outcome(folder=folder, exit_status=status, duration=duration, made=made)

    def _environment(self, folder: Path, held: Sequence[SourceName], hash_seed: str) -> dict[str, str]:
        environment = dict(self.environment)
        if not held:
            return environment
        notes = folder / "notes"
        notes.mkdir()
        environment["PYTHONHASHSEED"] = "0" if "hashseed" in held else hash_seed
        if "threads" in held:
            environment |= dict.fromkeys(_THREADS, "1")
        if "gpu" in held and self.has_gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        if library := inject.shim():
            preloaded = environment.get("LD_PRELOAD", "")
            environment["LD_PRELOAD"] = f"{library}:{preloaded}" if preloaded else str(library)
            sources = tuple(source for source in ("entropy", "clock", "order") if source in held)
            environment |= inject.strict_variables(Strictness(hold=sources), str(notes))
        return environment

    def _wrapped(self, place: Path, linked: Sequence[Path]) -> tuple[list[str], Path]:
        """The command and its working directory; the copy is mounted over the project where that works."""
        if self._mounts:
            words = [
                "bwrap",
                "--die-with-parent",
                "--dev-bind",
                "/",
                "/",
                "--bind",
                str(place),
                str(self.project),
            ]
            for path in linked:
                words += ["--ro-bind", str(self.project / path), str(self.project / path)]
            return [*words, "--chdir", str(self.directory), "--", *self.command], self._folder
        inside = str(self.project) + "/"
        led = [
            f"{place}/{word.removeprefix(inside)}" if word.startswith(inside) else word
            for word in self.command
        ]
        return led, place / self.directory.relative_to(self.project)

    def described(self, one: Outcome, two: Outcome) -> tuple[Differing, ...]:
        """What differs, in words."""
        paths = difference(one, two)
        if not paths:
            return ()
        compared = compare_sets(_side(one, paths), _side(two, paths), Options())
        reasons = {
            output.path: output.reason
            for output in compared.outputs
            if output.verdict is not Verdict.IDENTICAL or output.path in paths
        }
        return tuple(Differing(path=path, reason=_reason(path, reasons)) for path in paths)


def _reason(path: str, reasons: dict[str, str]) -> str:
    """Why it differs, or what was said of the store that it is a file of."""
    store = next((name for name in reasons if path.startswith((f"{name}/", f"{name}."))), "")
    return reasons.get(path) or reasons.get(store) or reasons.get(".") or "differs"


def _fix_addresses() -> None:
    """In the child, before the command: no address space layout randomization."""
    _libc.personality(_libc.personality(0xFFFFFFFF) | _ADDR_NO_RANDOMIZE)


def _copy(project: Path, place: Path) -> list[Path]:
    """Copy the project; environments in it are left out, and returned."""
    linked: list[Path] = []

    def leave_out(folder: str, names: list[str]) -> set[str]:
        left = set()
        for name in names:
            path = Path(folder) / name
            if path.is_symlink() or not path.is_dir():
                if not path.is_symlink() and not path.is_file():
                    left.add(name)  # a socket or a pipe
            elif any((path / mark).exists() for mark in tree.ENVIRONMENT_MARKS):
                linked.append(path.relative_to(project))
                left.add(name)
            elif name in tree.IGNORED_FOLDERS - {".git"}:
                left.add(name)
        return left

    shutil.copytree(project, place, symlinks=True, ignore=leave_out)
    return linked


def _made(place: Path, before: Mapping[str, tree.Stat]) -> dict[str, str]:
    """Files that are new or changed, with their digests, in the order of writing."""
    after = tree.scan(place)
    changed = [path for path, status in after.items() if before.get(path) != status]
    changed.sort(key=lambda path: (after[path].mtime, path))
    made = {}
    for path in changed:
        here = place / path
        made[path] = f"link to {here.readlink()}" if here.is_symlink() else sha256(here)
    return made | {path: "removed" for path in before if path not in after}


def _side(outcome: Outcome, paths: Sequence[str]) -> Side:
    files, links = {}, {}
    for path in paths:
        here = outcome.folder / "project" / path
        if path.startswith("<") or path not in outcome.made or outcome.made[path] == "removed":
            continue
        if here.is_symlink():
            links[path] = str(here.readlink())
        else:
            files[path] = here
    return Side(
        label="run",
        files=files,
        links=links,
        stdout=outcome.folder / "stdout" if "<stdout>" in paths else None,
        exit_status=outcome.exit_status,
    )
