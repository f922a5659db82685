"""Memory of a process tree, sampled seldom enough to cost next to nothing."""

from __future__ import annotations

import contextlib
import threading
import time

SHORTEST_INTERVAL = 0.05
"""Seconds between two samples at least."""
LARGEST_SHARE = 0.01
"""Of one processor that sampling may take in the long run."""
GROWTH = 0.1
"""The interval grows with the time passed: a short run is sampled often, a long one seldom."""


class Sampler:
    """Samples the tree below a process in a thread of its own, between ``start`` and ``stop``."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="envfreeze-resources", daemon=True)
        self.peak_memory = 0
        """Bytes: the largest sum of resident memory seen."""
        self.seen: set[int] = set()
        """Process ids of the tree."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        import psutil

        with contextlib.suppress(psutil.Error, OSError):
            root = psutil.Process(self._pid)
            began = time.monotonic()
            while not self._stopping.is_set():
                before = time.thread_time()
                self._sample(root)
                affordable = (time.thread_time() - before) / LARGEST_SHARE
                passed = (time.monotonic() - began) * GROWTH
                self._stopping.wait(max(SHORTEST_INTERVAL, min(affordable, passed)))

    def _sample(self, root: object) -> None:
        import psutil

        assert isinstance(root, psutil.Process)
        total = 0
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, OSError):
                total += process.memory_info().rss
                self.seen.add(process.pid)
        self.peak_memory = max(self.peak_memory, total)
