"""``pack --anonymous``: an anonymous copy of the project is packed, and what comes of it is searched."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from envfreeze.anonymous.gather import gather
from envfreeze.anonymous.identities import Identity
from envfreeze.anonymous.names import Names
from envfreeze.anonymous.project import Copy, anonymous_copy
from envfreeze.anonymous.search import public, refuse, search
from envfreeze.bundle import archive
from envfreeze.bundle.archive import Member
from envfreeze.bundle.options import Options
from envfreeze.errors import InputError
from envfreeze.files import CHUNK, replacing
from envfreeze.progress import Progress
from envfreeze.records import lockfile
from envfreeze.records.artifact import Artifact, Experiment
from envfreeze.records.lock import Lock

_TIME_ZONE = "the time zone stays in the lock, as results may depend on it: "
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".bmp", ".mp4", ".avi", ".svg")


class Hidden(NamedTuple):
    """A project whose author is hidden."""

    copy: Copy
    identities: tuple[Identity, ...]
    scratch: Path
    notes: tuple[str, ...]
    progress: Progress

    def write(self, output: Path, members: Iterable[Member], locks: Iterable[Lock]) -> list[str]:
        """Write the bundle if it names nobody; returns what the author should know.

        Raises:
            InputError: it does; nothing is written.
            OSError: the bundle cannot be written.
        """
        members = tuple(members)
        draft = self.scratch / "draft.zip"
        archive.write(draft, members)
        self.progress.step("looking for what names the author")
        found = search(draft, self.identities, public=public(locks))
        refuse(found)
        with draft.open("rb") as stream, replacing(output) as target:
            shutil.copyfileobj(stream, target, CHUNK)
        notes = [f"not looked into for names: {closed}" for closed in found.closed]
        pictures = sorted({member.name for member in members if member.name.lower().endswith(_PICTURES)})
        if pictures:
            shown = ", ".join(pictures[:5]) + (f" and {len(pictures) - 5} more" if len(pictures) > 5 else "")
            notes.append(
                f"names in what a picture or film shows are not found, look at them yourself: {shown}"
            )
        if found.public:
            packages = sorted({place.partition(":")[0].rpartition("/")[2] for place in found.public})
            words = ", ".join(packages)
            notes.append(f"public packages hold one of the names, the same for everybody: {words}")
        return notes


def hide(
    project: Path,
    artifact: Artifact,
    experiments: Sequence[Experiment],
    reports: Mapping[str, bytes],
    options: Options,
    output: Path,
    scratch: Path,
    progress: Progress,
) -> Hidden:
    """Find out who the author is, and make the copy.

    Raises:
        InputError: a signature was asked for, the bundle's own name says who it is, or content is missing.
        OSError: the copy cannot be written.
    """
    if options.sign is not None:
        raise InputError(
            "a signature names its signer, so that no bundle is both signed and anonymous.",
            hint="Sign the version that is published after the review.",
        )
    progress.step("finding out who the author is")
    locks = [lockfile.read(project / experiment.lock) for experiment in experiments]
    gathered = gather(project, artifact, locks, options.identities)
    names = Names(gathered.identities)
    if names.text(output.name) != output.name:
        raise InputError(f"the bundle's own name, {output.name}, says who its author is.", hint="Use -o.")
    progress.step(f"replacing {len(gathered.identities)} names")
    copy = anonymous_copy(
        project,
        artifact,
        experiments,
        reports,
        names,
        scratch,
        data=options.data,
        tapes=options.tapes,
    )
    notes = list(gathered.notes)
    notes += [f"names were replaced in {path}" for path in copy.anonymity.altered]
    zones = {lock.system.time_zone for lock in locks}
    zones |= {lock.run.environment.get("TZ", "") for lock in locks if lock.run is not None}
    notes += [_TIME_ZONE + zone for zone in sorted(zones - {"", "UTC", "Etc/UTC"})]
    return Hidden(copy, gathered.identities, scratch, tuple(notes), progress)
