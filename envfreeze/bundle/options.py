"""What an author chooses for a bundle."""

from __future__ import annotations

from envfreeze.records.artifact import AllowedSecret
from envfreeze.records.base import Record


class Options(Record):
    """What goes into a bundle beside locks, recorded files and original outputs."""

    wheels: bool = False
    """All packages, so that the environment builds without an index."""
    image: bool = False
    """The image as an OCI layout, so that nothing has to be built."""
    data: str | None = None
    """Folder with the data that was recorded by digest only, which then travels along."""
    tapes: bool = False
    """The tapes of randomness and time; whoever has them knows the keys that the run made."""
    minimal: tuple[str, ...] = ()
    """A short run of the one experiment; several have theirs in ``artifact.yaml``."""
    checklists: tuple[str, ...] = ()
    """Venues whose checklists are filled in."""
    sign: str | None = None
    """File of the key that signs the digests."""
    anonymous: bool = False
    """For double-blind review: nothing in the bundle says who made it."""
    identities: tuple[str, ...] = ()
    """Names and the like that say so, beside those that are found."""
    allowed: tuple[AllowedSecret, ...] = ()
    """What looks like a secret and is none."""
