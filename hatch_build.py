"""Compiles the observer's shim into the wheel; without a C compiler the wheel is a pure one and works too."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "envfreeze/observer/shim"
LIBRARY = f"{FOLDER}/libenvfreeze-shim.so"


class ShimBuildHook(BuildHookInterface):
    """Runs the C compiler that Python itself names, or ``cc``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[:1]
        if sys.platform != "linux" or shutil.which(compiler[0]) is None:
            compiler = ["cc"]
        if sys.platform != "linux" or shutil.which(compiler[0]) is None:
            self.app.display_warning("no C compiler: without its shim the observer sees Python programs only")
            return
        sources = sorted(str(path) for path in (root / FOLDER).glob("*.c"))
        flags = ["-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-Wl,-z,relro,-z,now"]
        # Programs may be running with the library of an earlier build: it is replaced, never written to.
        made = root / f"{LIBRARY}.{os.getpid()}"
        command = [*compiler, *flags, "-o", str(made), *sources, "-ldl", "-lpthread"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            self.app.display_warning(f"the observer's shim could not be compiled:\n{done.stderr}")
            return
        made.replace(root / LIBRARY)
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
