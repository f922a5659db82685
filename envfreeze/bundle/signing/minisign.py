"""Signatures by minisign, where it is installed.

Source: https://jedisct1.github.io/minisign/ (options; format of keys and signatures: two bytes that name the
algorithm, eight of the key's number, then the rest, as base64 in the second line).
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from envfreeze.bundle.signing import Signer, call, last_line
from envfreeze.errors import InputError
from envfreeze.records.artifact import Signature

_TOOL = "minisign"
_START = b"untrusted comment:"


def is_key(path: Path) -> bool:
    """Whether the file begins as minisign's do."""
    with path.open("rb") as stream:
        return stream.read(len(_START)) == _START


def sign(path: Path, key: Path) -> None:
    """Write ``path.minisig``; asks for the password on the terminal when the key has one."""
    comment = ("-t", "envfreeze", "-c", "signature of SHA256SUMS")
    done = call((_TOOL, "-S", "-q", "-s", key, "-m", path, "-x", f"{path}.minisig", *comment), asks=True)
    if done.returncode != 0:
        raise InputError(f"minisign cannot sign with {key}: {last_line(done)}.")


def check(path: Path, signature: Path, signers: Path | None) -> Signature:
    """Whether the signature is of this text and by the key in ``signers``."""
    number = _number(signature)
    if number is None:
        return Signature(state="bad", tool=_TOOL, why="it is no signature")
    if signers is None or not is_key(signers) or _number(signers) != number:
        return Signature(state="unknown", tool=_TOOL, key=number)
    done = call((_TOOL, "-V", "-q", "-p", signers, "-m", path, "-x", signature))
    if done.returncode != 0:
        return Signature(state="bad", tool=_TOOL, key=number, why=last_line(done))
    return Signature(state="signed", tool=_TOOL, key=number, signer=f"minisign key {number}")


def _number(path: Path) -> str | None:
    """The number of the key of a public key or a signature, as minisign prints it."""
    lines = path.read_bytes()[: 1 << 16].splitlines()
    try:
        data = base64.b64decode(lines[1], validate=True)
    except (IndexError, binascii.Error):
        return None
    return data[2:10][::-1].hex().upper() if len(data) > 10 else None


SIGNER = Signer(name=_TOOL, suffix=".minisig", is_key=is_key, sign=sign, check=check)
