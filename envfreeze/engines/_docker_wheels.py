"""The files of a requirements.txt, downloaded on this machine: for builders that have no secret mounts.

A digest names its file, so no rule of platforms or versions is needed; what was downloaded once is kept under
``${XDG_CACHE_HOME:-~/.cache}/envfreeze/wheels/<digest>/``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from envfreeze import files
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.files import user_cache
from envfreeze.probes._index import Index, IndexFile, Unreachable
from envfreeze.probes.pip import DEFAULT_INDEX, Configuration
from envfreeze.progress import Progress
from envfreeze.records.environment import Package
from envfreeze.records.recipe import Recipe

WHEELS = "/tmp/envfreeze/wheels"  # noqa: S108 - a path in the image
_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(==(?P<version>\S+)| @ (?P<url>\S+)) --hash=sha256:(?P<sha256>[0-9a-f]{64})"
)


class _Wanted(NamedTuple):
    name: str
    version: str
    url: str | None
    sha256: str


def download(recipe: Recipe, pip: Configuration, *, progress: Progress) -> dict[str, Path]:
    """Every file that the recipe does not bring itself, by file name.

    Raises:
        InputError: an index does not have a file with the recorded digest.
        EnvironmentFailure: an index cannot be reached, or refuses.
    """
    own = {wheel.sha256 for wheel in recipe.wheels}
    index = Index(_with_indexes_of(recipe, pip))
    found = {}
    for wanted in _wanted(recipe.requirements):
        if wanted.sha256 not in own:
            path = _cached(wanted.sha256)
            if path is None:
                progress.detail(f"downloading {wanted.name}")
                path = _fetch(wanted, index)
            found[path.name] = path
    return found


def fetch(package: Package, pip: Configuration) -> Path:
    """One package's recorded file, from the user's cache or the index.

    Raises:
        InputError: an index does not have a file with the recorded digest.
        EnvironmentFailure: an index cannot be reached, or refuses.
    """
    import msgspec

    digest = str(package.sha256)
    indexes = (*pip.extra_indexes, *([package.index] if package.index else []), DEFAULT_INDEX)
    index = Index(msgspec.structs.replace(pip, extra_indexes=tuple(dict.fromkeys(indexes)), no_index=False))
    url = package.url if package.source == "url" else None
    return _cached(digest) or _fetch(_Wanted(package.name, package.version, url, digest), index)


def offline_requirements(requirements: str, downloaded: Mapping[str, Path]) -> str:
    """The same requirements, met from a folder beside the file instead of from indexes and URLs."""
    names = {path.parent.name: name for name, path in downloaded.items()}
    lines = ["--no-index", f"--find-links {WHEELS}"]
    for line in requirements.splitlines():
        found = _LINE.fullmatch(line)
        if found and found["url"]:
            digest = found["sha256"]
            lines.append(f"{found['name']} @ file://{WHEELS}/{names[digest]} --hash=sha256:{digest}")
        elif not line.startswith("--"):
            lines.append(line)
    return "\n".join(lines) + "\n"


def _wanted(requirements: str) -> Iterator[_Wanted]:
    for line in requirements.splitlines():
        if found := _LINE.fullmatch(line):
            yield _Wanted(found["name"], found["version"] or "", found["url"], found["sha256"])


def _with_indexes_of(recipe: Recipe, pip: Configuration) -> Configuration:
    import msgspec

    named = re.findall(r"(?m)^--(?:extra-)?index-url (\S+)$", recipe.requirements)
    known = {pip.index, *pip.extra_indexes}
    extra = (*pip.extra_indexes, *(url for url in (*named, DEFAULT_INDEX) if url not in known))
    return msgspec.structs.replace(pip, extra_indexes=extra, no_index=False)


def _folder(digest: str) -> Path:
    return user_cache() / "wheels" / digest


def _cached(digest: str) -> Path | None:
    folder = _folder(digest)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix != ".tmp" and files.sha256(path) == digest:
            return path
    return None


def _fetch(wanted: _Wanted, index: Index) -> Path:
    offered = _locate(wanted, index)
    here = offered.path
    name = re.sub(r"[^A-Za-z0-9._+!-]", "_", unquote(urlsplit(offered.url).path.rpartition("/")[2]))
    target = _folder(wanted.sha256) / name
    digest = hashlib.sha256()
    with files.replacing(target) as stream:
        for chunk in _local_chunks(here) if here else _remote_chunks(offered.url, wanted, index):
            digest.update(chunk)
            stream.write(chunk)
        if digest.hexdigest() != wanted.sha256:
            raise InputError(
                f"a package does not have the content that the lock records: {wanted.name}.",
                hint="The file on the index was changed, or the lock was; compare with a copy you trust.",
            )
    return target


def _locate(wanted: _Wanted, index: Index) -> IndexFile:
    if wanted.url:
        return IndexFile(file="", url=wanted.url, sha256=wanted.sha256)

    def matching(offered: object) -> list[IndexFile]:
        return [file for file in offered if file.sha256 == wanted.sha256]  # type: ignore[attr-defined]

    try:
        remote = matching(index.remote(wanted.name, wanted.version, lambda files: bool(matching(files))))
    except Unreachable as error:
        raise EnvironmentFailure(
            f"the package index cannot be reached: {error}.", hint="Check the network and pip's settings."
        ) from error
    if remote:
        return remote[0]
    raise InputError(
        f"no package index has what the lock pins: {wanted.name}=={wanted.version} with its recorded digest.",
        hint="Check the index URLs in pip's configuration; a withdrawn version has to be frozen anew.",
    )


def _local_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(files.CHUNK):
            yield chunk


def _remote_chunks(url: str, wanted: _Wanted, index: Index) -> Iterator[bytes]:
    from httpx2 import HTTPError

    try:
        with index.client.stream("GET", url) as response:
            if response.status_code != 200:
                raise EnvironmentFailure(
                    f"{url} answers {response.status_code} instead of the file of {wanted.name}.",
                    hint="Check the network and the credentials in pip's settings or ~/.netrc.",
                )
            yield from response.iter_bytes(files.CHUNK)
    except HTTPError as error:
        raise EnvironmentFailure(
            f"{url} cannot be downloaded: {error}.", hint="Check the network, the proxy and pip's settings."
        ) from error
