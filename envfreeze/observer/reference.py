"""Data too large to keep: recorded by its digest, its size, and where it came from.

Nothing of it goes into the store; a replay takes it from its recorded path, or from a folder that the user
gives, after holding its digest against the recorded one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from envfreeze.errors import InputError
from envfreeze.observer.outputs import normalized
from envfreeze.observer.patterns import matches_one
from envfreeze.redact import url_without_credentials

LARGER_THAN = 100 << 20
"""Bytes: ``--data reference`` without a size means data above this."""
_MOST_POINTER = 1 << 16
"""Bytes of a ``.dvc`` file that are read; an honest one has a few hundred."""
_SIZE = re.compile(r"(\d+)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_CODE = (".py", ".pyc", ".sh", ".so", ".ipynb", ".toml", ".yaml", ".yml", ".cfg", ".ini")
"""What a program is made of is always kept, whatever its size."""


class Referenced(NamedTuple):
    """Which files are recorded by digest and origin alone."""

    larger_than: int | None = None
    """Bytes; None when only the patterns decide."""
    patterns: tuple[str, ...] = ()
    """As of ``outputs.normalized``."""

    def applies(self, path: str, size: int) -> bool:
        """True when the file at this path, relative to the project or absolute, is not to be kept."""
        if any(matches_one(path, pattern) for pattern in self.patterns):
            return True
        return self.larger_than is not None and size > self.larger_than and not path.endswith(_CODE)

    def origin(self, path: str, here: str, size: int) -> str | None:
        """Where the file at ``here`` came from; None when it is to be kept instead."""
        return origin_of(here) if self.applies(path, size) else None


NOTHING = Referenced()


def parsed(words: Sequence[str], project: Path) -> Referenced:
    """``--data`` as it was given: ``copy``, ``reference``, ``reference:SIZE`` or ``reference:PATTERN``.

    Raises:
        InputError: it is none of these.
    """
    size: int | None = None
    patterns: list[str] = []
    for word in words:
        kind, _, detail = word.partition(":")
        if kind == "copy" and not detail:
            continue
        if kind != "reference":
            raise InputError(
                f"--data {word}: it is neither 'copy' nor 'reference'.",
                hint="Give copy, reference, reference:SIZE (such as 500m), or reference:PATTERN.",
            )
        if not detail:
            size = LARGER_THAN
        elif found := _SIZE.fullmatch(detail):
            size = int(found[1]) * _UNITS[found[2].lower()]
        else:
            patterns.append(detail)
    return Referenced(size, normalized(patterns, project))


def origin_of(here: str) -> str:
    """In words: the URL, data set cache, DVC pointer or git-LFS object of a file, else its path."""
    found = next(filter(None, (look(here) for look in _ORIGINS)), f"path {here}")
    return found.encode(errors="replace").decode()


def _dvc(here: str) -> str | None:
    """A DVC pointer (``data.csv.dvc``) beside the file, or beside a folder around it."""
    path = Path(here)
    for place in (path, *list(path.parents)[:6]):
        pointer = place.with_name(f"{place.name}.dvc") if place.name else place
        try:
            with pointer.open("rb") as stream:
                text = stream.read(_MOST_POINTER).decode(errors="replace")
        except (OSError, ValueError):
            continue
        digest = re.search(r"^\s*-?\s*md5:\s*([0-9a-f]{32}(?:\.dir)?)\s*$", text, re.MULTILINE)
        return f"dvc {pointer.name}" + (f" md5 {digest[1]}" if digest else "")
    return None


def _git_lfs(here: str) -> str | None:
    """The file is under git-LFS: its repository says so in ``.gitattributes`` (gitattributes(5))."""
    path = Path(here)
    for folder in list(path.parents)[:12]:
        try:
            text = (folder / ".gitattributes").read_text(errors="replace")
        except OSError:
            text = ""
        for line in text.splitlines():
            pattern, *attributes = line.split() or [""]
            if "filter=lfs" in attributes and _attribute_matches(pattern, path, folder):
                return f"git-lfs {path.relative_to(folder)}"
        if (folder / ".git").exists():
            return None
    return None


def _attribute_matches(pattern: str, path: Path, folder: Path) -> bool:
    relative = str(path.relative_to(folder))
    if "/" in pattern.rstrip("/"):
        return matches_one(relative, pattern.lstrip("/"))
    return matches_one(path.name, pattern)


def _hugging_face(here: str) -> str | None:
    """Hub cache layout: ``models--ORGANISATION--NAME/snapshots/REVISION/FILE``."""
    found = re.search(r"/(models|datasets|spaces)--([^/]+)/(?:snapshots/([^/]+)/(.+)|blobs/([^/]+))$", here)
    if found is None:
        return "huggingface cache" if "/huggingface/" in here else None
    name = found[2].replace("--", "/")
    return f"huggingface {found[1]} {name} " + (f"{found[3]} {found[4]}" if found[3] else f"blob {found[5]}")


def _url(here: str) -> str | None:
    """The URL that a browser, ``wget --xattr`` or ``curl --xattr`` left in an attribute of the file, or that
    Hugging Face's datasets wrote beside it; without passwords and without a query, which may be a signature.

    Source: freedesktop.org's CommonExtendedAttributes (``user.xdg.origin.url``).
    """
    url: object = None
    try:
        url = os.getxattr(here, "user.xdg.origin.url").decode(errors="replace")
    except (OSError, ValueError):
        try:
            with open(f"{here}.json", "rb") as stream:  # noqa: PTH123 - names that are not valid UTF-8
                beside = json.loads(stream.read(_MOST_POINTER))
            url = beside.get("url") if isinstance(beside, dict) else None
        except (OSError, ValueError, RecursionError):
            return None
    if not isinstance(url, str) or not re.match(r"(https?|ftp|s3|gs)://[^\s]+$", url):
        return None
    return f"url {url_without_credentials(url.partition('?')[0].partition('#')[0])}"


def _known_cache(here: str) -> str | None:
    for part, name in _CACHES:
        _, found, rest = here.partition(f"/{part}/")
        if found:
            return f"{name} {rest}"
    return None


_CACHES = (
    ("scikit_learn_data", "scikit-learn"),
    ("torch/hub/checkpoints", "torch-hub"),
    ("torch/hub", "torch-hub"),
    (".cache/torch", "torch"),
    ("MNIST/raw", "torchvision MNIST"),
    ("FashionMNIST/raw", "torchvision FashionMNIST"),
    ("cifar-10-batches-py", "torchvision CIFAR10"),
    ("cifar-100-python", "torchvision CIFAR100"),
    (".keras/datasets", "keras"),
    ("nltk_data", "nltk"),
    ("seaborn-data", "seaborn"),
    ("tensorflow_datasets", "tensorflow-datasets"),
    ("kagglehub", "kagglehub"),
)
"""Folders in which libraries keep data sets and models, as they document them."""

_ORIGINS: tuple[Callable[[str], str | None], ...] = (_dvc, _git_lfs, _url, _hugging_face, _known_cache)
