"""Signatures with an SSH key, by ``ssh-keygen -Y`` (OpenSSH 8.1 and newer).

Sources: ssh-keygen(1), sections -Y and ALLOWED SIGNERS; the format is PROTOCOL.sshsig of OpenSSH.
"""

from __future__ import annotations

import re
from pathlib import Path

from envfreeze.bundle.signing import NAMESPACE, Signer, call, last_line
from envfreeze.errors import InputError
from envfreeze.records.artifact import Signature

_TOOL = "ssh-keygen"
_KEY = re.compile(rb"-----BEGIN (?:OPENSSH|RSA|EC|DSA) PRIVATE KEY-----|(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ ")
_FINGERPRINT = re.compile(r"with (\S+) key (SHA256:[A-Za-z0-9+/]{43})")


def is_key(path: Path) -> bool:
    """A private key, or the public one of a key that the agent holds."""
    with path.open("rb") as stream:
        return _KEY.match(stream.read(200).lstrip()) is not None


def sign(path: Path, key: Path) -> None:
    """Write ``path.sig``; asks for the passphrase on the terminal when the key has one."""
    done = call((_TOOL, "-Y", "sign", "-q", "-f", key, "-n", NAMESPACE, path), asks=True)
    if done.returncode != 0:
        raise InputError(f"ssh-keygen cannot sign with {key}: {last_line(done)}.")


def check(path: Path, signature: Path, signers: Path | None) -> Signature:
    """Whether the signature is of this text, and whose it is."""
    sound = call((_TOOL, "-Y", "check-novalidate", "-n", NAMESPACE, "-s", signature), data=path)
    found = _FINGERPRINT.search(sound.stdout)
    if sound.returncode != 0 or found is None:
        return Signature(state="bad", tool=_TOOL, why=last_line(sound))
    kind, key = found.groups()
    unknown = Signature(state="unknown", tool=_TOOL, key=f"{kind} {key}")
    if signers is None:
        return unknown
    named = call((_TOOL, "-Y", "find-principals", "-s", signature, "-f", signers))
    for principal in named.stdout.split("\n"):
        name = principal.strip().split(",")[0]
        verify = (_TOOL, "-Y", "verify", "-n", NAMESPACE, "-f", signers, "-I", name, "-s", signature)
        if name and call(verify, data=path).returncode == 0:
            return Signature(state="signed", tool=_TOOL, key=unknown.key, signer=name)
    return unknown


SIGNER = Signer(name=_TOOL, suffix=".sig", is_key=is_key, sign=sign, check=check)
