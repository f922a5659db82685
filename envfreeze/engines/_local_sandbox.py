"""What separates a local run from the machine: bubblewrap, else a network namespace, else nothing.

With bubblewrap the command sees the system's own folders read-only, its environment, a fresh home and
``/tmp``, and its project at the recorded path; no other file of the machine. See bwrap(1).
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/sys",
)
"""What the command sees of the machine, read-only. ``/run`` and ``/var`` hold sockets and data of others."""
_OWN = ("/proc", "/dev")
_DEVICES = {"nvidia": ("nvidia*",), "amd": ("dri", "kfd")}
"""Devices of GPUs by their vendor, below ``/dev``; ``nvidia-caps`` has those of MIG."""
Vendor = Literal["nvidia", "amd"]
MAX_CHILDREN = 2000
"""bwrap takes 9000 arguments (MAX_ARGS in its source), three for each bound entry."""

SHARED_MEMORY = 2 << 30
"""Bytes of ``/dev/shm``, as in the containers of the other engines."""

HOME = "/home/envfreeze"
ELSEWHERE = "/workspace"
"""Where the project lies when it cannot lie at its recorded path."""

Kind = Literal["bubblewrap", "bubblewrap without processes", "network namespace", "nothing"]


class Mount(NamedTuple):
    """A folder or file of the machine, as the command sees it."""

    path: str
    source: Path
    writable: bool = False


@functools.cache
def best() -> Kind:
    """The strongest isolation that works here, found by trying."""
    if bwrap := shutil.which("bwrap"):
        for kind in ("bubblewrap", "bubblewrap without processes"):
            if _works([bwrap, *_base(kind, network=False), "--", "true"]):
                return kind
    if shutil.which("unshare") and _works(["unshare", "-rn", "true"]):
        return "network namespace"
    return "nothing"


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def possible(path: str) -> bool:
    """Whether a folder can be put at this path without hiding the system itself."""
    place = PurePosixPath(path)
    if not place.is_absolute() or ".." in place.parts or len(place.parts) < 2:
        return False
    for root in (*SYSTEM, *_OWN):
        inside = _below(path, root)
        if place == PurePosixPath(root) or (
            inside and (root in _OWN or root == "/sys" or Path(root).is_symlink())
        ):
            return False
    existing = _deepest_existing(path)
    return not _is_system(path) or str(existing) == path or len(list(existing.iterdir())) <= MAX_CHILDREN


def is_system(path: str) -> bool:
    """True for what lies below one of the read-only folders, or in the way of them."""
    return _is_system(path) or not possible(path)


def _is_system(path: str) -> bool:
    return any(_below(path, root) for root in SYSTEM)


def bubblewrap(
    kind: Kind,
    mounts: Iterable[Mount],
    *,
    network: bool,
    directory: str,
    status_fd: int | None = None,
    gpus: Iterable[Vendor] = (),
) -> list[str]:
    """The command line up to and including ``--``; the later of two ``mounts`` at a path wins.

    ``gpus`` are the vendors whose GPUs the command may use.
    """
    arguments = [shutil.which("bwrap") or "bwrap", *_base(kind, network=network), *_devices(gpus)]
    opened: list[str] = []
    writable = dict.fromkeys(SYSTEM, False)
    for mount in sorted(mounts, key=lambda mount: len(PurePosixPath(mount.path).parts)):
        around = max((path for path in writable if _below(mount.path, path)), key=len, default=None)
        if around is not None and not writable[around] and not Path(mount.path).exists():
            ancestor = str(_deepest_existing(mount.path))
            arguments += _open(ancestor)
            opened.append(ancestor)
            writable[ancestor] = True
        arguments += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.path]
        writable[mount.path] = mount.writable
    closed = ["/dev"] if _bounds_memory() else []
    if closed:  # what lies in memory is nobody's process's, and so no limit's on processes
        arguments += ["--perms", "1777", "--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108
    for path in ("/", *closed, *opened):
        arguments += ["--remount-ro", path]
    if status_fd is not None:
        arguments += ["--json-status-fd", str(status_fd)]
    return [*arguments, "--chdir", directory, "--"]


@functools.cache
def _bounds_memory() -> bool:
    """Whether this bwrap can say how large a file system in memory may become (since 0.7)."""
    try:
        said = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return "--size " in said.stdout + said.stderr and "--perms " in said.stdout + said.stderr


def _base(kind: Kind, *, network: bool) -> list[str]:
    arguments = ["--die-with-parent", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL"]
    arguments += [] if network else ["--unshare-net"]
    for root in SYSTEM:
        path = Path(root)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), root]
        elif path.is_dir():
            arguments += ["--ro-bind", root, root]
    if kind == "bubblewrap":
        arguments += ["--unshare-pid", "--proc", "/proc"]
    else:  # inside a container that forbids a fresh /proc
        arguments += ["--ro-bind", "/proc", "/proc"]
    arguments += ["--dev", "/dev"]
    resolver = Path("/etc/resolv.conf").resolve()
    if network and resolver.is_file() and resolver.is_relative_to("/run"):
        arguments += ["--ro-bind", str(resolver), str(resolver)]
    return arguments


def _devices(vendors: Iterable[Vendor]) -> Iterator[str]:
    for vendor in vendors:
        for pattern in _DEVICES[vendor]:
            for device in sorted(Path("/dev").glob(pattern)):
                yield from ("--dev-bind", str(device), str(device))


def _open(folder: str) -> list[str]:
    """Lay a read-only folder out again with all that it holds, so that something can be added to it."""
    arguments = ["--tmpfs", folder]
    for child in sorted(Path(folder).iterdir()):
        if child.is_symlink():
            arguments += ["--symlink", str(child.readlink()), str(child)]
        elif child.is_dir() or child.is_file():
            arguments += ["--ro-bind-try", str(child), str(child)]
    return arguments


def _below(path: str, folder: str) -> bool:
    return PurePosixPath(folder) in PurePosixPath(path).parents


def _deepest_existing(path: str) -> Path:
    place = Path(path)
    while not place.exists():
        place = place.parent
    return place
