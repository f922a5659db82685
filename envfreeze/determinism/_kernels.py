"""What the profile portable needs of a machine, and the library that it preloads for MKL (``portable/``)."""

from __future__ import annotations

import platform
from pathlib import Path

from envfreeze.errors import EnvironmentFailure
from envfreeze.records.lock import Lock
from envfreeze.records.settings import Profile

KERNELS = Path(__file__).parent / "portable" / "libenvfreeze-portable.so"
"""Compiled when the wheel is made, on x86-64 only."""

NOT_COMPILED = (
    "this installation has no library that answers MKL's questions for the processor: on processors that are "
    "not Intel's, MKL takes other kernels"
)


def require(profile: Profile) -> None:
    """Nothing where this machine can do what the profile asks for.

    Raises:
        EnvironmentFailure: the profile is portable, and this processor is none with AVX2 and FMA, for
            which all kernels are chosen.
    """
    if profile != "portable":
        return
    machine = platform.machine()
    if machine != "x86_64":
        raise EnvironmentFailure(
            f"the profile portable is for x86-64 processors, and this one is {machine}: its libraries have "
            "other kernels, which give other bits.",
            hint="Use --profile recorded; the replay then says how far the results are apart.",
        )
    from envfreeze.probes.cpu import describe

    missing = sorted({"avx2", "fma"} - set(describe().features))
    if missing:
        raise EnvironmentFailure(
            "the profile portable needs a processor with AVX2 and FMA, and this one lacks "
            f"{' and '.join(missing)}.",
            hint="Use --profile recorded; the replay then says how far the results are apart.",
        )


def not_covered(lock: Lock) -> tuple[str, ...]:
    """A sentence for each library of the lock of which something still depends on the processor."""
    from envfreeze.determinism import installed, libraries

    names = set(installed(lock))
    return tuple(
        f"{library.name} is not the same on every processor: {what}"
        for library in libraries()
        if library.distributions & names
        for what in library.not_portable
    )
