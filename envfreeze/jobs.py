"""From a lock to the job that an engine runs: which command, which files, which variables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from envfreeze import tree
from envfreeze.data import provide
from envfreeze.errors import InputError
from envfreeze.files import in_parallel, sha256
from envfreeze.observer.inject import kernels, shim
from envfreeze.observer.tapes import UNTAPED
from envfreeze.recipe.command import unwrapped
from envfreeze.recipe.system_files import to_install
from envfreeze.records.base import Record
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.run import Job, Limits
from envfreeze.records.settings import Profile, Setting, Strictness
from envfreeze.store import Store


def job_for(
    lock: Lock,
    store: Store,
    switches: Sequence[Setting],
    *,
    command: Sequence[str] | None,
    code: Path | str | None,
    limits: Limits | None,
    network: bool,
    data: Path | str | None = None,
) -> Job:
    """What the engine shall run: the command with the recorded variables, switches and files.

    Args:
        command: another command than the recorded one; it finds the original's outputs as files too.
        code: a folder whose files, as they are now, take the place of the recorded ones.
        data: a folder with the data that was recorded by digest only.

    Raises:
        InputError: data that was recorded by digest only is not there or has changed, or a recorded file is
            neither in the store nor in the project folder.
    """
    run = lock.run
    limits = limits or Limits()
    variables = {setting.variable: setting.value for setting in switches if setting.kind == "variable"}
    if run is None:
        project = str(Path.cwd())
        entries = _todays_files(Path(code or "."), store, leave_out=set()) if code else ()
        return Job(
            command=tuple(command or ()),
            directory=project,
            project=project,
            files=entries,
            environment=variables,
            limits=limits,
            network=network,
        )
    recorded = store.entries(run.files, what="recorded files")
    made = store.entries(run.outputs, what="original outputs")
    if code is not None:
        produced = {entry.path for entry in made} - {entry.path for entry in recorded}
        outside = tuple(entry for entry in recorded if entry.path.startswith("/"))
        entries = _todays_files(Path(code), store, leave_out=produced) + outside
    else:
        entries = recorded
    for entry in entries:
        _fetch(entry, store, store.root.parent)
    if command is not None:
        # Another command may well read what the original made, for example a trained model.
        present = {entry.path for entry in entries}
        entries += tuple(entry for entry in made if entry.path not in present and _available(entry, store))
    variables |= {name: value for name, value in run.environment.items() if name not in _HOST_ONLY}
    variables |= _of_system(lock)
    system, links = _system_files(lock, run.project)
    for entry in system:
        _fetch(entry, store, store.root.parent)
    there = {entry.path for entry in entries}
    entries += tuple(entry for entry in links if entry.path not in there)
    system = tuple(entry for entry in system if entry.path not in there)
    provided = provide(entries, store, project=run.project, folder=data)
    writable = {str(Path(entry.path).parent) for entry in made if entry.path.startswith("/")}
    return Job(
        command=tuple(command) if command is not None else unwrapped(run.command),
        directory=run.directory,
        project=run.project,
        files=provided.files,
        mounts=provided.mounts,
        system=system,
        folders=run.folders,
        environment=variables,
        writable=tuple(sorted(writable)),
        limits=limits,
        network=network,
    )


def _of_system(lock: Lock) -> dict[str, str]:
    """What leads programs to the system's recorded files, and to libraries of the project."""
    found = {"LD_LIBRARY_PATH": ":".join(lock.system.library_path), "TZ": lock.system.time_zone}
    return {name: value for name, value in found.items() if value}


def _system_files(lock: Lock, project: str) -> tuple[tuple[FileEntry, ...], tuple[FileEntry, ...]]:
    """The system's recorded files, and links to libraries of the project with their paths in it."""
    inside = f"{project.rstrip('/')}/"
    entries = to_install(lock.system)
    own = tuple(
        msgspec.structs.replace(entry, path=entry.path.removeprefix(inside))
        for entry in entries
        if entry.path.startswith(inside)
    )
    return tuple(entry for entry in entries if not entry.path.startswith(inside)), own


class Playing(Record):
    """What a replay does about randomness and time."""

    lock: Lock
    """Without its tapes when they are not played, so that rules for runs without tapes apply."""
    profile: Profile
    switches: tuple[Setting, ...] = ()
    seed: int | None = None
    tapes: dict[str, Any] = {}
    """Fields of the job."""
    notes: tuple[str, ...] = ()

    def of(self, job: Job) -> Job:
        """The job with all that in it."""
        if self.profile == "off":
            return job
        job = msgspec.structs.replace(job, settings=self.switches, **self.tapes)
        if self.profile == "portable" and (answers := kernels()) is not None:
            job = msgspec.structs.replace(job, kernels=str(answers))
        if self.seed is None:
            return job
        library = shim()
        preload = str(library) if library is not None else None
        return msgspec.structs.replace(job, strict=Strictness(seed=self.seed), preload=preload)


def playing(lock: Lock, store: Store, profile: Profile, *, seed: int | None, same_command: bool) -> Playing:
    """What a replay with this profile does; ``recorded`` stands for that of the recorded run.

    Args:
        seed: another one than the recorded; makes the replay ``strict``.
        same_command: False when another command than the recorded one runs: tapes are not for it.

    Raises:
        InputError: a seed for a profile that has none.
        EnvironmentFailure: this processor is none for the profile portable.
    """
    from envfreeze.determinism import settings
    from envfreeze.determinism._force import unheeded
    from envfreeze.determinism._kernels import NOT_COMPILED, not_covered, require

    run = lock.run
    if seed is not None and profile not in ("recorded", "strict"):
        raise InputError(f"the profile {profile} has no seed.", hint="Give --seed without --profile.")
    if profile == "recorded" and run is not None and same_command:
        profile = run.profile if run.profile != "off" else "recorded"
    if seed is not None:
        profile = "strict"
    if profile == "off":
        return Playing(lock=playable(lock, store, "off")[0], profile=profile)
    require(profile)
    taped: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if profile == "strict":
        recorded = run.seed if run is not None else None
        seed = seed if seed is not None else recorded if recorded is not None else 0
        notes = () if shim() is not None else (_NO_SHIM,)
        lock = playable(lock, store, "off")[0]
    else:
        lock, taped, notes = playable(lock, store, profile if same_command else "off")
    switches = settings(lock, profile, seed=seed or 0)
    have = {setting.variable for setting in switches}
    kept = tuple(
        msgspec.structs.replace(setting, in_force="unknown", found="")
        for setting in (run.settings if run is not None and run.profile == profile else ())
        if setting.kind == "variable" and setting.variable not in have
    )
    switches += kept
    notes += unheeded(switches, lock)
    if profile == "portable":
        notes += () if kernels() is not None else (NOT_COMPILED,)
        notes += not_covered(lock)
    return Playing(lock=lock, profile=profile, switches=switches, seed=seed, tapes=taped, notes=notes)


_NO_SHIM = "this installation has no shim: only the generators of known libraries are seeded, and no clock"


def untaped(lock: Lock) -> tuple[str, ...]:
    """A note on each gap of the lock about programs whose randomness and times are on no tape."""
    return tuple(f"{gap.what}: {gap.why}" for gap in lock.gaps if gap.what.startswith(UNTAPED))


def altered(lock: Lock, store: Store) -> tuple[str, ...]:
    """A note where the original outputs are not as the run made them, for anonymous review."""
    if lock.run is None:
        return ()
    outputs = store.entries(lock.run.outputs, what="original outputs")
    names = [entry.path for entry in outputs if entry.altered]
    streams = (("<stdout>", lock.run.stdout), ("<stderr>", lock.run.stderr))
    names += [name for name, stream in streams if stream.altered]
    if not names:
        return ()
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (f"names in these original outputs were replaced for anonymous review: {shown}",)


def playable(lock: Lock, store: Store, profile: str) -> tuple[Lock, dict[str, Any], tuple[str, ...]]:
    """What it takes to play the tapes of the recorded run.

    Returns:
        The lock, without its tapes when they cannot be played, so that rules for runs without tapes apply;
        fields of the job; notes that say why not.
    """
    from envfreeze.observer import tapes

    run = lock.run
    if run is None or run.tapes is None:
        return lock, {}, ()
    folder, why = (None, "") if profile == "off" else tapes.find(store, run.tapes)
    by_agent = {"by_agent": "agent" in run.tapes.layers, "tapes": str(folder)}
    if folder is not None and "shim" not in run.tapes.layers:
        return lock, by_agent, ()
    library = shim() if folder is not None else None
    if folder is not None and library is not None:
        return lock, {"preload": str(library), **by_agent}, ()
    if folder is not None:
        why = "this installation has no shim, which plays tapes that a shim recorded"
    notes = (f"{why}: the replay draws its own random numbers and times",) if why else ()
    return msgspec.structs.replace(lock, run=msgspec.structs.replace(run, tapes=None)), {}, notes


_HOST_ONLY = frozenset(
    {"LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONEXECUTABLE", "NVIDIA_VISIBLE_DEVICES"}
)
"""Variables that name libraries, interpreters or GPUs of the original machine; a container has its own."""


def _available(entry: FileEntry, store: Store) -> bool:
    """True when the content is in the store, or is not meant to be there."""
    return entry.sha256 is None or entry.origin is not None or entry.sha256 in store


def _fetch(entry: FileEntry, store: Store, project: Path) -> None:
    """Take a recorded content from the project folder when only the lock was copied, as in a git clone."""
    if _available(entry, store):
        return
    here = project / entry.path
    if here.is_file() and sha256(here) == entry.sha256:
        store.add_file(here)
        return
    raise InputError(
        f"{entry.path} is neither in {store.root} nor at {here} with its recorded content "
        f"(sha256 {str(entry.sha256)[:12]}…).",
        hint="Copy .envfreeze/ together with envfreeze.lock, or run today's files with --code .",
    )


def _todays_files(folder: Path, store: Store, *, leave_out: set[str]) -> tuple[FileEntry, ...]:
    """Every file of the folder as it is now, without the outputs of the original run."""
    if not folder.is_dir():
        raise InputError(f"--code {folder}: there is no such folder.")

    def entry(path: str) -> FileEntry:
        here = folder / path
        if here.is_symlink():
            return FileEntry(path=path, link=str(here.readlink()))
        digest, size = store.add_file(here)
        return FileEntry(path=path, size=size, sha256=digest, executable=os.access(here, os.X_OK))

    return tuple(in_parallel(entry, [path for path in tree.scan(folder) if path not in leave_out]))
