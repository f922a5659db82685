"""What both engines do to play a job's tapes: the shim is preloaded, and told where they are.

The image's C library may be older than the one that the shim was made for. Its loader then says so on the
standard error of every program; so one program is tried first, by the shell that becomes the command.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from envfreeze.determinism import _force
from envfreeze.observer.inject import SETTINGS, copy_agent, settings_variables, strict_variables
from envfreeze.observer.tapes import PLAYED, first_process, not_played, source_name
from envfreeze.records.run import Job
from envfreeze.records.tapes import LeftTape

SHIM = "shim.so"
TAPES = "tapes"
KERNELS = "portable.so"
STATE = "state"
AGENT = "agent"
"""Names in the folder that the command finds the shim, the tapes, a place for notes and the agent in."""

_REFUSED = "refused"
_MOST_BYTES = 1 << 20
_TRY = """\
shim=$ENVFREEZE_PRELOAD; unset ENVFREEZE_PRELOAD
if [ -z "$shim" ]; then :
elif said=$(ENVFREEZE_TAPE= LD_PRELOAD="$shim" /bin/true 2>&1) && [ -z "$said" ]
then LD_PRELOAD=$shim; export LD_PRELOAD
else : > "$ENVFREEZE_TAPE_STATE/refused"
fi
exec "$@"
"""

NOTE_REFUSED = (
    "the C library of this environment does not load the shim, so the recorded randomness and times were not "
    "given back"
)


def is_equipped(job: Job) -> bool:
    """True when the command is given tapes, a seed or settings."""
    return job.tapes is not None or job.strict is not None or job.kernels is not None or bool(job.settings)


def _brings_agent(job: Job) -> bool:
    return bool(job.settings) or job.by_agent


def brought(job: Job, folder: Path, seen_as: str) -> dict[str, Path]:
    """What has to lie at ``seen_as`` beside ``STATE``, by name; what has to be made is made in ``folder``.

    Raises:
        OSError: the folder cannot be written.
    """
    parts = {}
    if job.preload is not None:
        parts[SHIM] = Path(job.preload)
    if job.kernels is not None:
        parts[KERNELS] = Path(job.kernels)
    if job.tapes is not None:
        parts[TAPES] = Path(job.tapes)
    if _brings_agent(job):
        parts[AGENT] = folder / AGENT
        copy_agent(folder / AGENT)
        settings_variables(job.settings, folder / AGENT, f"{seen_as}/{STATE}")
    return parts


def playing(
    job: Job, command: Sequence[str], folder: str, project: str
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The command and the variables with which a job plays its tapes, or is given a seed and settings.

    Args:
        folder: absolute path, as the command sees it, of what holds ``SHIM``, ``TAPES`` and ``STATE``.
        project: absolute path of the project, as the command sees it; paths on the tapes are below it.
    """
    notes = f"{folder}/{STATE}"
    variables = {"ENVFREEZE_TAPE_STATE": notes, "ENVFREEZE_TAPE_ROOT": project}
    libraries = [SHIM] * (job.preload is not None) + [KERNELS] * (job.kernels is not None)
    if libraries:
        variables["ENVFREEZE_PRELOAD"] = ":".join(f"{folder}/{name}" for name in libraries)
    if job.strict is not None:
        variables |= strict_variables(job.strict, notes, network=job.network)
    elif job.tapes is not None:
        variables |= {"ENVFREEZE_TAPE": "replay", "ENVFREEZE_TAPES": f"{folder}/{TAPES}", **first_process()}
        if job.by_agent:
            variables["ENVFREEZE_TAPE_AGENT"] = "play"
        if job.network:
            # Keys that anybody with the tapes could make again are none.
            variables["ENVFREEZE_TAPE_KEYS"] = "real"
    if _brings_agent(job):
        given = job.environment.get("PYTHONPATH", "")
        variables["PYTHONPATH"] = f"{folder}/{AGENT}:{given}" if given else f"{folder}/{AGENT}"
        variables |= {
            "ENVFREEZE_SETTINGS": f"{folder}/{AGENT}/{SETTINGS}",
            "ENVFREEZE_SETTINGS_NOTES": notes,
        }
    return ("/bin/sh", "-c", _TRY, "sh", *command), variables


def pack_into(stream: IO[bytes], parts: dict[str, Path], *, owner: int) -> None:
    """Write a tar archive of what ``brought`` returned and an empty folder for notes.

    Raises:
        OSError: they cannot be read, or the disk is full.
    """

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = owner
        member.mode = 0o755 if member.isdir() or member.name in (SHIM, KERNELS) else 0o644
        return member

    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, path in parts.items():
            archive.add(path, name, filter=owned)
        state = tarfile.TarInfo(STATE)
        state.type, state.mode, state.uid, state.gid = tarfile.DIRTYPE, 0o777, owner, owner
        archive.addfile(state)


def unpack_state(chunks: Iterable[bytes], folder: Path) -> None:
    """Take the files of notes out of an archive of the folder ``STATE``; all else is passed over.

    Raises:
        OSError: the disk is full.
        tarfile.TarError: the archive ended in its middle.
    """
    data = io.BytesIO()
    for chunk in chunks:
        if data.tell() < 4 * _MOST_BYTES:
            data.write(chunk)
    data.seek(0)
    with tarfile.open(fileobj=data) as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if (
                name in ("left", PLAYED, _REFUSED, _force.NOTES)
                and member.isreg()
                and (text := archive.extractfile(member))
            ):
                (folder / name).write_bytes(text.read(_MOST_BYTES))


def read_state(
    folder: Path, sealed: Path | str | None = None
) -> tuple[tuple[LeftTape, ...], tuple[str, ...]]:
    """Where the command left its tapes, and notes; it could write there itself, so nothing is trusted.

    Args:
        sealed: the folder of the tapes, for those that no process asked for.
    """
    notes = (NOTE_REFUSED,) if (folder / _REFUSED).is_file() else ()
    try:
        with (folder / "left").open("rb") as stream:
            lines = stream.read(_MOST_BYTES).decode(errors="replace").splitlines()
    except OSError:
        lines = []
    left = tuple(left for line in lines if (left := _left(line)) is not None)
    return left + (not_played(Path(sealed), folder) if sealed is not None else ()), notes


def _left(line: str) -> LeftTape | None:
    fields = line.split("\t")
    if len(fields) not in (8, 9) or not all(fields[at].isdecimal() for at in (1, 4, *range(8, len(fields)))):
        return None
    process, source, thread, site, taken, line, place, why = fields[:8]
    return LeftTape(
        process=process,
        source=source_name(int(source[:9])),
        site=site,
        thread=thread,
        taken=int(taken[:18]),
        line=line,
        place=place,
        why=why,
        more=int(fields[8][:18]) if len(fields) == 9 else 0,
    )
