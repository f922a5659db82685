"""Where a replay left the tapes, as the first hint of what differs."""

from __future__ import annotations

from collections.abc import Sequence

from envfreeze.records.tapes import LeftTape

_WORDS = {"randomness": "randomness", "clock": "the time", "host name": "the host's name"}


def first_hint(left: Sequence[LeftTape]) -> str | None:
    """One sentence about the place that says most, or None.

    The project's own lines come first, randomness before time, and earlier before later. Reads of the
    monotonic clock by the standard library say nothing: they are for waits, whose number varies.
    """
    telling = [place for place in left if not _is_wait(place)]
    if not telling:
        return None
    first = min(telling, key=lambda place: (not place.place, place.source == "clock"))
    where = first.place or first.line or first.site
    asked = _WORDS.get(first.source, "something")
    return (
        f"first place where it left the recorded run: {where} asked for {asked}, {first.why} "
        f"(after {first.taken}, in {first.process})"
    )


def _is_wait(place: LeftTape) -> bool:
    library = place.line.startswith("<") or "/lib/python" in place.line or "/lib64/python" in place.line
    return library and place.site.startswith("time.monotonic")
