"""Text from outside made harmless, and quantities put into words."""

from __future__ import annotations


def printable(text: str, encoding: str = "utf-8") -> str:
    """Text without anything that drives a terminal, and that ``encoding`` can express.

    Control characters (so ANSI sequences), characters that turn the direction of writing, and lone surrogates
    are shown as escapes such as ``\\x1b``.
    """
    if text.isascii() and text.isprintable():
        return text
    harmless = "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )
    return harmless.encode(encoding, "backslashreplace").decode(encoding)


def size(count: int) -> str:
    """Bytes in the largest fitting binary unit, for example ``1.4 GiB``."""
    if count == 1:
        return "1 byte"
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float) -> str:
    """Seconds as ``0.42 s``, ``12.3 s``, ``4 min 05 s`` or ``2 h 03 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int, noun: str) -> str:
    """``1 output``, ``2 outputs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
