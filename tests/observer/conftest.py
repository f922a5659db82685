"""Watching small programs, as the command line does."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from envfreeze.observer.watch import Watched, watch
from envfreeze.store import Store

FREEZE = (sys.executable, "-m", "envfreeze", "freeze", "--offline", "--vendor-limit=1")
"""The command line, asking and copying nothing of the packages around these tests, which may be many."""


class Watching:
    """Watches programs in one project."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.store = Store(project)

    def script(self, text: str, name: str = "main.py") -> str:
        (self.project / name).parent.mkdir(parents=True, exist_ok=True)
        (self.project / name).write_text(textwrap.dedent(text))
        return name

    def __call__(self, *command: str, **settings: object) -> Watched:
        settings = {"directory": self.project, **settings}
        return watch(command, project=self.project, store=self.store, **settings)  # type: ignore[arg-type]

    def python(self, text: str, *arguments: str, **settings: object) -> Watched:
        return self(sys.executable, self.script(text), *arguments, **settings)

    def stdout(self, watched: Watched) -> bytes:
        return self.store.path(watched.observation.stdout.sha256).read_bytes()

    def files(self, watched: Watched) -> dict[str, bytes | str]:
        return self._content(self.store.entries(watched.observation.files, what="files"))

    def outputs(self, watched: Watched) -> dict[str, bytes | str]:
        return self._content(self.store.entries(watched.observation.outputs, what="outputs"))

    def _content(self, entries: Sequence[object]) -> dict[str, bytes | str]:
        return {
            entry.path: entry.link or self.store.path(entry.sha256).read_bytes()  # type: ignore[attr-defined]
            for entry in entries
        }


@pytest.fixture
def watching(project: Path) -> Watching:
    return Watching(project)


@pytest.fixture
def without_shim(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an installation without a C compiler."""
    monkeypatch.setattr("envfreeze.observer.inject.SHIM", Path("/nonexistent/shim.so"))


@pytest.fixture(autouse=True)
def no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runner's own standard input is nobody's business."""
    kept = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    yield
    os.dup2(kept, 0)
    os.close(kept)


@pytest.fixture
def interpreter() -> Callable[[str], str]:
    """Another Python of this machine by version; a test that needs one that is not there is skipped."""

    def find(version: str) -> str:
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        for folder in sorted(root.glob(f"{version}*")):
            if (folder / "bin/python").exists():
                return str(folder / "bin/python")
        pytest.skip(f"no Python {version} here")

    return find
