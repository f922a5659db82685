"""Requirements resolved to exact versions with digests, by uv or pip-tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.probes.pip import Configuration
from envfreeze.sources import Contents, Machine, Pin

TIMEOUT = 600.0
"""Seconds; source distributions may have to be built for their metadata."""


def resolve(path: Path, machine: Machine) -> Contents:
    """All packages that the file asks for, directly or not.

    Raises:
        InputError: the requirements contradict each other, name what no index has, or are not readable.
        EnvironmentFailure: neither tool is there, or it took too long.
    """
    command = _uv(machine) or _pip_compile(machine)
    if command is None:
        raise EnvironmentFailure(
            f"resolving {path.name} needs uv or pip-tools, and neither is installed.",
            hint="Install one: pip install uv",
        )
    try:
        done = subprocess.run(
            [*command, str(path.absolute())],
            cwd=path.absolute().parent,
            env=_variables(machine),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"resolving {path.name} took longer than {TIMEOUT:.0f} seconds.") from None
    if done.returncode != 0:
        raise InputError(f"{path.name} cannot be resolved: {_reason(done.stderr)}")
    return Contents(pins=tuple(pins(done.stdout)))


def _uv(machine: Machine) -> list[str] | None:
    program = find_uv()
    if program is None:
        return None
    words = [program, "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"]
    words += ["--generate-hashes", "--python-version", machine.version]
    words += ["--python-platform", _uv_platform(machine)]
    words += ["--index-strategy", "unsafe-best-match"]  # as pip does: the best version of all indexes
    words += ["--no-index"] if machine.configuration.no_index else []
    return words + (["--offline"] if machine.offline else [])


def _uv_platform(machine: Machine) -> str:
    """A target triple with the C library's version, as uv names it (``uv pip compile --help``)."""
    architecture = str(machine.interpreter.get("platform", "linux-x86_64")).rpartition("-")[2]
    match = re.match(r"glibc (\d+)\.(\d+)", str(machine.interpreter.get("libc", "")))
    if match and 17 <= int(match[2]) <= 40:
        return f"{architecture}-manylinux_{match[1]}_{match[2]}"
    musl = str(machine.interpreter.get("libc", "")).startswith("musl")
    return f"{architecture}-unknown-linux-{'musl' if musl else 'gnu'}"


def _pip_compile(machine: Machine) -> list[str] | None:
    """pip-tools resolves for the Python that runs it only."""
    program = shutil.which("pip-compile") or shutil.which(
        "pip-compile", path=str(Path(sys.executable).parent)
    )
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if program is None or not (machine.version + ".").startswith(own + "."):
        return None
    words = [program, "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--strip-extras"]
    words += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host", "--allow-unsafe"]
    return [*words, "--output-file", "-"]


def find_uv() -> str | None:
    """uv of envfreeze's own environment, or on PATH."""
    try:
        import uv

        return uv.find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def _variables(machine: Machine) -> dict[str, str]:
    """Where to take packages from: as variables, since other users of the machine see arguments."""
    found: Configuration = machine.configuration
    kept = {
        name: value
        for name, value in machine.environment.items()
        if not name.startswith(("UV_", "PIP_")) and name not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    }
    extra, links = " ".join(found.extra_indexes), " ".join(found.find_links)
    kept |= {"UV_DEFAULT_INDEX": found.index, "PIP_INDEX_URL": found.index}
    kept |= {"UV_INDEX": extra, "PIP_EXTRA_INDEX_URL": extra} if extra else {}
    kept |= {"UV_FIND_LINKS": ",".join(found.find_links), "PIP_FIND_LINKS": links} if links else {}
    kept |= {"PIP_NO_INDEX": "1"} if found.no_index else {}
    kept |= {"UV_INSECURE_HOST": " ".join(found.trusted_hosts)} if found.trusted_hosts else {}
    if found.certificates:
        kept |= {"SSL_CERT_FILE": found.certificates, "PIP_CERT": found.certificates}
    return kept | {"UV_HTTP_TIMEOUT": str(int(found.timeout)), "NO_COLOR": "1"}


def _reason(stderr: str) -> str:
    """What the tool says, without its ornaments, on one line."""
    words = " ".join(re.sub(r"[×╰─▶│├·→╭]", " ", stderr).split())
    words = re.sub(r"(https?://)[^/@\s]+@", r"\1", words)
    return words[-600:] if words else "the resolver did not say why"


def pins(text: str) -> Iterator[Pin]:
    """The lines of a requirements file with digests (pip's documentation, "Requirements File Format").

    Raises:
        InputError: a line is no exact requirement.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for line in _lines(text):
        words = line.split(" --hash=")
        try:
            requirement = Requirement(words[0].strip())
        except InvalidRequirement:
            raise InputError(f"{words[0].strip()!r} has no exact version, so it cannot be frozen.") from None
        digests = tuple(word.strip().removeprefix("sha256:") for word in words[1:] if "sha256:" in word)
        exact = [clause.version for clause in requirement.specifier if clause.operator in {"==", "==="}]
        if requirement.url is None and len(exact) != 1:
            raise InputError(f"{words[0].strip()!r} has no exact version, so it cannot be frozen.")
        yield Pin(
            name=canonicalize_name(requirement.name),
            version=exact[0] if exact else "",
            sha256=digests,
            url=requirement.url,
        )


def _lines(text: str) -> Sequence[str]:
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("--")]
