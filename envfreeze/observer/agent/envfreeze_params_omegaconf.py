"""OmegaConf without Hydra: what ``OmegaConf.from_cli`` took from the command line, and what it is merged to.

Files that ``OmegaConf.load`` reads are configuration files of the project like all others.
Source: OmegaConf's documentation, "From command line arguments" and "Merging configurations".
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]


def watch(module: Any, recorder: Recorder) -> None:
    given: set[str] = set()

    def from_cli(result: Any, *_: Any, **__: Any) -> None:
        for name, value in _leaves(module.OmegaConf.to_container(result, resolve=False)):
            given.add(name)
            recorder.note("omegaconf", [(name, value, "given", "command line")])

    def merged(result: Any, *_: Any, **__: Any) -> None:
        if "hydra" in sys.modules or not module.OmegaConf.is_dict(result):
            return
        content = module.OmegaConf.to_container(result, resolve=False)
        rows = [
            (name, value, "given" if name in given else "file", "command line" if name in given else "merged")
            for name, value in _leaves(content)
        ]
        recorder.note("omegaconf", rows)

    recorder.after(module.OmegaConf, "from_cli", from_cli)
    recorder.after(module.OmegaConf, "merge", merged)


def _leaves(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, "%s%s." % (prefix, key))
        else:
            yield "%s%s" % (prefix, key), value


MODULES = {"omegaconf.omegaconf": watch}
