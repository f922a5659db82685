"""Makes a virtual environment and installs hashed requirements into it, with uv if it is there, else pip.

The user's own configuration of indexes, proxies and certificates stays in force. uv does not read pip's; when
uv cannot find a package, pip gets its turn before anything is given up.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from envfreeze.engines._local_interpreters import Python
from envfreeze.errors import EnvfreezeError, EnvironmentFailure, InputError
from envfreeze.progress import Progress

_NOT_INHERITED = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
)
_PIP_PLACES = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON", "PIP_REQUIRE_VIRTUALENV")
_AS_PIP = {
    "PIP_INDEX_URL": "UV_INDEX_URL",
    "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}


_HASHED = ("--require-hashes", "--no-deps", "--find-links", "wheels", "-r", "requirements.txt")
"""What the installer is asked for; uv and pip take the same words."""


def find_uv() -> str | None:
    """The uv executable beside envfreeze or on the PATH."""
    try:
        from uv import find_uv_bin

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def install(python: Python, environment: Path, context: Path, *, progress: Progress) -> str:
    """Make the environment; returns the name of the installer that did it.

    Args:
        python: the interpreter that it is made from.
        environment: the folder to make; what lies there is replaced.
        context: a folder with ``requirements.txt`` and ``wheels/``.

    Raises:
        InputError: the requirements cannot be met (no such version, or another content than recorded).
        EnvironmentFailure: the network, the disk or a build failed.
    """
    uv = find_uv()
    if uv is not None:
        shutil.rmtree(environment, ignore_errors=True)
        making = [uv, "venv", "--no-project", "--python", python.executable, str(environment)]
        status, output = run(making, context, uv_variables(), progress)
        failed = output if status != 0 else _with_uv(uv, environment, context, progress)
        if failed is None:
            return "uv"
        _give_up_unless_pip_may_help(failed, progress)
    shutil.rmtree(environment, ignore_errors=True)
    status, output = run([python.executable, "-m", "venv", str(environment)], context, variables(), progress)
    if status != 0:
        raise explain(output) or EnvironmentFailure(
            f"{python.executable} cannot make a virtual environment: {_last_line(output)}",
            hint="Install uv (pip install uv), or on Debian and Ubuntu: apt install python3-venv",
        )
    _with_pip(environment, context, progress)
    return "pip"


def install_into(environment: Path, context: Path, *, progress: Progress) -> str:
    """Install the requirements into an environment that is there; otherwise as ``install``."""
    uv = find_uv()
    if uv is not None:
        failed = _with_uv(uv, environment, context, progress)
        if failed is None:
            return "uv"
        _give_up_unless_pip_may_help(failed, progress)
    _with_pip(environment, context, progress)
    return "pip"


def _give_up_unless_pip_may_help(failed: str, progress: Progress) -> None:
    problem = explain(failed)
    if problem is not None and not _pip_may_help(problem, failed):
        raise problem
    progress.detail("uv could not install the packages; trying pip")


def _with_uv(uv: str, environment: Path, context: Path, progress: Progress) -> str | None:
    """None when all went well, else what uv printed."""
    python = str(environment / "bin/python")
    command = [uv, "pip", "install", "--python", python, *_HASHED, "--compile-bytecode"]
    status, output = run(command, context, uv_variables(), progress)
    return None if status == 0 else output


def _with_pip(environment: Path, context: Path, progress: Progress) -> None:
    command = [str(environment / "bin/python"), "-m", "pip", "install", "--no-input", *_HASHED]
    command.append("--disable-pip-version-check")
    status, output = run(command, context, variables(), progress)
    if status != 0:
        raise explain(output) or EnvironmentFailure(
            f"pip could not install the packages: {_last_line(output)}",
            hint="Run again with -v for all of it.",
        )


def variables() -> dict[str, str]:
    """This process's, without those that name another environment."""
    left_out = {*_NOT_INHERITED, *_PIP_PLACES}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def uv_variables() -> dict[str, str]:
    inherited = variables()
    for theirs, ours in _AS_PIP.items():
        if theirs in inherited:
            inherited.setdefault(ours, inherited[theirs])
    # Hashes pin the content, so that it does not matter which index it comes from.
    inherited.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    inherited.setdefault("UV_SYSTEM_CERTS", "1")
    inherited |= {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
    return inherited


def run(command: list[str], folder: Path, variables: dict[str, str], progress: Progress) -> tuple[int, str]:
    """Exit status and what was printed, which is passed on line by line meanwhile."""
    lines: list[str] = []
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            progress.detail(line.rstrip())
        return process.wait(), "".join(lines)
    finally:
        process.kill()
        process.wait()


_ANY_NAME = r"[`'\"]?([A-Za-z0-9][A-Za-z0-9._-]*==[^\s`'\",;()]+)"
_PATTERNS: tuple[tuple[str, type[EnvfreezeError], str, str], ...] = (
    (
        r"(?i)no space left on device|os error 28|errno 28",
        EnvironmentFailure,
        "the disk is full, so the environment could not be installed.",
        "Free some space and try again; nothing half-installed is left.",
    ),
    (
        r"(?i)hash mismatch for `?([^`\s]+)|DO NOT MATCH THE HASHES(?:.|\n)*?^\s+(\S+==\S+|\S+)",
        InputError,
        "a package does not have the content that the lock records{what}.",
        "The file on the index was changed, or the lock was; compare the sha256 with a copy you trust.",
    ),
    (
        r"(?i)CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        EnvironmentFailure,
        "the package index shows a certificate that this machine does not trust.",
        "Behind a proxy that re-signs TLS, set SSL_CERT_FILE and PIP_CERT to its certificate bundle.",
    ),
    (
        r"(?i)name resolution|name or service not known|dns error|connection refused|network is unreachable"
        r"|failed to establish a new connection|error sending request|timed out|tcp connect error"
        r"|network connectivity is disabled",
        EnvironmentFailure,
        "the package index cannot be reached.",
        "Check the network, the proxy and the index URL, and try again.",
    ),
    (
        r"(?i)401 unauthorized|403 forbidden|status code 40[13]|HTTP error 40[13]",
        EnvironmentFailure,
        "the package index refuses access.",
        "Give credentials as for pip: in ~/.netrc, the keyring, or PIP_INDEX_URL.",
    ),
    (
        rf"(?i)no matching distribution found for {_ANY_NAME}|there is no version of {_ANY_NAME}"
        rf"|{_ANY_NAME} has no wheels|Could not find a version that satisfies the requirement {_ANY_NAME}",
        InputError,
        "no package index has what the lock pins{what}, at least not for this machine and Python.",
        "Check the index URLs in pip's configuration; a withdrawn version has to be frozen anew.",
    ),
    (
        r"(?i)([A-Za-z0-9._-]+) was not found in the (?:package registry|cache)",
        InputError,
        "no package index has what the lock pins{what}.",
        "Check the index URLs in pip's configuration.",
    ),
    (
        r"(?i)failed to build(?: installable wheels for| a wheel for)?:? `?([A-Za-z0-9._=-]+)"
        r"|failed building wheel for (\S+)",
        EnvironmentFailure,
        "a package has to be built from source, and that failed here{what}.",
        "Install a compiler and the headers it needs, or replay with the docker engine.",
    ),
)


def explain(output: str) -> EnvfreezeError | None:
    """The sentence for what an installer printed, or None when it is none of the known failures."""
    for pattern, kind, sentence, hint in _PATTERNS:
        if found := re.search(pattern, output, re.MULTILINE):
            names = [name for name in found.groups() if name]
            what = f": {names[0].rstrip('.:')}" if names else ""
            return kind(sentence.format(what=what), hint=hint)
    return None


def _pip_may_help(problem: EnvfreezeError, output: str) -> bool:
    """True when a package was not found: pip may know of more indexes. Its own verdict then counts."""
    return isinstance(problem, InputError) and "content" not in str(problem) and "ash mismatch" not in output


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing."
