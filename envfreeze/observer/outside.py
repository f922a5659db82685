"""Reads outside the project: which of them are data that the lock does not hold."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from envfreeze.observer.events import Events
from envfreeze.observer.inputs import named_gaps
from envfreeze.observer.programs import executable_by_name
from envfreeze.records.files import Gap

_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev", "/run",
    "/var/cache", "/var/lib", "/opt/intel", "/opt/nvidia", "/opt/rocm", "/nix", "/snap",
)  # fmt: skip
"""Folders of the operating system: the base image and the system's packages stand for them."""

_HOME = (
    ".config", ".fonts", ".local/share/fonts", ".local/lib", ".local/pipx", ".local/share/uv", ".matplotlib",
    ".ipython", ".jupyter", ".nv", ".triton", ".pyenv", ".python_history", ".terminfo", ".inputrc",
    ".pythonrc", ".gitconfig", ".pydistutils.cfg", ".pip", ".condarc", ".conda",
)  # fmt: skip
"""Below the home folder: settings and installations of tools."""

_DOWNLOADS = (
    ".cache/huggingface", ".cache/torch", ".cache/clip", ".cache/whisper", ".cache/kagglehub", ".keras",
    "scikit_learn_data", "seaborn-data", "nltk_data", "tensorflow_datasets",
)  # fmt: skip
"""Below the home folder: where libraries put downloaded models and data sets, which are data of the run."""


def outside_gaps(
    paths: Iterable[str], events: Events, environment: Mapping[str, str], *, began: int
) -> list[Gap]:
    """A gap for every file of data outside the project; ``began`` is the run's start, ns since the epoch.

    Left out are the interpreters and what is installed in them, the system, caches, and what the run wrote
    itself.
    """
    home = environment.get("HOME", "").rstrip("/")
    own = {os.path.normpath(path) for path in events.written}
    passed_over = tuple(f"{folder}/" for folder in _passed_over(events, environment, home))
    downloads = [f"{home}/{name}" for name in _DOWNLOADS if home]
    data: set[str] = set()
    for path in paths:
        cache = next((folder for folder in downloads if path.startswith(folder + "/")), None)
        if cache is not None:
            data.add(cache + "/")
        elif path not in own and not path.startswith(passed_over) and _is_older_file(path, began):
            data.add(path)
    return named_gaps("data outside the project folder is not captured", sorted(data))


def unrecorded_outputs(
    events: Events, recorded: Iterable[str], environment: Mapping[str, str], project: str
) -> list[Gap]:
    """A gap for every file that a Python of the run wrote elsewhere and that no pattern made an output."""
    home = environment.get("HOME", "").rstrip("/")
    temporary = {environment.get("TMPDIR") or "/tmp", project, os.path.realpath(project)}  # noqa: S108
    passed_over = {*_passed_over(events, environment, home), *temporary, *recorded}
    elsewhere = tuple(f"{folder.rstrip('/')}/" for folder in passed_over)
    paths = {os.path.normpath(path) for path in events.written}
    left = sorted(path for path in paths if not f"{path}/".startswith(elsewhere) and os.path.isfile(path))  # noqa: PTH113
    return named_gaps("files written outside the project folder are no outputs", left, "(see --output)")


def _passed_over(events: Events, environment: Mapping[str, str], home: str) -> set[str]:
    given = {os.path.normpath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path}
    folders = {*_SYSTEM, environment.get("XDG_CACHE_HOME", ""), environment.get("MPLCONFIGDIR", "")}
    if home:
        folders |= {f"{home}/.cache", *(f"{home}/{name}" for name in _HOME)}
    for process in events.processes:
        folders |= {process.prefix, process.base_prefix, process.pycache_prefix}
        # Editable installs put their sources on the path, or map to them; the packages stand for these.
        folders |= {entry for entry in process.path if os.path.normpath(entry) not in given}
        folders |= {
            os.path.dirname(entry) if entry.endswith(".py") else entry  # noqa: PTH120
            for entry in process.editable
        }
    for image in events.images:
        # A Python that the agent was not loaded into: <prefix>/bin/python, as called and with links resolved.
        if executable_by_name(image.program):
            called = os.path.join(image.directory, image.argv[0] if image.argv else "")  # noqa: PTH118
            folders |= {os.path.dirname(os.path.dirname(path)) for path in (image.program, called)}  # noqa: PTH120
    folders |= {os.path.realpath(folder) for folder in folders if folder.startswith("/")}
    return {folder.rstrip("/") for folder in folders if folder.startswith("/")} - {"", home}


def _is_older_file(path: str, began: int) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116 - names that are not valid UTF-8
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_mtime_ns < began
