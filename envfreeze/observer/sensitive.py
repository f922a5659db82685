"""Files whose names say that they hold secrets: they are never stored."""

from __future__ import annotations

from envfreeze.observer.classes import plain


def looks_secret(path: str) -> bool:
    """True for ``.env``, private keys, password files and the like (see ``classes.toml``), by name alone."""
    return plain().is_secret(path)
