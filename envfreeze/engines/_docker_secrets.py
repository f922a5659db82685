"""What a build may know of this machine and no image may keep: authorities, index credentials, pip's options.

Handed over as BuildKit's secret mounts (https://docs.docker.com/build/building/secrets/), never as files of
the context or as build arguments, both of which stay behind in layers or in the image's history.
"""

from __future__ import annotations

import configparser
import netrc
import os
import re
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from envfreeze.probes.pip import DEFAULT_INDEX, Configuration
from envfreeze.redact import url_without_credentials

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions keep all authorities in one file (https://go.dev/src/crypto/x509/root_linux.go)."""


def write_secrets(
    folder: Path, requirements: str, pip: Configuration, *, stranger: bool = False
) -> dict[str, Path]:
    """Write the secrets that there are, readable by the owner only; by their id in the Dockerfile.

    Args:
        stranger: whether somebody else chose the base image and what is built from source: both can read
            what the installing step can, and have a network, so that they get no credentials.
    """
    if stranger:
        pip = _without_credentials(pip)
    contents = {
        "envfreeze-ca": authorities(pip),
        "envfreeze-netrc": "" if stranger else _credentials(pip, requirements),
        "envfreeze-pip-conf": _pip_conf(pip),
    }
    paths = {}
    for name, content in contents.items():
        if content:
            paths[name] = folder / name
            paths[name].touch(mode=0o600)
            paths[name].write_text(content, encoding="utf-8")
    return paths


def _without_credentials(pip: Configuration) -> Configuration:
    return msgspec.structs.replace(
        pip,
        index=url_without_credentials(pip.index),
        extra_indexes=tuple(map(url_without_credentials, pip.extra_indexes)),
        find_links=tuple(map(url_without_credentials, pip.find_links)),
    )


def authorities(pip: Configuration) -> str:
    """The bundle that this machine checks TLS by, as PEM; empty when it has none in one file."""
    candidates = (pip.certificates, ssl.get_default_verify_paths().cafile, *_BUNDLES)
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return Path(candidate).read_text(encoding="utf-8", errors="replace")
    return ""


def has_own_index(pip: Configuration) -> bool:
    """True when the host's pip asks other indexes than PyPI over the network."""
    return bool(_remote((pip.index, *pip.extra_indexes, *pip.find_links)) - {DEFAULT_INDEX})


def _remote(urls: Iterable[str]) -> set[str]:
    return {url for url in urls if urlsplit(url).scheme in {"http", "https"}}


def _pip_conf(pip: Configuration) -> str:
    """The part of pip's configuration that makes sense inside of a build."""
    import io

    values = {"timeout": str(pip.timeout), "no-input": "true"}
    if authorities(pip):
        values["cert"] = "/run/secrets/envfreeze-ca"
    if pip.index in _remote([pip.index]) - {DEFAULT_INDEX}:
        values["index-url"] = pip.index
    for name, urls in (("extra-index-url", pip.extra_indexes), ("find-links", pip.find_links)):
        if remote := [url for url in urls if url in _remote(urls)]:
            values[name] = "\n".join(remote)
    if pip.trusted_hosts:
        values["trusted-host"] = "\n".join(pip.trusted_hosts)
    parser = configparser.RawConfigParser()
    parser["global"] = values
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _credentials(pip: Configuration, requirements: str) -> str:
    """netrc(5) for the hosts that are asked, from the user's own netrc and from URLs with a password."""
    known = dict(_from_urls((pip.index, *pip.extra_indexes, *pip.find_links)))
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://\S+", requirements)}
    own = _own_netrc()
    for host in sorted(str(host) for host in hosts | {urlsplit(pip.index).hostname} if host):
        if own is not None and host in own.hosts and host not in known:
            login, _, password = own.hosts[host]
            known[host] = (str(login), str(password))
    return "".join(
        f"machine {host} login {login} password {password}\n"
        for host, (login, password) in sorted(known.items())
        if not re.search(r"\s", login + password)
    )


def _from_urls(urls: Iterable[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname and (parts.username or parts.password):
            yield parts.hostname, (unquote(parts.username or ""), unquote(parts.password or ""))


def _own_netrc() -> netrc.netrc | None:
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        return netrc.netrc(str(path))
    except (OSError, netrc.NetrcParseError):
        return None
