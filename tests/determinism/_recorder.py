"""Tapes by one layer alone, without freezing or an engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from envfreeze.engines._tapes import read_state
from envfreeze.observer import inject, tapes
from envfreeze.records.tapes import LeftTape
from envfreeze.store import Store


def environment(python: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}


class Recorder:
    """Records and plays with the shim alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder)
        self.store.create()
        self.times = 0

    def _run(self, variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
        shim = inject.shim()
        assert shim is not None
        env = environment(Path(sys.executable).parent) | variables | {"LD_PRELOAD": str(shim)}
        return subprocess.run(command, env=env, capture_output=True, timeout=60)

    def record(
        self, *command: str, limit: int = 1 << 24
    ) -> tuple[subprocess.CompletedProcess[bytes], tapes.Tapes, str]:
        self.times += 1
        folder = self.folder / f"recording{self.times}"
        done = self._run(tapes.prepare(folder, limit=limit), *command)
        sealed, gaps = tapes.seal(folder, self.store)
        assert sealed is not None
        return done, sealed, "\n".join(f"{gap.what}: {gap.why}" for gap in gaps)

    def play(
        self, sealed: tapes.Tapes, *command: str, **variables: str
    ) -> tuple[subprocess.CompletedProcess[bytes], tuple[LeftTape, ...]]:
        self.times += 1
        folder, why = tapes.find(self.store, sealed)
        assert folder is not None, why
        state = self.folder / f"state{self.times}"
        state.mkdir()
        told = {
            "ENVFREEZE_TAPE": "replay",
            "ENVFREEZE_TAPES": str(folder),
            "ENVFREEZE_TAPE_STATE": str(state),
        }
        done = self._run(told | tapes.first_process() | variables, *command)
        return done, read_state(state, folder)[0]


class AgentRecorder(Recorder):
    """Records and plays with the agent alone."""

    def _run(self, variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
        agent = self.folder / "agent"
        if not agent.exists():
            inject.copy_agent(agent)
        told = {"PYTHONPATH": str(agent), "ENVFREEZE_TAPE_AGENT": "play"}
        env = environment(Path(sys.executable).parent) | variables | told
        return subprocess.run(command, env=env, capture_output=True, timeout=60)
