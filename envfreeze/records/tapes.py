"""Tapes: the randomness and the times that a run got, kept so that a replay can be given the same."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Bytes, Record, Sha256

TapeSource = Literal[
    "randomness",
    "clock",
    "host name",
    "user",
    "process numbers",
    "temporary names",
    "order of folders",
    "file times",
    "system files",
    "addresses",
    "unknown",
]


TapeLayer = Literal["shim", "agent"]
"""What taped a process: the preloaded library, or the agent in its Python where that could not be loaded."""


class TapeEntry(Record):
    """The tape of one process, a line of the manifest."""

    file: str
    """Its name, which a replay finds it by: the process's place in the tree of processes, as a number."""
    sha256: Sha256
    size: Bytes
    streams: int
    layer: TapeLayer = "shim"


class Tapes(Record):
    """All tapes of a run; the content lies in ``.envfreeze/tapes/<manifest>/``, which is private."""

    manifest: Sha256
    """Digest of the list of tapes (see ``TapeEntry``), and the name of their folder."""
    size: Bytes = 0
    processes: int = 0
    streams: int = 0
    """One a thread, source and call site."""
    sources: tuple[TapeSource, ...] = ()
    layers: tuple[TapeLayer, ...] = ("shim",)
    """What taped it; a replay plays each process by the layer that taped it."""
    complete: bool = True
    """False when ``--tape-limit`` or a full disk ended the recording before the run did."""


class LeftTape(Record):
    """Where a replay asked for something else than the recorded run had: a first hint of what differs."""

    process: str
    """Its command line."""
    source: TapeSource
    site: str
    """Module and function, or offset, that asked."""
    thread: str
    """By order of creation: ``0`` is the first, ``0.1`` the second that it made."""
    taken: int
    """How many values it had been given before."""
    line: str = ""
    """File and line of the Python code that asked, where it could be told."""
    place: str = ""
    """File and line of the code outside of the standard library that this was done for."""
    why: str = ""
    more: int = 0
    """How many values the recorded run was given from there on, where the replay ended before that."""
