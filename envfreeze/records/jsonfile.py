"""Records that are kept as JSON files of their own, read as if a stranger had written them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from envfreeze.errors import InputError

MAX_SIZE = 256 << 20
"""Bytes; far above any record that was written."""

T = TypeVar("T")


def read(path: Path, kind: type[T], what: str) -> T:
    """The record of a file; ``what`` names it for the user.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        if path.stat().st_size > MAX_SIZE:
            raise InputError(f"{path} is larger than {MAX_SIZE >> 20} MiB, so no record of {what}.")
        return msgspec.convert(json.loads(path.read_bytes()), kind)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {(error.strerror or 'error').lower()}.") from None
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise InputError(f"{path} is no record of {what}: {error}.") from None
