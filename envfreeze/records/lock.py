"""The lock: all that a run depended on."""

from __future__ import annotations

from envfreeze.records.base import Record
from envfreeze.records.environment import (
    CondaEnvironment,
    Cpu,
    Cuda,
    Git,
    Interpreter,
    Package,
    PipConfiguration,
    Rocm,
    System,
)
from envfreeze.records.files import FileEntry, Gap
from envfreeze.records.observation import Observation
from envfreeze.records.recipe import BaseImage

SCHEMA_VERSION = 1


class Lock(Record):
    """The content of ``envfreeze.lock``; the order of the fields is the order in the file."""

    envfreeze_lock: int
    """Version of this schema."""
    run: Observation | None = None
    """None when only the environment was frozen."""
    interpreter: Interpreter
    packages: tuple[Package, ...] = ()
    pip: PipConfiguration = PipConfiguration()
    conda: CondaEnvironment | None = None
    system: System = System()
    cpu: Cpu = Cpu()
    cuda: Cuda | None = None
    rocm: Rocm | None = None
    git: Git | None = None
    base: BaseImage | None = None
    """The image that the Dockerfile starts from; None when none fits the interpreter."""
    claims: FileEntry | None = None
    """The paper's claims as they were at the freeze (``claims.yaml``)."""
    gaps: tuple[Gap, ...] = ()
    """What could not be captured; empty is the best that a lock can say."""
