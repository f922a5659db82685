"""Which files of a release the configured indexes and folders offer, asked once and kept on disk.

A file on an index never changes, and is seldom taken away, so an answer that held the wanted file is believed
for a month; an answer without it is asked again after a day. Credentials of the configuration are used to
ask, and are in no answer.
"""

from __future__ import annotations

import contextlib
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from envfreeze.probes._kept import keep, recall
from envfreeze.probes.pip import DEFAULT_INDEX, Configuration
from envfreeze.records.base import Record
from envfreeze.redact import url_without_credentials

if TYPE_CHECKING:
    from unearth import Link, PackageFinder

FRESH = 24 * 3600
"""Seconds for which an answer without the wanted file is believed."""
KEPT = 30 * FRESH
"""Seconds for which an answer with it is believed: releases vanish from indexes now and then."""


class IndexFile(Record):
    """A file that an index or folder offers."""

    file: str
    url: str
    """Without credentials; ``file:`` for one on this machine."""
    sha256: str | None = None
    """As the index says; None when it does not."""
    index: str | None = None
    """The index or page that offers it, without credentials; None for PyPI."""
    page: bool = False
    """True when it was linked from a find-links page or folder."""

    @property
    def path(self) -> Path | None:
        """Where it lies on this machine; None for a download."""
        return _on_disk(self.url)


class _Answer(msgspec.Struct):
    asked: float
    files: tuple[IndexFile, ...]


class Unreachable(Exception):
    """An index did not answer, or was not to be asked; the sentence says which and why."""


class Index:
    """All places that a pip configuration names; safe to ask from several threads."""

    def __init__(self, configuration: Configuration, *, offline: bool = False) -> None:
        self._configuration = configuration
        self._offline = offline
        self._down: dict[str, str] = {}
        self._pages: dict[tuple[str, bool], list[Link]] = {}
        self._names: dict[tuple[str, bool], list[str]] = {}
        self._lock = threading.Lock()
        indexes = () if configuration.no_index else (configuration.index, *configuration.extra_indexes)
        places = [(url, False) for url in indexes] + [(url, True) for url in configuration.find_links]
        self._remote = [place for place in places if place[0].startswith(("http:", "https:"))]
        self._local = [place for place in places if place not in self._remote]

    def remote(
        self, name: str, version: str, wanted: Callable[[Iterable[IndexFile]], bool]
    ) -> tuple[IndexFile, ...]:
        """Files of a release on the indexes, asked in order until ``wanted`` is satisfied.

        Raises:
            Unreachable: nothing satisfied it, and not every index could be asked.
        """
        found: tuple[IndexFile, ...] = ()
        failures = []
        for place in self._remote:
            try:
                found += self._cached(place, name, version, wanted)
            except Unreachable as error:
                failures.append(str(error))
            if wanted(found):
                return found
        if failures:
            raise Unreachable(failures[0])
        return found

    def local(self, name: str, version: str) -> tuple[IndexFile, ...]:
        """Files of a release in folders of this machine; a folder that is gone holds none."""
        found: list[IndexFile] = []
        for place in self._local:
            with contextlib.suppress(OSError, ValueError):
                if self._may_hold(place, name):
                    found += self._ask(place, name, version)
        return tuple(found)

    @property
    def client(self) -> Any:
        """The HTTP client with the authorities and credentials of the configuration."""
        with self._lock:
            return self._client

    def _cached(
        self,
        place: tuple[str, bool],
        name: str,
        version: str,
        wanted: Callable[[Iterable[IndexFile]], bool],
    ) -> tuple[IndexFile, ...]:
        key = (url_without_credentials(place[0]), name, version)
        known = recall(_Answer, *key)
        if known and 0 <= time.time() - known.asked < (KEPT if wanted(known.files) else FRESH):
            return known.files
        try:
            answer = self._reach(place, name, version)
        except Unreachable:
            if known:
                return known.files
            raise
        keep(_Answer(asked=time.time(), files=answer), *key)
        return answer

    def _reach(self, place: tuple[str, bool], name: str, version: str) -> tuple[IndexFile, ...]:
        """Ask, once more after a failure of the connection, and never again after the second."""
        public = url_without_credentials(place[0])
        if self._offline:
            raise Unreachable(f"{public} was not asked (offline)")
        for attempt in (1, 2):
            if public in self._down:
                break
            try:
                return tuple(self._ask(place, name, version))
            except Exception as error:  # which HTTP library it is, and so what it raises, is unearth's affair
                if attempt == 2 or isinstance(error, _Refused):
                    why = str(error) or type(error).__name__
                    self._down[public] = f"{public} could not be asked: {why}"
        raise Unreachable(self._down[public])

    def _ask(self, place: tuple[str, bool], name: str, version: str) -> Iterable[IndexFile]:
        from packaging.utils import canonicalize_version

        url, is_page = place
        same, spelled = canonicalize_version(version), _spellings(version)
        evaluator = self._finder.build_evaluator(name, allow_yanked=True)
        links = (link for link in self._links(place, name) if spelled.search(link.filename))
        offered = filter(None, map(evaluator.evaluate_link, links))
        return [
            IndexFile(
                file=package.link.filename,
                url=url_without_credentials(package.link.url_without_fragment),
                sha256=(package.link.hash_option or {}).get("sha256", [None])[0],
                index=None if url == DEFAULT_INDEX else url_without_credentials(url),
                page=is_page,
            )
            for package in offered
            if package.version and canonicalize_version(package.version) == same
        ]

    def _may_hold(self, place: tuple[str, bool], name: str) -> bool:
        """False when a folder has no file of the project, which most have not; then nothing need be parsed.

        Raises:
            OSError: the folder cannot be read.
        """
        from packaging.utils import canonicalize_name

        url, is_page = place
        folder = _on_disk(url) or Path(url)
        project = canonicalize_name(name)
        if not is_page:
            return (folder / project).exists()
        if not folder.is_dir():
            return True
        if place not in self._names:
            self._names[place] = [canonicalize_name(file.name) for file in folder.iterdir()]
        return any(file.startswith(f"{project}-") for file in self._names[place])

    def _links(self, place: tuple[str, bool], name: str) -> Iterable[Link]:
        """What an index lists of a project, or all that a page or folder lists, which is read once."""
        from packaging.utils import canonicalize_name
        from unearth.collector import collect_links_from_location
        from unearth.link import Link

        url, is_page = place
        fetcher: Any = _Fetcher(self.client)
        if not is_page:
            return collect_links_from_location(fetcher, Link(f"{url}/{canonicalize_name(name)}/"))
        if place not in self._pages:
            page = Link(url) if "://" in url else Link.from_path(Path(url).absolute())
            self._pages[place] = list(collect_links_from_location(fetcher, page, expand=True))
        return self._pages[place]

    @cached_property
    def _client(self) -> Any:
        from unearth.auth import MultiDomainBasicAuth
        from unearth.fetchers import PyPIClient

        logging.getLogger("unearth").addHandler(logging.NullHandler())
        urls = [url for url, _ in self._remote]
        return PyPIClient(
            trusted_hosts=self._configuration.trusted_hosts,
            verify=_authorities(self._configuration.certificates),
            auth=MultiDomainBasicAuth(prompting=False, index_urls=urls),
            timeout=self._configuration.timeout,
            follow_redirects=True,
        )

    @cached_property
    def _finder(self) -> PackageFinder:
        from unearth import PackageFinder

        return PackageFinder(ignore_compatibility=True)


class _Refused(Exception):
    """An index answered, and would not say."""


class _Fetcher:
    """What unearth fetches pages with: an index that fails is not taken for one without the package."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        response = self._client.get(url, headers=headers)
        # 403 is how indexes on object stores say that there is no such page.
        if response.status_code in {401, 407, 429} or response.status_code >= 500:
            raise _Refused(f"it answered {response.status_code} {response.reason_phrase}")
        return response

    def head(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        return self._client.head(url, headers=headers)

    def get_stream(self, url: str, *, headers: Mapping[str, str] | None = None) -> Any:
        return self._client.get_stream(url, headers=headers)

    def iter_secure_origins(self) -> Iterable[tuple[str, str, str]]:
        origins: Iterable[tuple[str, str, str]] = self._client.iter_secure_origins()
        return origins


def _on_disk(url: str) -> Path | None:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _spellings(version: str) -> re.Pattern[str]:
    """Matches the file names of a release, and few others, so that most of a list need not be parsed.

    ``2020.6.20`` may be written ``2020.06.20`` in a file name, and ``1.0`` as ``1`` (PEP 440, normalization).
    """
    release = re.search(r"(?:\d+!)?(\d[\d.]*)", version)
    numbers = [str(int(number)) for number in re.findall(r"\d+", release[1] if release else "0")]
    while len(numbers) > 1 and numbers[-1] == "0":
        numbers.pop()
    return re.compile(r"(?<!\d)0*" + r"\D+0*".join(numbers))


def _authorities(certificates: str | None) -> ssl.SSLContext | bool:
    if certificates is None:
        return True
    is_folder = Path(certificates).is_dir()
    try:
        return ssl.create_default_context(
            cafile=None if is_folder else certificates, capath=certificates if is_folder else None
        )
    except (OSError, ssl.SSLError):
        return True
