"""Files of a project whose names say that they hold secrets: they are never stored."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_SECRET_NAME = re.compile(
    r"""
    \.env(\.(?!example$|sample$|template$|dist$).*)?   # python-dotenv
    | .*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)      # private keys and their containers
    | id_(rsa|dsa|ecdsa|ed25519)(_sk)?                 # ssh-keygen(1)
    | \.?credentials.*                                 # cloud clients
    | client_secret.*\.json | service[-_]account.*\.json
    | \.netrc | \.pypirc | \.pgpass | \.htpasswd | \.git-credentials | \.npmrc | \.dockercfg
    | secrets?\.(json|toml|ya?ml|ini|txt|env)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def looks_secret(path: str) -> bool:
    """True for ``.env``, private keys, password files and the like, by their names alone."""
    return _SECRET_NAME.fullmatch(PurePosixPath(path).name) is not None
