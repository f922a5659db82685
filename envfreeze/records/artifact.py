"""The paper's artifact: what its author says of it, and what a bundle says of itself."""

from __future__ import annotations

import re
from typing import Any, Literal

from envfreeze.records.base import Bytes, Record, Seconds, Sha256

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
BUNDLE_VERSION = 1


def refuse_unless_name(name: str) -> None:
    """Let only names through that are a folder's name on every system.

    Raises:
        ValueError: in words for the user.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an experiment: use a-z, 0-9, '.', '_' and '-'")


class Experiment(Record):
    """One experiment of a paper: a lock, and what a reviewer should know before running it."""

    name: str
    """A folder's name, for example ``table1``."""
    lock: str = "envfreeze.lock"
    """Lockfile, relative to the artifact's folder."""
    title: str = ""
    """Where the paper shows its result, for example ``Table 1``."""
    expected_time: str = ""
    """In words, for example ``2 hours on one A100``; the recorded time when it is empty."""
    claims: str = ""
    """claims.yaml of this experiment, relative to the artifact's folder."""
    minimal: tuple[str, ...] = ()
    """A command that shows within minutes that all works; empty when there is none."""

    def __post_init__(self) -> None:
        refuse_unless_name(self.name)


class Artifact(Record):
    """The content of ``artifact.yaml``."""

    title: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    license: str = ""
    """SPDX identifier, for example ``MIT``."""
    paper: str = ""
    """DOI or URL."""
    experiments: tuple[Experiment, ...] = ()


class BundledEnvironment(Record):
    """An environment that one or several experiments of a bundle run in."""

    folder: str
    """Relative to the bundle: Dockerfile and all that it copies."""
    environment_id: Sha256
    python: str
    image: bool = False
    """True when ``image/`` below the folder holds the image as an OCI layout."""
    offline: bool = False
    """True when all packages travel along, so that it builds without an index."""


class BundledClaim(Record):
    """One claim of the paper, and where it is looked for."""

    id: str
    holds: str
    location: str = ""
    text: str = ""
    files: tuple[str, ...] = ()
    """Outputs that it speaks of; ``<stdout>`` is what was printed."""


class BundledExperiment(Record):
    """One experiment of a bundle; its files lie below ``folder``."""

    name: str
    folder: str
    environment: str
    """``folder`` of its environment."""
    title: str = ""
    command: tuple[str, ...] = ()
    minimal: tuple[str, ...] = ()
    """A smoke run; empty when there is none."""
    minimal_origin: str = ""
    """``the author``, or how it was derived."""
    original_lock: Sha256
    """Digest of the author's lockfile, which the bundle's was made from."""
    duration: Seconds = 0.0
    peak_memory: Bytes = 0
    expected_time: str = ""
    disk: Bytes = 0
    """Recorded files and original outputs together."""
    gpu: str = ""
    """The GPUs of the author's machine, in words; empty when none was seen."""
    files: int = 0
    outputs: int = 0
    elsewhere: tuple[str, ...] = ()
    """Recorded files whose content is not in the bundle, as only its digest was recorded."""
    claims: tuple[BundledClaim, ...] = ()
    tapes: bool = False
    swept: tuple[str, ...] = ()
    """The author's sweeps that travel along, in words: ``16 runs over seed``."""

    def __post_init__(self) -> None:
        refuse_unless_name(self.name)


class AllowedSecret(Record):
    """What looked like a secret, and why its author says that it is none."""

    fingerprint: str
    reason: str


class Anonymity(Record):
    """What was done to a bundle for double-blind review; it names nobody."""

    altered: tuple[str, ...] = ()
    """``EXPERIMENT: PATH`` of what the run read or made that holds stand-ins, and so is not what it had."""
    left_out: tuple[str, ...] = ()
    """What the locks do not tell, in words."""


class Bundle(Record, omit_defaults=False):
    """The content of ``bundle.json``."""

    envfreeze_bundle: int = BUNDLE_VERSION
    made_by: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    license: str = ""
    paper: str = ""
    environments: tuple[BundledEnvironment, ...] = ()
    experiments: tuple[BundledExperiment, ...] = ()
    allowed_secrets: tuple[AllowedSecret, ...] = ()
    anonymity: Anonymity | None = None
    """None when its author is not hidden."""


class Finding(Record):
    """What ``verify`` says of one thing."""

    level: str
    """``ok``, ``missing`` (the bundle is whole, and this is needed from elsewhere) or ``damaged``."""
    what: str
    why: str = ""


class Search(Record, omit_defaults=False):
    """Where a bundle names somebody."""

    identities: int
    """How many were looked for."""
    places: tuple[str, ...] = ()
    """File, place in it, and who."""
    public: tuple[str, ...] = ()
    """The same in packages that an index offers to everybody in the same bytes."""
    closed: tuple[str, ...] = ()
    """What could not be looked into, and why."""
    files: int = 0
    """Contents that were looked through, those in archives among them."""
    opened: int = 0
    """Archives and streams that were opened."""


class Signature(Record, omit_defaults=False):
    """What the signature of a bundle's digests says."""

    state: Literal["unsigned", "signed", "unknown", "bad", "unchecked"]
    """``signed``: by somebody whom the reader's file of signers names; ``unknown``: sound, by a key that it
    does not name; ``bad``: not of these digests; ``unchecked``: the tool is not there."""
    tool: str = ""
    key: str = ""
    """Kind and fingerprint."""
    signer: str = ""
    why: str = ""


class Verification(Record, omit_defaults=False):
    """The result of ``verify``."""

    path: str
    whole: bool
    """Every member has the content that SHA256SUMS records, and every lock finds what it refers to."""
    offline: bool
    """Nothing is needed from elsewhere to replay it."""
    members: int = 0
    size: Bytes = 0
    findings: tuple[Finding, ...] = ()
    signature: Signature = Signature(state="unsigned")
    search: Search | None = None
    """None when nobody was looked for."""


Json = dict[str, Any]
