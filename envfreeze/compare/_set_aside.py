"""The documented non-results: what may differ between two runs that are the same.

Each rule is narrow on purpose. A metric must never be set aside, so a rule asks for a name or a place that
says what the value is (``elapsed``, the start of a log line), and for a value that looks like it, in both
outputs. Whatever is set aside is listed with the output, by the rule's name and the number of places.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from envfreeze.compare._numbers import NUMBER
from envfreeze.records.base import Record

_GAP = r"[ \t]{0,8}"
_DATE = r"(?:19|20)\d{2}[-/]\d{2}[-/]\d{2}"
_CLOCK = r"\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_STAMP = rf"{_DATE}[T ]{_CLOCK}{_ZONE}"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CTIME = rf"{_DAY} {_MONTH} [ \d]\d {_CLOCK} (?:[A-Z]{{3,5}} )?\d{{4}}"
_RFC2822 = rf"{_DAY}, \d{{1,2}} {_MONTH} \d{{4}} {_CLOCK}{_ZONE}"
_MOMENT = rf"(?:{_STAMP}|{_CTIME}|{_RFC2822}|{_CLOCK}{_ZONE})"
_UNIT = r"(?:ms|µs|us|ns|s|secs?|seconds?|mins?|minutes?|h|hours?)"
_SPAN = rf"(?:{NUMBER} ?{_UNIT}|(?:\d+ days?, )?\d+:\d{{2}}:\d{{2}}(?:\.\d+)?)"


class TextRule(Record):
    """A non-result in a line of text: the part of the line that the group ``value`` matches."""

    name: str
    pattern: str
    description: str
    clock: bool = False
    """True when the value is the time of the run: once it differs, it differs on all later lines too."""


TEXT_RULES = (
    TextRule(
        name="time of a log line",
        pattern=rf"^\W{{0,3}}(?:(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)\W{{1,8}})?(?P<value>{_MOMENT})(?!\w)",
        description="a time of day, with or without a date, at the start of a line, as loggers write it",
        clock=True,
    ),
    TextRule(
        name="date",
        pattern=(
            rf"(?i:^\W{{0,3}}(?:date|time|timestamp){_GAP}[:=]{_GAP}"
            r"|\b(?:created|generated|started|finished|completed|saved|written|updated)"
            rf"(?:{_GAP}(?:at|on))?{_GAP}[:=]?{_GAP})"
            rf"(?P<value>{_MOMENT}|{_DATE})(?!\w)"
        ),
        description="a date or a time after a word that says that the run's own time follows",
        clock=True,
    ),
    TextRule(
        name="elapsed time",
        pattern=(
            rf"(?i:(?:\b(?:elapsed(?: time)?|took|wall(?:[ -]?clock)? time"
            rf"|(?:finished|done|completed|trained) in)|^\W{{0,3}}duration){_GAP}[:=]?{_GAP})"
            rf"(?P<value>{_SPAN})(?![\w/])"
        ),
        description="a duration with its unit after a word that says that the run took that long",
    ),
    TextRule(
        name="progress bar",
        pattern=(
            r"(?P<value>\[\d{2}:\d{2}<(?:\d{2}:\d{2}|\?), +"
            rf"(?:{NUMBER}|\?) ?(?:it/s|s/it))(?=[\],])"
        ),
        description="elapsed time, remaining time and rate as tqdm prints them",
    ),
    TextRule(
        name="memory address",
        pattern=r"(?<= at )(?P<value>0x[0-9a-fA-F]{6,16})(?=>)",
        description="where an object lay in memory, in its default ``repr``: ``<object at 0x7f…>``",
    ),
)


def looks_like_moment(value: object) -> bool:
    """True for a date as text, with or without time, and for (milli)seconds since 1970 in 2001 to 2096."""
    if isinstance(value, str):
        return _WHOLE_MOMENT.fullmatch(value.strip()) is not None
    seconds = _as_float(value)
    return seconds is not None and (1e9 <= seconds < 4e9 or 1e12 <= seconds < 4e12)


def looks_like_duration(value: object) -> bool:
    """True for a finite number that is not negative, and for text such as ``1.5 s`` or ``0:01:30``."""
    if isinstance(value, str):
        return _WHOLE_SPAN.fullmatch(value.strip()) is not None
    seconds = _as_float(value)
    return seconds is not None and 0 <= seconds < float("inf")


_WHOLE_MOMENT = re.compile(rf"{_DATE}(?:[T ]{_CLOCK}{_ZONE})?|{_CTIME}|{_RFC2822}|\d{{8}}[T_-]\d{{6}}Z?")
_WHOLE_SPAN = re.compile(_SPAN)


def _as_float(value: object) -> float | None:
    text = getattr(value, "text", None)
    try:
        return float(text) if isinstance(text, str) else None
    except ValueError:
        return None


class KeyRule(Record):
    """A non-result in a tree of named values (JSON, YAML) or in a named column: by exact name and by look."""

    name: str
    keys: frozenset[str]
    looks_like: Callable[[object], bool]
    description: str
    in_data: bool = False
    """True when it holds inside lists and table columns too, where ``date`` or ``duration`` would be data."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEY_RULES = (
    KeyRule(
        name="date",
        keys=_words(
            "timestamp date datetime created created_at started started_at finished finished_at "
            "ended_at completed_at generated generated_at saved_at updated_at run_date "
            "modified modified_at lastmodified date_saved train_finish_time"
        ),
        looks_like=looks_like_moment,
        description="a key that names the run's own time, with a value that is a date or a time",
    ),
    KeyRule(
        name="elapsed time",
        keys=_words(
            "duration duration_s duration_seconds "
            "elapsed elapsed_s elapsed_sec elapsed_seconds elapsed_time elapsed_ms"
        ),
        looks_like=looks_like_duration,
        description="how long the run took; not inside a list, where durations are data",
    ),
    KeyRule(
        name="wall-clock time",
        keys=_words(
            "wall_time walltime wall_seconds wall_clock_seconds "
            "training_seconds training_time_seconds fit_seconds"
        ),
        looks_like=looks_like_duration,
        description="a clock's reading of how long the work took, at any depth",
        in_data=True,
    ),
)


def key_rule(key: str, original: object, replay: object, *, in_data: bool) -> KeyRule | None:
    """The rule that sets this difference aside, if there is one; both values must look like it."""
    for rule in KEY_RULES:
        if key.lower() in rule.keys and (rule.in_data or not in_data):
            alike = type(original) is type(replay) and rule.looks_like(original) and rule.looks_like(replay)
            return rule if alike and original != replay else None
    return None
