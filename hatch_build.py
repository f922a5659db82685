"""Compiles the observer's shim and tracer and the library of the profile portable into the wheel.

Without a C compiler the wheel is a pure one and works too.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_COMMON = ["-Wl,-z,relro,-z,now"]
_LIBRARY = ["-shared", "-fPIC", "-fvisibility=hidden"]
LIBRARIES = {
    "envfreeze/observer/shim/libenvfreeze-shim.so": ["-O2", "-ldl", "-lpthread"],
    "envfreeze/observer/tracer/envfreeze-tracer": ["-O2"],
}
"""Libraries and programs, each made of all C files of its folder, and flags of their own."""

if platform.machine() == "x86_64":
    # Every operation is to round as written, so that all processors and compilers give the same bits.
    LIBRARIES["envfreeze/determinism/portable/libenvfreeze-portable.so"] = [
        *("-O3", "-mavx2", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-lm", "-ldl")
    ]


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
        made = [
            library for library in LIBRARIES if self._compile(compiler, root / library, LIBRARIES[library])
        ]
        if not made:
            return
        build_data["artifacts"] += made
        build_data["pure_python"] = False
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{tag}"

    def _compile(self, compiler: list[str], library: Path, flags: list[str]) -> bool:
        """False, after a warning, when the compiler could not."""
        sources = sorted(str(path) for path in library.parent.glob("*.c"))
        # Programs may be running with the library of an earlier build: it is replaced, never written to.
        made = library.with_name(f"{library.name}.{os.getpid()}")
        kind = _LIBRARY if library.suffix == ".so" else []
        options = [flag for flag in flags if not flag.startswith("-l")]
        linked = [flag for flag in flags if flag.startswith("-l")]
        command = [*compiler, *_COMMON, *kind, *options, "-o", str(made), *sources, *linked]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            self.app.display_warning(f"{library.name} could not be compiled:\n{done.stderr}")
            return False
        made.replace(library)
        return True
