"""What else a run did: what it looked for in vain, whom it talked to, and which programs it was made of."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence

import msgspec

from envfreeze import tree
from envfreeze.observer.events import Events
from envfreeze.observer.inputs import Locator, Snapshot
from envfreeze.observer.outputs import printable
from envfreeze.observer.shim_log import Image
from envfreeze.records.files import FileEntry, Gap
from envfreeze.records.observation import ProcessEntry
from envfreeze.redact import url_without_credentials
from envfreeze.store import Store

MOST_ABSENT = 200
MOST_PROCESSES = 10_000
MOST_DEEDS = 200_000
"""Files that are named below all processes together."""
MOST_DEEDS_OF_ONE = 2_000
"""The same below one process, of either kind."""
_LONGEST_WORD = 2000
"""Characters of one word of a command line, such as a program given with ``-c``."""

_PROBED = re.compile(
    r"""(^|/)(
        __pycache__(/.*)? | .*\.(pyc|pyo|pyd) | .*\.(cpython|pypy|abi)[^/]*\.so | .*module\.so
      | pyvenv\.cfg | pybuilddir\.txt | .*\._pth | __init__\.so
      | .*\.(pth|egg-link)
    )$""",
    re.VERBOSE,
)
"""What an interpreter looks for on its own: compiled modules (importlib), marks of environments."""


def absent(events: Events, locator: Locator, before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """Paths of the project that the run looked for, that were not there, and that it did not make itself.

    A settings file that is missing matters as much as one that is there. At most ``MOST_ABSENT``.
    """
    there = {*before.files, *before.folders, *after.files, *after.folders}
    found = set()
    for path in (path for image in events.images for path in image.sought):
        links, place = locator.resolve(path)
        if (
            place.startswith("/")
            or place in there
            or links
            or _PROBED.search(place)
            or tree.is_ignored(place)
        ):
            continue
        if place.endswith(".so") and f"{place.removesuffix('.so')}.py" in there:
            continue
        if place not in tree.OWN_FILES and place.split("/")[0] not in tree.IGNORED_FOLDERS:
            found.add(printable(place))
    return tuple(sorted(found)[:MOST_ABSENT])


def hosts(events: Events) -> tuple[str, ...]:
    """Other machines that were connected to, as ``address:port``."""
    reached = {address for image in events.images for address in image.reached}
    pairs = [address.rpartition(" ")[::2] for address in sorted(reached)]
    return tuple(f"{host}:{port}" for host, port in pairs if not host.startswith("127.") and host != "::1")


class Deeds:
    """Says of each process which of the recorded files it read, and which of the outputs it wrote."""

    def __init__(self, locator: Locator, read: Iterable[FileEntry], made: Iterable[FileEntry]) -> None:
        self._locator = locator
        self._read = {entry.path for entry in read if entry.link is None}
        self._made = {entry.path for entry in made if entry.link is None}
        self._places: dict[str, str] = {}
        self._left = MOST_DEEDS

    def of(self, entry: ProcessEntry, read: Iterable[str], written: Iterable[str]) -> ProcessEntry:
        """The entry with its files; ``read`` and ``written`` are absolute paths as they were opened."""
        found = [self._known(read, self._read), self._known(written, self._made)]
        named = [paths[: min(MOST_DEEDS_OF_ONE, self._left)] for paths in found]
        self._left -= sum(map(len, named))
        unnamed = sum(map(len, found)) - sum(map(len, named))
        return msgspec.structs.replace(entry, read=named[0], wrote=named[1], unnamed=unnamed)

    def _known(self, paths: Iterable[str], recorded: set[str]) -> tuple[str, ...]:
        return tuple(sorted(recorded & {self._place(path) for path in paths}))

    def _place(self, path: str) -> str:
        if path not in self._places:
            self._places[path] = printable(self._locator.resolve(os.path.normpath(path))[1])
        return self._places[path]


def processes(events: Events, deeds: Deeds) -> tuple[ProcessEntry, ...]:
    """The programs of a run in the order of their start; without shim and tracer, the Pythons alone."""
    if images := events.traced or events.images:
        first = images[0].started
        found = [deeds.of(_entry(image, first), image.read, image.written) for image in images]
    else:
        found = [
            deeds.of(
                ProcessEntry(
                    pid=process.pid,
                    parent=process.ppid,
                    program=printable(process.executable),
                    command=masked(process.argv),
                ),
                process.read,
                process.written,
            )
            for process in events.processes
            if process.pid and not process.forked
        ]
    return tuple(_without_forks_before_exec(found)[:MOST_PROCESSES])


def _entry(image: Image, first: int) -> ProcessEntry:
    """Args: first: when the first program began."""
    return ProcessEntry(
        pid=image.pid,
        parent=image.ppid,
        program=printable(image.program),
        command=masked(image.argv),
        started=round(max(image.started - first, 0) / 1e9, 3),
        took=round(max(image.ended - image.started, 0) / 1e9, 3) if image.ended else None,
        exit_status=image.exit_status,
        cpu=round(image.cpu, 3),
        peak_memory=image.peak_memory,
    )


def _without_forks_before_exec(entries: Sequence[ProcessEntry]) -> list[ProcessEntry]:
    """Without the moment between fork and exec, in which a process is the same program as its parent."""
    last = {entry.pid: place for place, entry in enumerate(entries)}
    programs = {entry.pid: (entry.program, entry.command) for entry in reversed(entries)}
    return [
        entry
        for place, entry in enumerate(entries)
        if last[entry.pid] == place or programs.get(entry.parent) != (entry.program, entry.command)
    ]


def store_processes(entries: Iterable[ProcessEntry], store: Store) -> str | None:
    """Keep the list; return its digest.

    Raises:
        OSError: the store cannot be written.
    """
    content = msgspec.to_builtins(tuple(entries))
    return store.add_bytes(json.dumps(content, indent=0).encode()) if content else None


_SECRET_OPTION = re.compile(
    r"""(?i)^-{0,2}(?:[\w.-]*[._-])?(?:token|api[-_]?key|secret|secret[-_]?key|access[-_]?key|password|passwd|
      passphrase|credentials?|private[-_]?key|auth)$""",
    re.VERBOSE,
)
"""Whole words, so that ``--tokenizer``, ``--max-tokens`` and ``--author`` are what they are."""
_SECRET_PAIR = re.compile(
    r"""((?:^|[\s;&|'"(])(?:-{1,2}[\w.-]*(?:token|api[-_]?key|secret|passw|credential|private)[\w-]*[=\s]\s*
      |[A-Z_]*(?:TOKEN|KEY|SECRET|PASSW|CREDENTIAL)[A-Z_]*=))(?:"[^"]*"|'[^']*'|[^\s;&|'")]+)""",
    re.VERBOSE,
)
_SECRET_TEXT = re.compile(
    r"""hf_[A-Za-z0-9]{20,} | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | sk-[\w-]{20,}
      | AKIA[0-9A-Z]{16} | xox[abprs]-[\w-]{10,} | glpat-[\w-]{20,} | eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+""",
    re.VERBOSE,
)
"""Tokens of a recognisable form: Hugging Face, GitHub, OpenAI, AWS, Slack, GitLab, JWT."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,;|'\"]+")
MASK = "***"


def masked(words: Sequence[str]) -> tuple[str, ...]:
    """A command line for people: what looks secret is replaced by stars, and long words are cut."""
    found = []
    for word in without_secrets(words):
        if " " in word:  # a command line of its own, as after sh -c
            word = _SECRET_PAIR.sub(lambda match: match[1] + MASK, word)
        found.append(printable(word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}…"))
    return tuple(found)


def without_secrets(words: Sequence[str]) -> tuple[str, ...]:
    """A command line that can be run again, but for the values of options that look secret.

    Those, tokens of a recognisable form, and passwords in URLs are replaced by stars.
    """
    found: list[str] = []
    hide = False
    for word in words:
        name, equals, value = word.partition("=")
        is_secret = _SECRET_OPTION.match(name) is not None
        if hide and not word.startswith("-"):
            word = MASK
        elif equals and value and is_secret:
            word = f"{name}={MASK}"
        hide = is_secret and not equals and name.startswith("-")
        word = _SECRET_TEXT.sub(MASK, word)
        found.append(_URL.sub(lambda match: url_without_credentials(match[0]), word))
    return tuple(found)


def command_gaps(command: Sequence[str], recorded: Sequence[str]) -> list[Gap]:
    """A gap when the recorded command is not the one that ran."""
    if tuple(command) == tuple(recorded):
        return []
    why = f"what looks secret is left out ({MASK}), and a replay runs without it"
    return [Gap(what="the command line", why=why)]
