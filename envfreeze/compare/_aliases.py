"""Places that are equal though they are spelled differently, such as the prefix of the environment."""

from __future__ import annotations

import re
from functools import lru_cache

from envfreeze.compare import Options

Aliases = tuple[tuple[str, str, str], ...]


@lru_cache(maxsize=64)
def pattern(aliases: Aliases) -> re.Pattern[str] | None:
    """Finds each alias, in either spelling, as a whole path: ``/work`` is not found in ``/workshop``.

    Longer spellings come first, so that an environment inside the project folder is seen as such.
    """
    spellings = sorted({text for _, *both in aliases for text in both if text}, key=len, reverse=True)
    if not spellings:
        return None
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, spellings))})(?![\w-]|\.\w)")


def rule_name(original: str, replay: str, aliases: Aliases) -> str | None:
    """Name of the alias that makes these two spellings the same place."""
    for name, first, second in aliases:
        if (original, replay) == (first, second):
            return name
    return None


def names_set_aside(original: str, replay: str, options: Options) -> list[str] | None:
    """The aliases that explain all of the difference between two texts; None when something else differs."""
    found = pattern(options.aliases)
    if found is None:
        return None
    firsts, seconds = found.findall(original), found.findall(replay)
    if len(firsts) != len(seconds) or found.split(original) != found.split(replay):
        return None
    names = []
    for first, second in zip(firsts, seconds, strict=True):
        if first != second:
            name = rule_name(first, second, options.aliases)
            if name is None:
                return None
            names.append(name)
    return names
