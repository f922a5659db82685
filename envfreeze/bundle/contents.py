"""The members of a bundle while it is put together."""

from __future__ import annotations

import hashlib
import posixpath
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from envfreeze.bundle.archive import Member
from envfreeze.bundle.layout import SUMS, is_plain, key
from envfreeze.secrets import Secret, scan


class Contents:
    """Members by name; a content that is there already becomes a link to its first place."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._places: dict[str, str] = {}
        self._taken: set[str] = set()

    def add(self, member: Member, *, once: bool = True) -> None:
        """Add a member whose ``sha256`` is known; with ``once`` a second copy is a link to the first."""
        if member.name in self._members:
            return
        place = self._places.setdefault(member.sha256, member.name)
        if once and place != member.name:
            target = posixpath.relpath(place, posixpath.dirname(member.name) or ".")
            member = Member(name=member.name, link=target, sha256=member.sha256)
        self._members[member.name] = member
        self._taken.add(key(member.name))

    def add_text(self, name: str, text: str | bytes, *, executable: bool = False) -> None:
        """Add a member that was made here."""
        data = text.encode() if isinstance(text, str) else text
        digest = hashlib.sha256(data).hexdigest()
        self.add(Member(name=name, data=data, sha256=digest, executable=executable), once=False)

    def holds(self, digest: str) -> bool:
        """Whether a content is there already."""
        return digest in self._places

    def is_free(self, name: str) -> bool:
        """Whether a member of this name can be added, on every file system."""
        return is_plain(name) and key(name) not in self._taken

    def secrets(self) -> tuple[Secret, ...]:
        """What looks like a secret in recorded files, outputs and texts; packages are other people's."""
        names = [
            name for name in self._members if not name.endswith((".whl", SUMS)) and "/image/" not in name
        ]
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for number, name in enumerate(names):
                member = self._members[name]
                if member.source is not None:
                    files[name] = member.source
                elif not member.link:
                    files[name] = Path(folder) / str(number)
                    files[name].write_bytes(member.data)
            return scan(files)

    def sizes(self) -> dict[str, tuple[str, int]]:
        """Digest and size in bytes of each member so far, by its name."""
        ordered = sorted(self._members.values(), key=lambda member: member.name)
        return {member.name: (member.sha256, self._size(member)) for member in ordered}

    def _size(self, member: Member) -> int:
        if member.link:
            return self._size(self._members[self._places[member.sha256]])
        return member.source.stat().st_size if member.source else len(member.data)

    def members(self, sign: Callable[[bytes], tuple[str, bytes]] | None = None) -> Iterator[Member]:
        """All of them in the order of their names, and last their digests and the signature of these."""
        ordered = sorted(self._members.values(), key=lambda member: member.name)
        sums = "".join(f"{member.sha256}  {member.name}\n" for member in ordered)
        yield from ordered
        yield Member(name=SUMS, data=sums.encode())
        if sign is not None:
            name, signature = sign(sums.encode())
            yield Member(name=name, data=signature)
