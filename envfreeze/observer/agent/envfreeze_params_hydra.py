"""Hydra: the configuration that it composed for a job, and which of it was overridden on the command line.

``HydraConfig.set_config`` gets the whole configuration just before the program's function is called.
Source: Hydra's documentation, "Accessing the Hydra config"; ``hydra/core/hydra_config.py`` of 1.1 to 1.3.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from envfreeze_params import Recorder  # type: ignore[import-not-found,unused-ignore]


def watch(module: Any, recorder: Recorder) -> None:
    def composed(holder: Any, configuration: Any) -> None:
        omegaconf: Any = sys.modules["omegaconf"]
        # Interpolations stay as they are written: resolvers are code of the program.
        content = omegaconf.OmegaConf.to_container(configuration, resolve=False)
        own = content.pop("hydra", None) or {}
        name = str((own.get("job") or {}).get("config_name") or "the program")
        words = [str(word) for word in (own.get("overrides") or {}).get("task") or []]
        overridden = {word.lstrip("+~").split("=", 1)[0].split("@")[0].rstrip(",") for word in words}
        recorder.note("hydra", rows(content, overridden, name))

    recorder.before(module.HydraConfig, "set_config", composed)


def rows(content: Any, overridden: set[str], name: str) -> Iterator[tuple[str, Any, str, str]]:
    for key, value in leaves(content, ""):
        parts = key.split(".")
        mine = next(
            (".".join(parts[:n]) for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in overridden), ""
        )
        yield (key, value, "given", mine) if mine else (key, value, "file", name)


def leaves(content: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, under its dotted name."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, "%s%s." % (prefix, key))
        else:
            yield "%s%s" % (prefix, key), value


MODULES = {"hydra.core.hydra_config": watch}
