"""Where a replay left the tapes, as the first hint of what differs."""

from __future__ import annotations

from collections.abc import Sequence

from envfreeze.records.tapes import LeftTape, Tapes
from envfreeze.report._words import counted, size

_WORDS = {
    "randomness": "randomness",
    "clock": "the time",
    "host name": "the host's name",
    "user": "the user's name",
    "temporary names": "a temporary name",
}


_LAYERS = {
    ("shim",): "",
    ("agent",): ", by the agent in Python alone",
    ("shim", "agent"): ", some processes by the agent in Python",
}


def taped(tapes: Tapes | None) -> str:
    """What is on the tapes, and what taped it; empty without tapes."""
    if tapes is None:
        return ""
    what = f"{counted(tapes.streams, 'stream')} of {', '.join(tapes.sources)}, {size(tapes.size)}"
    return what + _LAYERS.get(tapes.layers, "")


def first_hint(left: Sequence[LeftTape]) -> str | None:
    """One sentence about the place that says most, or None.

    Randomness comes before time, the project's own lines before those of packages. Reads
    of the monotonic clock in libraries say nothing: they are for waits, whose number varies.
    """
    telling = [place for place in left if not _is_wait(place)]
    if not telling:
        return None
    first = min(telling, key=_rank)
    if first.more:
        return _ended_early(first)
    where = first.place or first.line or first.site
    asked = _WORDS.get(first.source, "something")
    return (
        f"first place where it left the recorded run: {where} asked for {asked}, {first.why} "
        f"(after {first.taken}, in {first.process})"
    )


def _ended_early(first: LeftTape) -> str:
    times = "once" if first.more == 1 else f"{first.more} times"
    if not first.process:
        return f"first place where the recorded run went on: {first.why}; it asked at {first.site}"
    return (
        f"first place where the recorded run went on: it asked {times} more at {first.site} "
        f"(after {first.taken}, in {first.process})"
    )


def _rank(place: LeftTape) -> tuple[bool, bool, bool, bool]:
    """What it asked for and was not recorded comes before what was recorded and it did not ask for."""
    return (
        place.more > 0,
        place.source == "clock",
        not place.line,
        not place.place or _is_library(place.place),
    )


def _is_library(line: str) -> bool:
    return line.startswith("<") or "/lib/python" in line or "/lib64/python" in line


def _is_wait(place: LeftTape) -> bool:
    return _is_library(place.line) and place.site.startswith("time.monotonic")
