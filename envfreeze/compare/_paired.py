"""Outputs that have another name in each run, paired by the pattern of the name.

TensorBoard writers put the time, the host, the process and a counter into the name of an event file
(``events.out.tfevents.<time>.<host>[.<process>.<counter>][.v2]``: ``EventsWriter::InitIfNeeded`` of
TensorFlow, ``tensorboard.summary.writer.event_file_writer``), so that two runs never use the same one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from msgspec.structs import replace

from envfreeze.records.comparison import OutputComparison
from envfreeze.records.verdict import Verdict

_EVENTS = re.compile(
    r"(?P<folder>(?:.*/)?)events\.out\.tfevents\.(?P<time>[0-9]{1,20})"
    r"\.(?P<host>.+?)(?:\.(?P<process>[0-9]{1,20})\.(?P<counter>[0-9]{1,20}))?(?P<end>(?:\.v2)?)",
    re.DOTALL,
)


def paired_names(originals: Collection[str], replays: Collection[str]) -> dict[str, str]:
    """The replay's name of each event file that is on one side only, by the original's.

    In each folder they are paired in the order of their time, process and counter, and only when there are as
    many on either side: otherwise nothing says which of them is missing.
    """
    ones, twos = _groups(set(originals) - set(replays)), _groups(set(replays) - set(originals))
    pairs: dict[str, str] = {}
    for group, names in ones.items():
        others = twos.get(group, [])
        if len(names) == len(others):
            pairs.update(zip(names, others, strict=True))
    return pairs


def renamed(output: OutputComparison, other: str) -> OutputComparison:
    """The comparison with the replay's name in its words; equivalent at best, as the names differ."""
    verdict = Verdict.EQUIVALENT if output.verdict is Verdict.IDENTICAL else output.verdict
    return replace(
        output,
        verdict=verdict,
        reason=f"{output.reason}; compared with the replay's {other}",
        set_aside=(*output.set_aside, "time, host and process in the name: 1 place"),
    )


def _groups(names: Collection[str]) -> dict[tuple[str, str], list[str]]:
    """Names of event files in their order, by folder and ending."""
    found: dict[tuple[str, str], list[tuple[tuple[int, int, int], str]]] = defaultdict(list)
    for name in names:
        if match := _EVENTS.fullmatch(name):
            order = int(match["time"]), int(match["process"] or 0), int(match["counter"] or 0)
            found[match["folder"], match["end"]].append((order, name))
    return {group: [name for _, name in sorted(members)] for group, members in found.items()}
