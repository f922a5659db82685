"""How this machine reaches a package index: the certificates that its owner trusts, and pip's index."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

PYPI = "https://pypi.org/simple/"

_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


def ca_bundle(environment: Mapping[str, str] | None = None) -> Path | None:
    """The certificate bundle that pip, requests, OpenSSL or curl are told to use, or the system's own.

    Behind a proxy that signs TLS anew, this is the bundle that holds the proxy's authority.
    """
    environment = os.environ if environment is None else environment
    named = [environment.get(variable) for variable in _BUNDLE_VARIABLES]
    for candidate in [*named, *_BUNDLES]:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def tls_context(environment: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """A verifying TLS context that trusts ``ca_bundle``, or the interpreter's defaults."""
    bundle = ca_bundle(environment)
    return ssl.create_default_context(cafile=str(bundle) if bundle else None)


def default_index(environment: Mapping[str, str] | None = None) -> str:
    """The index that pip asks first: PIP_INDEX_URL, otherwise PyPI."""
    environment = os.environ if environment is None else environment
    return environment.get("PIP_INDEX_URL") or PYPI
