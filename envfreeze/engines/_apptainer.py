"""Command lines of Apptainer: a SIF file from an OCI image layout, and a command in it.

Sources: https://apptainer.org/docs/user/main/cli/apptainer_build.html, …/cli/apptainer_exec.html,
…/environment_and_metadata.html, …/bind_paths_and_mounts.html.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from envfreeze.engines._docker_build import LABEL
from envfreeze.records.run import Gpus

PROGRAMS = ("apptainer", "singularity")
"""SingularityCE takes the same words."""
_OWN = ("CACHEDIR", "TMPDIR", "CONFIGDIR", "DEBUG")
"""Settings of Apptainer that do not change what a container sees; all others are kept from it."""


class Mount(NamedTuple):
    """A folder or file of this machine and where the command sees it."""

    source: Path
    path: str
    writable: bool


def program() -> str | None:
    """Apptainer, or what came before it."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def mount_option(mount: Mount) -> str:
    """The value of ``--mount``: comma-separated fields, quoted as CSV, so that any path can stand in one."""
    fields = ["type=bind", f"source={mount.source}", f"destination={mount.path}"]
    fields += [] if mount.writable else ["ro"]
    return ",".join('"' + field.replace('"', '""') + '"' if _special(field) else field for field in fields)


def _special(field: str) -> bool:
    return any(character in field for character in ',"\n\r') or field != field.strip()


def exec_command(
    executable: str,
    image: str,
    command: Sequence[str],
    *,
    directory: str,
    home: Mount,
    mounts: Sequence[Mount],
    network: bool,
    gpus: Gpus | None,
) -> list[str]:
    """argv that runs ``command`` with nothing of this machine in sight but the mounts.

    ``--containall`` gives namespaces of their own, an empty ``/tmp``, no variables; the image is read-only.
    """
    words = [executable, "exec", "--containall", "--no-privs", "--pwd", directory]
    words += ["--home", f"{home.source}:{home.path}"]
    words += [] if network else ["--net", "--network", "none"]
    if gpus is not None:
        words.append("--rocm" if gpus.vendor == "amd" else "--nv")
    for mount in mounts:
        words += ["--mount", mount_option(mount)]
    return [*words, image, *command]


def variables(inside: Mapping[str, str], outside: Mapping[str, str]) -> dict[str, str]:
    """Variables for Apptainer's process: its own settings, and those that the command shall get.

    The option ``--env-file`` would have a shell evaluate the values.
    """
    kept = {
        name: value
        for name, value in outside.items()
        if not name.startswith(("APPTAINER", "SINGULARITY")) or name.partition("_")[2] in _OWN
    }
    return kept | {f"APPTAINERENV_{name}": value for name, value in inside.items()}


def configuration(layout: Path) -> dict[str, Any]:
    """``config`` of an OCI layout's image (image-spec 1.1, "OCI Image Configuration"); empty without one."""
    try:
        index = json.loads((layout / "index.json").read_bytes())
        manifest = json.loads(_blob(layout, index["manifests"][0]["digest"]))
        found = json.loads(_blob(layout, manifest["config"]["digest"]))["config"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _blob(layout: Path, digest: str) -> bytes:
    name = digest.removeprefix("sha256:")
    if not name.isalnum():
        raise ValueError(digest)
    return (layout / "blobs" / "sha256" / name).read_bytes()


def is_of(layout: Path, environment_id: str) -> bool:
    """True when the layout holds the image of this environment, as its label says."""
    labels = configuration(layout).get("Labels")
    return isinstance(labels, dict) and labels.get(LABEL) == environment_id


def prefix(layout: Path) -> str:
    """``sys.prefix`` of the image's interpreter (see ``_docker_run``)."""
    for text in configuration(layout).get("Env") or ():
        name, _, value = str(text).partition("=")
        if name == "CONDA_PREFIX":
            return value
        if name == "PYPY_VERSION":
            return "/opt/pypy"
    return "/usr/local"


def tag(layout: Path) -> str:
    """The image's name in the layout (image-spec 1.1, annotation ``ref.name``)."""
    index = json.loads((layout / "index.json").read_bytes())
    return str(index["manifests"][0].get("annotations", {}).get("org.opencontainers.image.ref.name", ""))


def host() -> dict[str, str]:
    """This process's variables."""
    return dict(os.environ)
