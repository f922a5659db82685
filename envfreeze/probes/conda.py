"""The conda environment that the interpreter lives in, from its ``conda-meta/*.json``."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from envfreeze.files import in_parallel, sha256
from envfreeze.probes import Probe, Section, Target
from envfreeze.probes._conda_meta import Meta, prefix_of, read_all
from envfreeze.probes._conda_proof import changes, shared
from envfreeze.probes._prover import names
from envfreeze.records.environment import CondaEnvironment, CondaPackage
from envfreeze.records.files import Gap
from envfreeze.redact import url_without_credentials
from envfreeze.store import Store


class _Installed(NamedTuple):
    record: Path
    meta: Meta


class _Answer(NamedTuple):
    package: CondaPackage
    gaps: tuple[Gap, ...] = ()


def inspect(target: Target) -> Section:
    """The environment around the interpreter, or around the one that its virtual environment rests on."""
    prefix = prefix_of(target.facts["interpreter"])
    if prefix is None:
        return Section(value=None)
    records = read_all(prefix)
    gaps = [
        Gap(what=f"conda package {path.stem}", why=why)
        for path, why in records.items()
        if isinstance(why, str)
    ]
    installed = [_Installed(path, meta) for path, meta in records.items() if isinstance(meta, Meta)]
    left_out = shared(entry.meta for entry in installed)
    look = functools.partial(_package, target, prefix, left_out)
    answers = sorted(in_parallel(look, installed), key=lambda answer: answer.package.name)
    value = CondaEnvironment(
        name=_name(prefix, target),
        prefix=str(prefix),
        packages=tuple(answer.package for answer in answers),
    )
    return Section(value=value, gaps=(*gaps, *(gap for answer in answers for gap in answer.gaps)))


def _package(target: Target, prefix: Path, left_out: frozenset[str], installed: _Installed) -> _Answer:
    meta = installed.meta
    package = CondaPackage(
        name=meta.name,
        version=meta.version,
        build=meta.build,
        channel=url_without_credentials(meta.channel),
        url=url_without_credentials(meta.url),
        md5=meta.md5 or "",
        sha256=meta.sha256 or "",
    )
    answer = _Answer(package)
    if urlsplit(package.url).scheme not in {"http", "https"}:
        answer = _vendored(package, meta, Store(target.project))
    return _proved(answer, prefix, installed, left_out) if target.prove else answer


def _vendored(package: CondaPackage, meta: Meta, store: Store) -> _Answer:
    """Keep an archive that lies on this machine only."""
    for path in _archives(meta):
        try:
            if not _is_archive_of(path, meta):
                continue
            digest, _ = store.add_file(path)
        except OSError:
            continue
        kept = msgspec.structs.replace(
            package, url=package.url or path.as_uri(), sha256=digest, vendored=True
        )
        return _Answer(kept)
    why = f"it was installed from {package.url or 'an unknown place'}, where its archive is no more"
    return _Answer(package, (Gap(what=f"the archive of the conda package {package.name}", why=why),))


def _archives(meta: Meta) -> Iterator[Path]:
    """Where the archive may lie: the channel's folder, and the cache of whoever installed it."""
    parts = urlsplit(meta.url)
    if parts.scheme == "file":
        yield Path(unquote(parts.path))
    if meta.package_tarball_full_path:
        yield Path(meta.package_tarball_full_path)
    if meta.extracted_package_dir and meta.fn:
        yield Path(meta.extracted_package_dir).with_name(meta.fn)


def _is_archive_of(path: Path, meta: Meta) -> bool:
    if meta.sha256:
        return sha256(path) == meta.sha256
    with path.open("rb") as stream:
        return not meta.md5 or hashlib.file_digest(stream, "md5").hexdigest() == meta.md5


def _proved(answer: _Answer, prefix: Path, installed: _Installed, left_out: frozenset[str]) -> _Answer:
    package, gaps = answer
    try:
        changed = changes(prefix, installed.record, installed.meta, left_out=left_out)
    except OSError:
        changed = None
    if changed is None:
        return _Answer(msgspec.structs.replace(package, proof="unproved"), gaps)
    if not changed:
        return _Answer(msgspec.structs.replace(package, proof="proved"), gaps)
    listed = names(changed)
    why = f"edited or removed after the installation: {', '.join(listed[:3])}; a replay has the package's own"
    gap = Gap(what=f"{len(changed)} of the files of the conda package {package.name}", why=why)
    return _Answer(msgspec.structs.replace(package, proof="modified", modified=listed), (*gaps, gap))


def _name(prefix: Path, target: Target) -> str:
    """As ``conda env list`` shows it: the installation itself is ``base``."""
    if target.environment.get("CONDA_PREFIX") == str(prefix):
        return target.environment.get("CONDA_DEFAULT_ENV") or prefix.name
    return "base" if (prefix / "condabin").is_dir() else prefix.name


PROBE = Probe(section="conda", inspect=inspect)
