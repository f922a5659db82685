"""What was seen of one run of the user's command."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Bytes, Record, Seconds, Sha256
from envfreeze.records.files import FileSet, StreamEntry, refuse_unless_plain
from envfreeze.records.settings import Profile, Setting
from envfreeze.records.tapes import Tapes


class Parameter(Record):
    """One hyperparameter as the run really used it, whether somebody set it or a library's default did."""

    owner: str
    """What takes it, for example ``argparse`` or ``sklearn.ensemble.RandomForestClassifier``."""
    name: str
    value: str
    """As JSON where it can be, otherwise as ``repr`` without addresses."""
    source: Literal["given", "file", "environment", "default"]
    origin: str = ""
    """Where from: ``--epochs``, ``config.yaml``, ``scikit-learn 1.5.0``."""


class ProcessEntry(Record):
    """One program of the run; a process that calls exec is several, one after the other."""

    pid: int
    parent: int = 0
    program: str = ""
    """Path of the executable."""
    command: tuple[str, ...] = ()
    """The command line, secrets masked."""
    started: Seconds = 0.0
    """Since the start of the first."""
    took: Seconds | None = None
    """From start to end; None when the end was not seen (killed, or became another program)."""
    exit_status: int | None = None
    """As a shell reports it, 128 + N when signal N ended it; None when it was not seen."""
    cpu: Seconds = 0.0
    """User and system time of this process; 0 also when it was not seen."""
    peak_memory: Bytes = 0
    """Largest resident memory (VmHWM, proc(5)); 0 when it was not seen."""
    read: tuple[str, ...] = ()
    """Recorded files that it read, by their paths in the record (see ``FileEntry``)."""
    wrote: tuple[str, ...] = ()
    """Recorded outputs that it made or changed."""
    unnamed: int = 0
    """How many more it read and wrote, which are left out here as they are too many."""


class Observation(Record):
    """A run as it was watched: what was asked, what happened, what was read and what was made."""

    command: tuple[str, ...]
    directory: str
    """Absolute working directory."""
    project: str
    """Absolute project folder: files below it are recorded relative to it."""
    started: str = ""
    """UTC, RFC 3339."""
    exit_status: int = 0
    """As a shell reports it: 128 + N when signal N ended the command."""
    duration: Seconds = 0.0
    cpu: Seconds = 0.0
    """Processor time of the whole process tree, user and system."""
    peak_memory: Bytes = 0
    """Largest sum of resident memory over the process tree."""
    environment: dict[str, str] = {}
    """Variables that matter for results, with values (see ``observer.environment``)."""
    environment_names: tuple[str, ...] = ()
    """The other variables' names; their values are never stored, as they may be secrets."""
    stdout: StreamEntry
    stderr: StreamEntry
    files: FileSet = FileSet()
    """What the run read, as it was before it: the project's files, and data and code from elsewhere."""
    outputs: FileSet = FileSet()
    """Files that the run made or changed, as they were after it."""
    folders: tuple[str, ...] = ()
    """Folders of the project that were there before the run and that it wrote into: a replay needs them."""
    output_patterns: tuple[str, ...] = ()
    """``--output`` of the freeze: what counts as an output; empty means all that is new or changed."""
    absent: tuple[str, ...] = ()
    """Paths of the project that the run looked for and that were not there."""
    network: tuple[str, ...] = ()
    """Other machines that were connected to, as ``address:port``."""
    parameters: tuple[Parameter, ...] = ()
    interpreters: tuple[str, ...] = ()
    """Every Python that ran, first the target."""
    processes: int = 0
    process_tree: Sha256 | None = None
    """Stored list of the programs that ran (see ``ProcessEntry``)."""
    tapes: Tapes | None = None
    """The randomness and the times that it got; None when they were not recorded."""
    profile: Profile = "recorded"
    seed: int | None = None
    """Of the profile strict; None for others."""
    settings: tuple[Setting, ...] = ()
    """What the profile applied, with what was read back from the run's processes."""
    warned: tuple[str, ...] = ()
    """Operations without a deterministic form, as libraries warned of them."""

    def __post_init__(self) -> None:
        for path in (self.directory, self.project, *self.folders):
            refuse_unless_plain(path)
        if not (self.directory.startswith("/") and self.project.startswith("/")):
            raise ValueError("the working directory and the project folder must be absolute paths")
        if any(path.startswith("/") for path in self.folders):
            raise ValueError("folders must be relative to the project folder")

    @property
    def failed(self) -> bool:
        """True when the user's command did not succeed."""
        return self.exit_status != 0
