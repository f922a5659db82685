"""Programs that libraries ask about the machine.

An image does not have them, so that what they need themselves is no part of the environment: whether one was
asked depends on caches (matplotlib asks ``fc-list`` once in a user's life) and would make two of it.
"""

from __future__ import annotations

QUESTIONS = frozenset(
    {"uname", "ldconfig", "lscpu", "nproc", "nvidia-smi", "rocm-smi", "rocminfo", "hostname", "tput",
     "stty", "lsb_release", "getconf", "sysctl", "nvcc", "ptxas", "git", "hg", "locale", "which", "id",
     "whoami", "date", "sleep", "true", "false", "echo", "free", "lspci", "ps", "fc-list", "fc-match"}
)  # fmt: skip
"""They read no data of a project."""

_ABOUT_FONTS = frozenset({"fc-list", "fc-match"})


def own_libraries(program: str) -> bool:
    """Whether the libraries of this program are its own affair."""
    return program.rpartition("/")[2] in QUESTIONS


def own_files(program: str) -> bool:
    """Whether what it reads is: fontconfig's settings, of which a font that is used says nothing."""
    return program.rpartition("/")[2] in _ABOUT_FONTS
