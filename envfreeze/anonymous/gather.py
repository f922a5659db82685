"""Who the author is, as this machine, version control, the project and its locks say it."""

from __future__ import annotations

import builtins
import keyword
import os
import pwd
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from envfreeze.anonymous.identities import SHORTEST, Identity, words_of
from envfreeze.errors import InputError
from envfreeze.records.artifact import Artifact
from envfreeze.records.base import Record
from envfreeze.records.lock import Lock

_LISTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
_NOBODY, _WORDS, _GENERIC = (frozenset(_LISTS[key].split()) for key in ("nobody", "programs", "folders"))
_HOME = re.compile(r"/(?:home|Users|export/home|data/home|nfs/home)/([^/\s'\":]+)")
_REMOTE = re.compile(r"^(?:[a-z+]+://)?(?:[^@/]+@)?([^/:]+)(?::\d+)?[:/](.+?)(?:\.git)?/?$")
_MOST_AUTHORS = 40
_TIMEOUT = 30.0


class Gathered(Record):
    """What was found."""

    identities: tuple[Identity, ...] = ()
    notes: tuple[str, ...] = ()


def gather(project: Path, artifact: Artifact, locks: Iterable[Lock], further: Iterable[str]) -> Gathered:
    """Everything that says who the author is.

    Args:
        further: what the author names beside it: ``--identity``.

    Raises:
        InputError: one of those is too short to be looked for, or pyproject.toml cannot be read.
    """
    locks = tuple(locks)
    pyproject = _toml(project / "pyproject.toml")
    told = [*further, *_configured(pyproject, project / "pyproject.toml")]
    found = [given(text) for text in told]
    found += [Identity(text=name, what="an author of artifact.yaml") for name in artifact.authors]
    found += _of_metadata(pyproject, project)
    notes: list[str] = []
    found += _of_git(project, notes)
    known = {package.name.lower() for lock in locks for package in lock.packages}
    found += _of_users(locks, known, notes)
    found += _of_machine(known, notes)
    return Gathered(identities=tuple(_each_once(found)), notes=tuple(notes))


def _each_once(found: Iterable[Identity]) -> Iterator[Identity]:
    seen: set[str] = set()
    for identity in sorted(found, key=lambda one: not one.anywhere):
        text = identity.text.strip()
        letters = "".join(words_of(text))
        if len(letters) >= SHORTEST and text.casefold() not in seen:
            seen.add(text.casefold())
            yield identity


def given(text: str) -> Identity:
    """What somebody names: it is looked for everywhere, inside of longer words too.

    Raises:
        InputError: it is too short for that.
    """
    if len("".join(words_of(text))) < SHORTEST and text.isascii():
        raise InputError(
            f"--identity {text!r}: fewer than {SHORTEST} letters are everywhere, and cannot be looked for.",
            hint="Give the whole name.",
        )
    return Identity(text=text, what="as given")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None


def _configured(pyproject: dict[str, Any], path: Path) -> list[str]:
    listed = pyproject.get("tool", {}).get("envfreeze", {}).get("identities", [])
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise InputError(f'{path}, tool.envfreeze.identities: write a list of texts: ["Given Family"].')
    return listed


def _of_metadata(pyproject: dict[str, Any], project: Path) -> Iterator[Identity]:
    """Authors in pyproject.toml (PEP 621) and CITATION.cff."""
    listed = pyproject.get("project", {})
    people = [*listed.get("authors", []), *listed.get("maintainers", [])] if isinstance(listed, dict) else []
    for person in people:
        if isinstance(person, dict):
            for field in ("name", "email"):
                if isinstance(person.get(field), str):
                    yield Identity(text=person[field], what="an author of pyproject.toml")
    citation = project / "CITATION.cff"
    try:
        content = yaml.safe_load(citation.read_text(encoding="utf-8")) if citation.is_file() else {}
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return
    authors = content.get("authors") if isinstance(content, dict) else None
    for person in authors if isinstance(authors, list) else []:
        if isinstance(person, dict):
            names = [str(person[key]) for key in ("given-names", "family-names") if person.get(key)]
            texts = [
                " ".join(names),
                *(str(person.get(key) or "") for key in ("email", "orcid", "affiliation")),
            ]
            yield from (Identity(text=text, what="CITATION.cff") for text in texts if text)


def _of_git(project: Path, notes: list[str]) -> Iterator[Identity]:
    """Its user, the authors of its commits, and the account that its remotes lie under."""
    for key in ("user.name", "user.email"):
        for text in _git(project, "config", "--get", key):
            yield Identity(text=text, what=f"git's {key}")
    people = set(_git(project, "log", "--format=%an%x0a%ae%x0a%cn%x0a%ce"))
    if len(people) > 4 * _MOST_AUTHORS:
        notes.append(
            f"git's history has {len(people)} names and e-mails, as of a copy of a public project: "
            "only your own are replaced; name others with --identity"
        )
        people = set()
    for text in sorted(people - {"GitHub", "noreply@github.com"}):
        yield Identity(text=text, what="an author in git", anywhere=" " in text or "@" in text)
    for line in _git(project, "config", "--get-regexp", r"^remote\..*\.url$"):
        place = _REMOTE.match(line.partition(" ")[2])
        if place is not None:
            owner, _, name = place[2].rpartition("/")
            yield Identity(text=place[2], what="git's remote")
            if owner and name:
                for join in ("/", ":"):
                    kept = frozenset(words_of(place[1]))
                    yield Identity(text=f"{place[1]}{join}{owner}", what="git's remote", kept=kept)


def _git(project: Path, *arguments: str) -> list[str]:
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "log.showSignature=false")
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *safe, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []
    return [line.strip() for line in lines if line.strip()]


def _of_users(locks: Iterable[Lock], known: set[str], notes: list[str]) -> Iterator[Identity]:
    """The user of this process, and those whose home folders the locks name."""
    user = pwd.getpwuid(os.getuid()) if _has_user() else None
    texts = [os.environ.get("HOME", "")]
    for lock in locks:
        if lock.run is not None:
            texts += [lock.run.project, lock.run.directory, lock.interpreter.executable, *lock.run.command]
            texts += lock.run.environment.values()
    names = {found[1] for text in texts for found in _HOME.finditer(text)}
    if user is not None:
        names.add(user.pw_name)
        full_name = user.pw_gecos.split(",")[0].strip()
        if full_name.lower() not in _NOBODY and len(words_of(full_name)) > 1:
            yield Identity(text=full_name, what="the user's full name")
        yield from _home(user.pw_dir)
    yield from _home(os.environ.get("HOME", ""))
    for name in sorted(names):
        yield from _login(name, known, notes)


def _has_user() -> bool:
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def _home(path: str) -> Iterator[Identity]:
    words = [part.lower() for part in Path(path).parts if part != "/"]
    if any(word not in _GENERIC and word not in _NOBODY for word in words):
        kept = frozenset(word for part in words if part in _GENERIC for word in words_of(part))
        yield Identity(text=path.rstrip("/"), what="the home folder", kept=kept)


def _login(name: str, known: set[str], notes: list[str]) -> Iterator[Identity]:
    """A user's name: as a word everywhere, or only in paths and addresses when it is a word of programs."""
    if name.lower() in _NOBODY:
        return
    if not _is_ordinary(name, known):
        yield Identity(text=name, what="the user's name", anywhere=False)
        return
    notes.append(
        f"the user's name {name!r} is a word of programs, too: it is replaced in paths and addresses only; "
        f"--identity {name} replaces it everywhere"
    )
    for folder in ("home", "Users"):
        yield Identity(text=f"/{folder}/{name}", what="the home folder", kept=frozenset({folder.lower()}))


def _is_ordinary(name: str, known: set[str]) -> bool:
    word = name.lower()
    programs = {*keyword.kwlist, *dir(builtins), *sys.stdlib_module_names, *known}
    return len(word) <= SHORTEST or word in _WORDS or word in {name.lower() for name in programs}


def _of_machine(known: set[str], notes: list[str]) -> Iterator[Identity]:
    """The host's name, its number (machine-id(5)), and its network cards' addresses."""
    host = os.uname().nodename
    for name in dict.fromkeys((host, host.split(".")[0])):
        if name.lower() not in _NOBODY and not _is_ordinary(name, known):
            yield Identity(text=name, what="the host's name", anywhere=False)
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            yield Identity(text=path.read_text().strip(), what="the machine's number")
        except (OSError, ValueError):
            continue
    for path in sorted(Path("/sys/class/net").glob("*/address")):
        try:
            address = path.read_text().strip()
        except OSError:
            continue
        if set(address) - set(":0"):
            for text in (address, address.replace(":", "")):
                yield Identity(text=text, what="a network card's address")
