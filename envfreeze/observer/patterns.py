"""Patterns of paths, as ``--output`` and ``classes.toml`` have them."""

from __future__ import annotations

import functools
import re


def matches_one(path: str, pattern: str) -> bool:
    """True when the pattern means the path, or a folder around it.

    ``*`` and ``?`` stay within a folder, ``**`` spans folders, ``[…]`` is a set; a pattern that names a
    folder means all below it.
    """
    return compiled(pattern).match(path) is not None


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression for ``match``."""
    try:
        return re.compile(expression(pattern), re.DOTALL)
    except re.error:  # a set such as [z-a]: taken literally
        return re.compile(re.escape(pattern) + r"(?:/.*)?\Z", re.DOTALL)


def expression(pattern: str) -> str:
    """The text of the regular expression; a set in it may turn out to be none that ``re`` takes."""
    parts = []
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", pattern, re.DOTALL):
        if piece == "**/":
            parts.append("(?:.*/)?")
        elif piece == "**":
            parts.append(".*")
        elif piece == "*":
            parts.append("[^/]*")
        elif piece == "?":
            parts.append("[^/]")
        elif len(piece) > 2 and piece[0] == "[":
            negated = piece[1] == "!"
            members = piece[2 if negated else 1 : -1].replace("\\", r"\\").replace("[", r"\[")
            members = members.replace("]", r"\]").replace("^", r"\^").replace("&", r"\&").replace("~", r"\~")
            parts.append(f"(?!/)[{'^' if negated else ''}{members}]")
        else:
            parts.append(re.escape(piece))
    return "".join(parts) + r"(?:/.*)?\Z"
