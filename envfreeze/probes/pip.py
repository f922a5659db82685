"""Where packages come from: pip's configuration, merged as pip does it, and uv's behind it.

Source: https://pip.pypa.io/en/stable/topics/configuration/ (files, their order, PIP_* variables).
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from envfreeze.probes import Probe, Section, Target
from envfreeze.probes._uv import UvConfiguration, uv_configuration
from envfreeze.records.base import Record
from envfreeze.records.environment import PipConfiguration
from envfreeze.records.files import Gap
from envfreeze.redact import url_without_credentials

DEFAULT_INDEX = "https://pypi.org/simple"
_OF_ALL_USERS = Path("/etc/pip.conf")


class Configuration(Record):
    """What pip would use, credentials included: for asking indexes, never for a record."""

    index: str = DEFAULT_INDEX
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    certificates: str | None = None
    """File or folder of authorities that TLS connections are checked against."""
    timeout: float = 15.0
    """Seconds; 15 is pip's own default."""
    files: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def configuration(target: Target) -> Configuration:
    """Merge the files and variables that pip would read in the target's environment."""
    environment = target.environment
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    read, unreadable = [], []
    for path in _files(environment, Path(target.facts["interpreter"]["prefix"])):
        parser = configparser.RawConfigParser()
        try:
            found = parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            unreadable.append(str(path))
            continue
        read += found
        for section, values in sections.items():
            if parser.has_section(section):
                values.update({_normal(key): value for key, value in parser.items(section)})
    variables = {
        _normal(name.removeprefix("PIP_")): value
        for name, value in environment.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value
    }
    merged = sections["global"] | sections["install"] | variables
    of_pip = _interpret(merged, environment, tuple(read), tuple(unreadable))
    return _with_uv(of_pip, uv_configuration(environment, target.project))


def _with_uv(found: Configuration, uv: UvConfiguration) -> Configuration:
    """Both tools' places, pip's first; uv's default index takes the place of PyPI."""
    extra = [*found.extra_indexes, *uv.extra_indexes]
    index = found.index
    if uv.index and index == DEFAULT_INDEX:
        index = uv.index
    elif uv.index:
        extra.append(uv.index)
    return msgspec.structs.replace(
        found,
        index=index,
        extra_indexes=tuple(url for url in dict.fromkeys(extra) if url != index),
        find_links=tuple(dict.fromkeys((*found.find_links, *uv.find_links))),
        files=(*found.files, *uv.files),
        unreadable=(*found.unreadable, *uv.unreadable),
    )


def of_this_machine() -> Configuration:
    """What pip would use here and now, for the user who runs envfreeze."""
    here = Path.cwd()
    facts = {"interpreter": {"prefix": sys.prefix}}
    environment = dict(os.environ)
    return configuration(
        Target(
            executable=sys.executable, directory=str(here), environment=environment, project=here, facts=facts
        )
    )


def _interpret(
    merged: Mapping[str, str],
    environment: Mapping[str, str],
    read: tuple[str, ...],
    unreadable: tuple[str, ...],
) -> Configuration:
    def words(name: str) -> tuple[str, ...]:
        return tuple(merged.get(name, "").split())

    timeout = merged.get("timeout") or merged.get("default-timeout") or ""
    authorities = (merged.get("cert"), *map(environment.get, ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")))
    return Configuration(
        index=(merged.get("index-url") or merged.get("pypi-url") or DEFAULT_INDEX).rstrip("/"),
        extra_indexes=tuple(url.rstrip("/") for url in words("extra-index-url")),
        find_links=words("find-links"),
        constraints=words("constraint"),
        trusted_hosts=words("trusted-host"),
        no_index=merged.get("no-index", "").strip().lower() in {"1", "true", "yes", "on", "y", "t"},
        certificates=next((path for path in authorities if path and Path(path).exists()), None),
        timeout=float(timeout) if timeout.replace(".", "", 1).isdigit() else 15.0,
        files=read,
        unreadable=unreadable,
    )


def _files(environment: Mapping[str, str], prefix: Path) -> Iterator[Path]:
    """Configuration files, the last one wins; ``PIP_CONFIG_FILE=/dev/null`` means none at all."""
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    folders = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    yield from (Path(folder, "pip", "pip.conf") for folder in folders.split(os.pathsep))
    yield _OF_ALL_USERS
    if not (chosen and Path(chosen).exists()):
        home = Path(environment.get("HOME") or Path.home())
        yield home / ".pip" / "pip.conf"
        yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield prefix / "pip.conf"
    if chosen:
        yield Path(chosen)


def _normal(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def inspect(target: Target) -> Section:
    """The same without credentials."""
    found = configuration(target)
    public = url_without_credentials
    value = PipConfiguration(
        index=None if found.index == DEFAULT_INDEX else public(found.index),
        extra_indexes=tuple(map(public, found.extra_indexes)),
        find_links=tuple(map(public, found.find_links)),
        constraints=tuple(map(public, found.constraints)),
        no_index=found.no_index,
        files=found.files,
    )
    gaps = tuple(_unreadable(path) for path in found.unreadable)
    return Section(value=value, gaps=gaps)


def _unreadable(path: str) -> Gap:
    tool = "uv" if path.endswith(".toml") else "pip"
    why = f"it is no valid {tool} configuration file ({tool} itself refuses it)"
    return Gap(what=f"{tool} configuration in {path}", why=why)


PROBE = Probe(section="pip", inspect=inspect)
