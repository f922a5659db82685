"""Signatures of bundles: a detached signature of ``SHA256SUMS``, which has the digest of every other member.

The cryptography is an existing tool's; to add one, add a file with ``SIGNER = Signer(…)``, and its suffix
to ``layout.SIGNATURES``. A signature lies beside ``SHA256SUMS`` in the bundle, so that it is still there, and
can still be checked with the tool alone, once the bundle was unpacked.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from envfreeze.bundle.layout import SUMS
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.records.artifact import Signature
from envfreeze.records.base import Record
from envfreeze.registry import members

NAMESPACE = "envfreeze"
"""What a signature is for, so that none that was made for something else counts here."""
MAX_SIGNATURE = 1 << 16
"""Bytes; signatures have some hundred."""
_TIMEOUT = 60.0
"""Seconds for a check, which asks nobody anything."""


class Signer(Record):
    """One tool that signs."""

    name: str
    """Its program."""
    suffix: str
    """Of the signature's name, after ``SHA256SUMS``."""
    is_key: Callable[[Path], bool]
    """Whether a file holds a key of this tool; it is readable."""
    sign: Callable[[Path, Path], None]
    """``sign(file, key)`` writes the signature beside the file.

    Raises:
        InputError: the key cannot be used.
    """
    check: Callable[[Path, Path, Path | None], Signature]
    """``check(file, signature, signers)``; ``signers`` says whose keys count."""


def signing_with(key: Path) -> Callable[[bytes], tuple[str, bytes]]:
    """A function that signs the text of ``SHA256SUMS``, and returns the member's name and its content.

    Raises:
        InputError: the key is missing, or no key of a tool that is known; by the function, it cannot be used.
        EnvironmentFailure: by the function, the tool is not installed.
    """
    key = key.expanduser().absolute()
    if not key.is_file():
        raise InputError(f"--sign {key}: there is no such key.", hint="Make one with: ssh-keygen -t ed25519")
    signer = next((signer for signer in _signers() if signer.is_key(key)), None)
    if signer is None:
        raise InputError(f"--sign {key}: that is neither a key of ssh-keygen nor of minisign.")

    def sign(sums: bytes) -> tuple[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / SUMS
            path.write_bytes(sums)
            signer.sign(path, key)
            return f"{SUMS}{signer.suffix}", Path(f"{path}{signer.suffix}").read_bytes()

    return sign


def check(sums: bytes, signatures: dict[str, bytes], signers: Path | None) -> Signature:
    """What the signature of a bundle says; the worst one when there are several.

    Args:
        signatures: content by the member's name.
        signers: whose keys count: ``allowed_signers`` of ssh-keygen, or a public key of minisign.

    Raises:
        InputError: ``signers`` cannot be read.
    """
    if signers is not None and not signers.is_file():
        raise InputError(f"--signer {signers}: there is no such file.")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SUMS
        path.write_bytes(sums)
        for signer in _signers():
            data = signatures.get(f"{SUMS}{signer.suffix}")
            if data is None:
                continue
            place = Path(f"{path}{signer.suffix}")
            place.write_bytes(data)
            try:
                found.append(signer.check(path, place, signers.absolute() if signers else None))
            except EnvironmentFailure as error:
                found.append(Signature(state="unchecked", tool=signer.name, why=str(error)))
    order = ("bad", "unchecked", "unknown", "signed")
    return min(found, key=lambda one: order.index(one.state), default=Signature(state="unsigned"))


def _signers() -> Sequence[Signer]:
    from envfreeze.bundle import signing

    return members(signing, "SIGNER", Signer)


def call(
    arguments: Sequence[str | Path], *, data: Path | None = None, asks: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a tool.

    Args:
        data: what its standard input reads.
        asks: it may ask for a passphrase, and waits for it.

    Raises:
        EnvironmentFailure: it is not installed, or does not end.
    """
    tool = str(arguments[0])
    stream = data.open("rb") if data is not None else None
    try:
        return subprocess.run(
            list(map(str, arguments)),
            stdin=stream if stream is not None else None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if asks and sys.stdin.isatty() else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=None if asks else _TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise EnvironmentFailure(f"{tool} is not installed, which this signature takes.") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"{tool} did not end within {_TIMEOUT:.0f} seconds.") from None
    finally:
        if stream is not None:
            stream.close()


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The last thing that a tool said, for a sentence."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else f"exit status {done.returncode}"
