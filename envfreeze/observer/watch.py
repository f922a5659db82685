"""Runs the user's command, and says all that was seen of it."""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from envfreeze.determinism import _force as force
from envfreeze.determinism._kernels import KERNELS, NOT_COMPILED
from envfreeze.determinism.python_ import drawn_hash_seed
from envfreeze.gpu_files import is_device
from envfreeze.observer import environment as variables
from envfreeze.observer import inputs, outputs, programs, seen, tapes, tracing
from envfreeze.observer.capture import DataOptions, variables_that_lead
from envfreeze.observer.classes import load as load_classes
from envfreeze.observer.collect import collect
from envfreeze.observer.events import Events, read_events
from envfreeze.observer.inject import SHIM, events_folder, inject, notes_folder, shim, tapes_folder
from envfreeze.observer.launch import Ended, find_program, launch
from envfreeze.observer.outside import is_library, resources_of
from envfreeze.observer.parameters import parameters_of
from envfreeze.progress import Progress, Silent
from envfreeze.records.base import Record
from envfreeze.records.files import FileEntry, Gap, StreamEntry
from envfreeze.records.observation import Observation
from envfreeze.records.settings import Profile, Setting, Strictness
from envfreeze.store import Store


class Watched(Record):
    """What ``watch`` returns; only ``observation`` and ``gaps`` are written anywhere."""

    observation: Observation
    executable: str | None = None
    """The target's interpreter as seen from inside; None if no Python ran."""
    environment: dict[str, str] = {}
    """All variables that the command ran with, secrets included: for examining the target, never written."""
    libraries: tuple[str, ...] = ()
    """Shared libraries that were loaded, absolute paths."""
    devices: tuple[str, ...] = ()
    """Files of GPUs below ``/dev`` that were mapped."""
    resources: tuple[str, ...] = ()
    """Fonts, time zones, locales and dictionaries of the system that were read, absolute paths."""
    numerics: tuple[dict[str, Any], ...] = ()
    """What threadpoolctl and torch said at the end of the run, where they were loaded."""
    gaps: tuple[Gap, ...] = ()


def watch(
    command: Sequence[str],
    *,
    project: Path,
    directory: Path,
    store: Store,
    output_patterns: Sequence[str] = (),
    data: DataOptions | None = None,
    passthrough: tuple[int, int] = (1, 2),
    progress: Progress | None = None,
    environment: Mapping[str, str] | None = None,
    tape_limit: int | None = None,
    profile: Profile = "recorded",
    settings: Sequence[Setting] = (),
    strict: Strictness | None = None,
    deep: bool = False,
) -> Watched:
    """Run ``command`` in ``directory`` and watch it.

    Args:
        output_patterns: what counts as an output (see ``outputs.matches``); empty means all that is new or
            changed in the project.
        data: how data is kept; by default copied, up to a limit outside of the project.
        passthrough: file descriptors that the command's output and error streams are forwarded to.
        environment: the command's variables; by default this process's.
        tape_limit: bytes of randomness and clock reads that are recorded; None records none.
        profile: as which it is recorded.
        settings: what the agent puts in force; the variables among them are in ``environment`` already.
        strict: randomness from a seed and one clock, instead of tapes.
        deep: watch the calls of every program too, static ones included (see ``tracing``).

    Raises:
        InputError: the command does not exist or cannot be started, or the project's own rules for classes
            of files are none; then nothing was written.
        EnvironmentFailure: its output could not be kept.
        OSError: the store cannot be written.
    """
    progress = progress or Silent()
    environment = dict(os.environ if environment is None else environment)
    program = find_program(command, environment, directory)
    patterns = outputs.normalized(output_patterns, project)
    classes = load_classes(project, environment)
    with store.temporary() as folder:
        before, outside_before = inputs.take_snapshot(project), outputs.scan_outside(patterns)
        stdin = _Stdin()
        by_agent = tape_limit is not None and strict is None and shim() is None
        drawn = drawn_hash_seed(environment) if by_agent else ()
        settings = (*settings, *drawn)
        injected = inject(
            {**environment, **{setting.variable: setting.value for setting in drawn}},
            folder=folder,
            project=project,
            tape_limit=tape_limit,
            settings=settings,
            strict=strict,
            portable=profile == "portable",
        )
        progress.step(f"running {shlex.join(command)}")
        started, began = datetime.now(UTC), time.time_ns()
        ended = launch(
            command,
            environment=injected,
            directory=directory,
            folder=folder,
            passthrough=passthrough,
            tracer=tracing.tracer() if deep else None,
        )
        progress.step("recording what it read and made")
        after, outside_after = inputs.take_snapshot(project), outputs.scan_outside(patterns)
        events = read_events(events_folder(folder))
        preloaded = injected.get("LD_PRELOAD", "")
        shimmed = str(SHIM) in preloaded.split(":")
        run = Run(
            command, program, project, directory, environment, store, events, ended, before, after, shimmed
        )
        kept = events_folder(folder) / "before"
        found = collect(
            run, kept, patterns, outside_before, outside_after, classes, data or DataOptions(), began=began
        )
        taping = tapes_folder(folder).is_dir()
        taped, tape_gaps = (
            tapes.seal(tapes_folder(folder), store, layer="agent" if by_agent else "shim")
            if taping
            else (None, [])
        )
        said = force.read(notes_folder(folder))
        streams = tuple(_stream(folder / name, store, ended, number) for number, name in enumerate(_STREAMS))
    recorded = seen.without_secrets(command)
    target, executables, target_gaps = _target(run)
    values, names = variables.split(environment, variables_that_lead(found.read, environment))
    parameters, parameter_gaps = parameters_of(
        events, found.read, project=project, environment=environment, store=store
    )
    locator = inputs.Locator(project, before)
    deeds = seen.Deeds(locator, found.read, found.made)
    observation = Observation(
        command=recorded,
        directory=str(directory),
        project=str(project),
        started=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        exit_status=ended.exit_status,
        duration=ended.duration,
        cpu=ended.cpu,
        peak_memory=ended.peak_memory,
        environment=values,
        environment_names=names,
        stdout=streams[0],
        stderr=streams[1],
        files=store.add_set(found.read),
        outputs=store.add_set(found.made),
        folders=_needed_folders(found.made, before),
        output_patterns=patterns,
        absent=seen.absent(events, locator, before, after),
        network=seen.hosts(events),
        parameters=parameters,
        interpreters=executables,
        process_tree=seen.store_processes(seen.processes(events, deeds), store),
        tapes=taped,
        profile=profile,
        seed=strict.seed if strict else None,
        settings=force.verified(settings, said),
        warned=said.warned,
        processes=len(ended.processes | {process.pid for process in events.processes if process.pid}),
    )
    gaps = (
        *parameter_gaps,
        *target_gaps,
        *found.gaps,
        *tape_gaps,
        *_untaped_gaps(run, taping),
        *_run_gaps(run, stdin),
        *_strict_gaps(strict, shimmed),
        *_portable_gaps(profile, preloaded),
        *(tracing.gaps(ended.trace, [image.program for image in events.traced]) if deep else ()),
        *seen.command_gaps(command, recorded),
    )
    return Watched(
        observation=observation,
        executable=target,
        environment=environment,
        libraries=tuple(filter(is_library, events.libraries)),
        devices=tuple(filter(is_device, events.libraries)),
        resources=resources_of(events, classes),
        numerics=events.numerics,
        gaps=tuple(dict.fromkeys(gaps)),
    )


_STREAMS = ("stdout", "stderr")


class Run:
    """What the steps after the run all look at."""

    def __init__(
        self,
        command: Sequence[str],
        program: str,
        project: Path,
        directory: Path,
        environment: Mapping[str, str],
        store: Store,
        events: Events,
        ended: Ended,
        before: inputs.Snapshot,
        after: inputs.Snapshot,
        shimmed: bool,
    ) -> None:
        self.command, self.program = command, program
        self.project, self.directory, self.environment = project, directory, environment
        self.store, self.events, self.ended = store, events, ended
        self.before, self.after = before, after
        self.shimmed = shimmed
        """True when the shim was preloaded, so that programs other than Python are seen too."""
        self.untraced = (
            programs.untraced_by_shim(program, ended.pid, events)
            if shimmed or events.traced
            else programs.untraced(command, program, ended.pid, events, environment)
        )
        """Programs that could read files without being seen."""
        self.compiled = () if shimmed or events.traced else programs.compiled_modules(events, project)
        """Compiled modules that could, too."""
        python = programs.executable_by_name(program)
        seen = any(process.pid == ended.pid for process in events.processes)
        self.unseen_python = python if not seen else None
        """The command's own interpreter, when the agent is not in it."""


def _stream(path: Path, store: Store, ended: Ended, number: int) -> StreamEntry:
    digest, size = store.add_file(path)
    return StreamEntry(size=size, sha256=digest, terminal=ended.terminals[number])


def _needed_folders(made: Sequence[FileEntry], before: inputs.Snapshot) -> tuple[str, ...]:
    parents = {entry.path.rpartition("/")[0] for entry in made if not entry.path.startswith("/")}
    return tuple(sorted(outputs.printable(parent) for parent in parents & before.folders))


def _target(run: Run) -> tuple[str | None, tuple[str, ...], list[Gap]]:
    """The target's interpreter, all interpreters, and gaps."""
    ordered = programs.target_first(run.events.processes, run.project)
    executables, gaps = programs.interpreters(ordered)
    if run.unseen_python:
        executables = tuple(dict.fromkeys((run.unseen_python, *executables)))
    return (executables[0] if executables else None), executables, list(gaps)


def _untaped_gaps(run: Run, taping: bool) -> list[Gap]:
    """Programs without the shim draw their own randomness and read the real clock, in a replay too."""
    if not taping:
        return []
    if not run.shimmed:
        others = f" and of {', '.join(run.untraced[:5])}" if run.untraced else ""
        what = f"{tapes.UNTAPED}libraries in C{others}"
        return [Gap(what=outputs.printable(what), why=tapes.AGENT_ONLY)]
    shim_only = run.events.images[: len(run.events.images) - len(run.events.traced)]
    events = msgspec.structs.replace(run.events, images=shim_only)
    names = programs.untraced_by_shim(run.program, run.ended.pid, events)
    if not names:
        return []
    shown = outputs.printable(", ".join(names[:5]) + (", …" if len(names) > 5 else ""))
    why = "static or privileged programs take them from the system itself, and in a replay they get others"
    return [Gap(what=f"{tapes.UNTAPED}{shown}", why=why)]


def _run_gaps(run: Run, stdin: _Stdin) -> list[Gap]:
    gaps = []
    if stdin.may_have_been_read():
        gaps.append(Gap(what="standard input", why="the command could read it, and it is not captured"))
    if run.ended.left_open:
        why = "programs that the command started went on after its end; what they did then is not recorded"
        gaps.append(Gap(what="programs left running", why=why))
    if not run.events.processes and not run.unseen_python:
        why = "no Python of the run loaded the observer; the environment was examined from outside"
        gaps.append(Gap(what="the run's Python", why=why))
    if run.unseen_python and run.shimmed:
        why = f"{run.unseen_python} did not load the observer (options -I, -E or -S, or older than 3.8)"
        gaps.append(Gap(what="kernels and threads of numerical libraries", why=why))
    if run.events.lost:
        why = (
            "not everything could be written down: the disk or the memory was full, or a program was in "
            "another root or mount namespace, where the observer's folder is not; so every small file of the "
            "project is recorded as possibly read"
        )
        gaps.append(Gap(what="some of what the run read", why=why))
    if hosts := seen.hosts(run.events):
        why = f"the run connected to {', '.join(hosts[:5])}{', …' if len(hosts) > 5 else ''}; a replay cannot"
        gaps.append(Gap(what="network", why=why))
    if run.events.errors:
        why = f"the observer failed {run.events.errors} times, first at {run.events.error}"
        gaps.append(Gap(what="some of what the run read", why=outputs.printable(why)))
    return gaps


def _portable_gaps(profile: Profile, preloaded: str) -> list[Gap]:
    if profile != "portable" or str(KERNELS) in preloaded.split(":"):
        return []
    return [Gap(what="MKL's kernels in the profile portable", why=NOT_COMPILED)]


def _strict_gaps(strict: Strictness | None, shimmed: bool) -> list[Gap]:
    if strict is None or shimmed:
        return []
    why = "this installation has no shim, so only the generators of known libraries were seeded"
    return [Gap(what="randomness and times of the profile strict", why=why)]


class _Stdin:
    """Our standard input, which the command inherits."""

    def __init__(self) -> None:
        self._position = self._offset()

    def may_have_been_read(self) -> bool:
        """True for a pipe or the like, and for a file that was read from; never for a terminal."""
        try:
            mode = os.fstat(0).st_mode
        except OSError:
            return False
        if stat.S_ISREG(mode):
            return self._offset() != self._position
        return not stat.S_ISCHR(mode)

    @staticmethod
    def _offset() -> int:
        try:
            return os.lseek(0, 0, os.SEEK_CUR)
        except OSError:
            return -1
