"""What a local run does instead of mounts, where bubblewrap is missing: it leads paths to the copies.

An absolute path that the command has in its own text is out of reach; the run's notes say so.
"""

from __future__ import annotations

import posixpath

import msgspec

from envfreeze.data import source_of_mount
from envfreeze.engines._local_command import Fitted, moved
from envfreeze.engines._workspace import Workspace
from envfreeze.records.files import FileEntry
from envfreeze.records.run import Job


def with_links_led(job: Job, project: str, workspace: Workspace) -> list[FileEntry]:
    """Links to recorded files outside of the project lead to their copies, links to mounts to the source.

    Links into the original project lead into the new one.
    """
    outside = {entry.path for entry in job.files if entry.path.startswith("/")}

    def led(entry: FileEntry) -> FileEntry:
        if entry.link is None:
            return entry
        folder = posixpath.dirname(posixpath.join(job.project, entry.path))
        target = posixpath.normpath(posixpath.join(folder, entry.link))
        if not any(path == target or path.startswith(f"{target}/") for path in outside):
            link = source_of_mount(entry.link, job.mounts) or moved(entry.link, job.project, project)
            return msgspec.structs.replace(entry, link=link)
        return msgspec.structs.replace(entry, link=str(workspace.place(target)))

    return list(map(led, job.files))


def with_words_led(fitted: Fitted, job: Job, workspace: Workspace) -> Fitted:
    """Words of the command and variables that name recorded files outside of the project lead to copies."""
    folders = {posixpath.dirname(entry.path) for entry in job.files if entry.path.startswith("/")} - {"/"}
    led_before = (str(workspace.project), str(workspace.outside))

    def led(text: str) -> str:
        if any(place in text for place in led_before):
            return text  # the workspace itself may lie below a recorded folder
        for folder in sorted(folders, key=len, reverse=True):
            led_there = moved(text, folder, str(workspace.place(folder)))
            if led_there != text:
                return led_there
        return text

    variables = {name: led(fitted.variables[name]) for name in job.environment if name in fitted.variables}
    return fitted._replace(
        command=tuple(map(led, fitted.command)), variables=fitted.variables | variables | _home(fitted)
    )


def _home(fitted: Fitted) -> dict[str, str]:
    return {"HOME": fitted.variables["HOME"]}
