"""How long work tells what it is doing; the CLI shows it, a library user may ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives words for a person; nothing depends on them."""

    def step(self, text: str) -> None:
        """A new phase began, for example ``building the image``."""

    def detail(self, text: str) -> None:
        """A line of interest within the phase, for example one line of a builder's output."""

    def warn(self, text: str) -> None:
        """Something that the user should know of, though work goes on."""


class Silent:
    """Says nothing."""

    def step(self, text: str) -> None: ...

    def detail(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...
