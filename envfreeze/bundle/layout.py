"""Names of things in a bundle."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

SUMS = "SHA256SUMS"
SIGNATURES = (f"{SUMS}.sig", f"{SUMS}.minisig")
"""Signatures of ``SHA256SUMS``, by ssh-keygen and by minisign; the digests do not list them."""
MANIFEST = "bundle.json"
POINTER = ".envfreeze/bundle"
"""In an experiment's folder: a file that says where the bundle's root is, relative to that folder."""
SUFFIX = ".envfreeze.zip"
MAX_NAME = 1024
"""Bytes of a member's name."""
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
"""Names that Windows does not let a file have."""


def is_plain(name: str) -> bool:
    """Whether a file of this name can be unpacked everywhere: relative, normal, printable UTF-8."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return False
    parts = name.split("/")
    return (
        0 < len(encoded) <= MAX_NAME
        and all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in parts)
        and not any(char in name for char in '\\:*?"<>|')
        and name.isprintable()
        and not any(part.endswith((" ", ".")) for part in parts)
        and not any(part.partition(".")[0].lower() in _RESERVED for part in parts)
    )


def key(name: str) -> str:
    """Equal for names that are one file on some file system: by case, and by Unicode normalization."""
    return unicodedata.normalize("NFC", name).casefold()


def recorded(experiment: str, path: str, *, output: bool) -> str:
    """Name of a recorded file: below ``files`` or ``outputs``, or for an absolute path below ``outside``."""
    folder = "outputs" if output else "files"
    if path.startswith("/"):
        folder = "outputs-outside" if output else "outside"
    return str(PurePosixPath("experiments", experiment, folder, path.lstrip("/")))


def object_name(digest: str) -> str:
    """Name of a content that has none of its own."""
    return f"objects/{digest}"
