"""A replay: what an engine is asked to run, and what came of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from envfreeze.records.base import Bytes, Record, Seconds, Sha256
from envfreeze.records.comparison import Comparison
from envfreeze.records.environment import Cpu, Cuda, Rocm
from envfreeze.records.files import FileEntry, FileSet, StreamEntry
from envfreeze.records.settings import Profile, Setting, Strictness
from envfreeze.records.tapes import LeftTape


class Limits(Record):
    """Bounds on a replay; None means unbounded."""

    cpus: float | None = None
    memory: Bytes | None = None
    timeout: Seconds | None = None
    processes: int | None = 4096
    disk: Bytes | None = None
    """What the run's files and streams may take together; looked at every few seconds."""


class Gpus(Record):
    """GPUs that a job may use; without a field all of the machine's."""

    count: int | None = None
    devices: tuple[str, ...] = ()
    """Numbers or UUIDs."""
    vendor: Literal["nvidia", "amd"] = "nvidia"


class Image(Record):
    """A built environment, ready to run jobs: a container image, or a folder of the local engine."""

    engine: str
    reference: str
    """Image tag, or path of the environment's folder."""
    environment_id: Sha256
    built: bool = False
    """False when it was there already and nothing had to be built."""
    duration: Seconds = 0.0
    notes: tuple[str, ...] = ()
    """What differs from the recipe, for example another patch version of the interpreter."""


class Mounted(Record):
    """A file or folder of this machine that a job sees read-only; its content was checked beforehand."""

    source: str
    """Absolute path on this machine."""
    path: str
    """Absolute path that the job sees it at."""


class Job(Record):
    """A command to run in an environment, with the files it finds there."""

    command: tuple[str, ...]
    directory: str
    """Absolute working directory that the command expects."""
    project: str
    """Absolute folder in which relative ``files`` are laid out."""
    files: tuple[FileEntry, ...] = ()
    system: tuple[FileEntry, ...] = ()
    """Files that a built image has already (``Recipe.files``); engines without images lay them out."""
    folders: tuple[str, ...] = ()
    """Folders of the project that the command expects to find, relative to it, empty or not."""
    environment: dict[str, str] = {}
    """``HOME`` is among them when files were recorded below the home folder; they are looked for there."""
    mounts: tuple[Mounted, ...] = ()
    """Data too large to be laid out; links among ``files`` lead to it."""
    writable: tuple[str, ...] = ()
    """Further absolute folders that the command writes outputs to."""
    limits: Limits = Limits()
    network: bool = False
    gpus: Gpus | None = None
    """None keeps all GPUs from the command."""
    preload: str | None = None
    """Library of this machine that is preloaded into the command, so that it plays ``tapes``."""
    kernels: str | None = None
    """Library of this machine that is preloaded too, in the profile portable."""
    tapes: str | None = None
    """Folder of this machine with the tapes of the recorded run."""
    by_agent: bool = False
    """Whether the agent plays ``tapes``, in the processes that it recorded."""
    strict: Strictness | None = None
    """Randomness from a seed and one clock, instead of tapes."""
    settings: tuple[Setting, ...] = ()
    """What the agent puts in force and reads back in every Python of the command."""


class JobResult(Record):
    """What an engine returns: how the command ended and where its outputs were copied to."""

    exit_status: int
    """As a shell reports it; 124 when the time limit ended it (as GNU timeout does)."""
    timed_out: bool = False
    duration: Seconds = 0.0
    project: str = ""
    """Folder that the command saw as its project: equal to the job's where the engine allows it."""
    prefix: str = ""
    """``sys.prefix`` of the environment's interpreter, as the command saw it."""
    isolated: tuple[str, ...] = ()
    not_isolated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_tape: tuple[LeftTape, ...] = ()
    """Where the command asked for other randomness or times than the recorded run, in that order."""
    settings: tuple[Setting, ...] = ()
    """Those of the job, with what was read back."""
    warned: tuple[str, ...] = ()
    """Operations without a deterministic form, as libraries warned of them."""


class Run(Record):
    """The record of one replay, kept as ``.envfreeze/runs/<id>/run.json``."""

    id: str
    lock: Sha256
    """Digest of the lockfile's bytes."""
    engine: str
    image: Image
    command: tuple[str, ...]
    directory: str
    started: str
    exit_status: int
    timed_out: bool = False
    duration: Seconds = 0.0
    profile: Profile = "recorded"
    seed: int | None = None
    """Of the profile strict; None for others."""
    settings: tuple[Setting, ...] = ()
    warned: tuple[str, ...] = ()
    """Operations without a deterministic form, as libraries warned of them."""
    stdout: StreamEntry
    stderr: StreamEntry
    outputs: FileSet = FileSet()
    cpu: Cpu = Cpu()
    """The processor of this replay."""
    cuda: Cuda | None = None
    """GPUs and driver of the machine, when the replay was given NVIDIA GPUs."""
    rocm: Rocm | None = None
    """The same for AMD GPUs."""
    isolated: tuple[str, ...] = ()
    not_isolated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_tape: tuple[LeftTape, ...] = ()
    """Where the command asked for other randomness or times than the recorded run, in that order."""
    code: Literal["recorded", "given"] = "recorded"
    """``given`` when ``--code`` or another command replaced what was recorded."""
    comparison: Comparison | msgspec.UnsetType = msgspec.UNSET
    folder: str = ""
    """Where the record and the outputs lie."""


__all__ = [
    "Gpus",
    "Image",
    "Job",
    "JobResult",
    "Limits",
    "Mounted",
    "Profile",
    "Run",
    "Setting",
    "Strictness",
]
