"""tar archives: members, and the owners and paths in their headers."""

from __future__ import annotations

import copy
import io
import tarfile
from collections.abc import Iterator

from envfreeze.anonymous.formats import UNBOUNDED, Budget, CannotOpen, Change, Format, Part, collected, stream
from envfreeze.anonymous.names import Buffer, Names


def _members(data: Buffer, budget: Budget) -> Iterator[tuple[tarfile.TarInfo, Buffer]]:
    try:
        with tarfile.open(fileobj=stream(data), mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                yield member, collected(iter(lambda: content.read(1 << 20), b""), budget) if content else b""  # noqa: B023
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise CannotOpen(f"no readable tar archive: {error}") from None


def _words(member: tarfile.TarInfo) -> str:
    return "\n".join([member.linkname, member.uname, member.gname, *map(str, member.pax_headers.values())])


def parts(data: Buffer, budget: Budget) -> Iterator[Part]:
    """Every member, and what its header says beside the name."""
    for member, content in _members(data, budget):
        yield Part(member.name, content)
        yield Part(f"the header of {member.name}", _words(member).encode("utf-8", "surrogateescape"))


def rewrite(data: Buffer, names: Names, change: Change) -> bytes | None:
    """In the same order, with times, modes and kinds as they were."""
    made: list[tuple[tarfile.TarInfo, Buffer]] = []
    changed = False
    for member, content in _members(data, Budget(UNBOUNDED)):
        new = change(member.name, content)
        words = f"{member.name}\n{_words(member)}"
        changed |= new is not None or names.text(words) != words
        made.append((_renamed(member, names), new if new is not None else content))
    if not changed:
        return None
    pax = data.find(b"ustar\x0000") >= 0
    target = io.BytesIO()
    with tarfile.open(
        fileobj=target, mode="w:", format=tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    ) as archive:
        for member, content in made:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def _renamed(member: tarfile.TarInfo, names: Names) -> tarfile.TarInfo:
    member = copy.copy(member)
    for field in ("name", "linkname", "uname", "gname"):
        setattr(member, field, names.text(getattr(member, field)))
    member.pax_headers = {
        key: names.text(value) for key, value in member.pax_headers.items() if isinstance(value, str)
    }
    return member


FORMAT = Format(
    name="tar",
    recognises=lambda _, data: data[257:262] == b"ustar",
    parts=parts,
    rewrite=rewrite,
)
