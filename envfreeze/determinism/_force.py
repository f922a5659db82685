"""Whether settings were in force: what the agents read back in the processes of a run, held against them.

The processes of the run wrote it, so nothing is trusted: lines are bounded, and words are only compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from envfreeze.determinism import Call, Library, Rule, installed, libraries
from envfreeze.determinism._kernels import not_covered
from envfreeze.records.base import Record
from envfreeze.records.files import Gap
from envfreeze.records.lock import Lock
from envfreeze.records.settings import InForce, Setting

NOTES = "settings"
"""Name of the file that the agents write to."""

MOST_BYTES = 1 << 20
_MOST_WARNINGS = 50


class Said(Record):
    """What all processes said of a run's settings."""

    states: dict[tuple[str, str], list[tuple[str, str]]] = {}
    """State and finding of each process, by kind and name."""
    loaded: frozenset[str] = frozenset()
    warned: tuple[str, ...] = ()
    processes: int = 0


def read(folder: Path) -> Said:
    """What lies in ``folder``; nothing when no Python of the run reported."""
    try:
        with (folder / NOTES).open("rb") as stream:
            text = stream.read(MOST_BYTES).decode(errors="replace")
    except OSError:
        return Said()
    states: dict[tuple[str, str], list[tuple[str, str]]] = {}
    loaded: set[str] = set()
    warned: dict[str, None] = {}
    processes: set[str] = set()
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 5:
            continue
        process, kind, name, state, found = fields
        processes.add(process)
        if kind == "loaded":
            loaded |= set(found.split())
        elif kind == "warned" and len(warned) < _MOST_WARNINGS:
            warned[found] = None
        elif state in ("yes", "no"):
            states.setdefault((kind, name), []).append((state, found))
    return Said(states=states, loaded=frozenset(loaded), warned=tuple(warned), processes=len(processes))


def verified(settings: Iterable[Setting], said: Said) -> tuple[Setting, ...]:
    """The settings, with what was read back."""
    modules = {library.name: library.modules for library in libraries()}
    return tuple(_verified(setting, said, modules.get(setting.library, frozenset())) for setting in settings)


def _verified(setting: Setting, said: Said, modules: frozenset[str]) -> Setting:
    found = said.states.get((setting.kind, setting.variable), [])
    asked = said.states.get(("read", setting.variable), [])
    state: InForce
    if not said.processes:
        state, text = "unknown", "no Python of the run reported"
    elif modules and not modules & said.loaded and not (setting.kind == "call" and found):
        state, text = "not loaded", ""
    elif not found:
        state, text = ("not loaded", "") if setting.kind == "call" else ("unknown", "")
    else:
        against = [words for verdict, words in (*found, *asked) if verdict == "no"]
        words = list(dict.fromkeys(words for _, words in asked or found))
        state, text = ("no", against[0]) if against else ("yes", ", ".join(words[:3]))
    return msgspec.structs.replace(setting, in_force=state, found=text)


def unheeded(settings: Sequence[Setting], lock: Lock) -> tuple[str, ...]:
    """A sentence for each setting that the installed version of its library does not know."""
    from packaging.version import InvalidVersion, Version

    versions = installed(lock)
    notes = []
    rules = {
        (library.name, name): (library, rule) for library in libraries() for name, rule in _named(library)
    }
    for setting in settings:
        known = rules.get((setting.library, setting.variable))
        if known is None or setting.in_force == "not loaded":
            continue
        library, rule = known
        present = [(name, versions[name]) for name in sorted(library.distributions) if name in versions]
        if library.name == "python":
            present = [("Python", lock.interpreter.version)]
        for name, version in present[:1]:
            try:
                installed_version = Version(version)
                early = bool(rule.since) and installed_version < Version(rule.since)
                late = bool(rule.until) and installed_version >= Version(rule.until)
            except InvalidVersion:  # of another thing than the distribution, such as CUDA
                continue
            if early or late:
                bound = f"only since {rule.since}" if early else f"no longer since {rule.until}"
                notes.append(f"{setting.variable} has no effect: {name} {version} knows it {bound}")
    return tuple(notes)


def _named(library: Library) -> list[tuple[str, Rule | Call]]:
    return [(rule.variable, rule) for rule in library.rules] + [(call.call, call) for call in library.calls]


def not_in_force(settings: Iterable[Setting]) -> tuple[str, ...]:
    """A sentence for each setting that was found not to hold."""
    return tuple(
        f"{setting.variable}={setting.value} was not in force: found {setting.found}"
        for setting in settings
        if setting.in_force == "no"
    )


def checked(lock: Lock) -> Lock:
    """The lock with a gap for each setting of its run that was not in force, or that its version ignores."""
    settings = lock.run.settings if lock.run is not None else ()
    why = (*not_in_force(settings), *unheeded(settings, lock))
    if lock.run is not None and lock.run.profile == "portable":
        why += not_covered(lock)
    gaps = tuple(Gap(what="determinism", why=text) for text in why)
    return msgspec.structs.replace(lock, gaps=lock.gaps + gaps)


def text_for_agent(settings: Iterable[Setting]) -> str:
    """The file that the agents read: see ``agent/envfreeze_settings.py``."""
    lines = []
    for setting in settings:
        fields = (setting.kind, setting.variable, setting.value)
        if not any("\t" in field or "\n" in field for field in fields):
            lines.append("\t".join(fields))
    return "\n".join(lines) + "\n"
