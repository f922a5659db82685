"""Podman: its service, which lives as long as it is needed, and its questions to registries."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from envfreeze.engines._docker_client import Connection, Unavailable, try_host
from envfreeze.errors import EnvironmentFailure

IDLE = 60
"""Seconds without a connection after which a service ends that nobody ended, as after a kill -9."""
START = 10
"""Seconds that a service may take to answer for the first time; rootless it makes its user namespace."""
_REGISTRY_TIMEOUT = 30

_lock = threading.Lock()


def connection() -> Connection | Unavailable:
    """The service that ``CONTAINER_HOST`` names, or one that is started here and ends with this process."""
    program = shutil.which("podman")
    if host := os.environ.get("CONTAINER_HOST"):
        answer = try_host(host)
        return _named(answer, (program, "--remote", "--url", host, *_BUILD) if program else ())
    if program is None:
        return Unavailable(
            "there is no podman on the PATH", "Install it: https://podman.io/docs/installation"
        )
    with _lock:
        service = _service(program)
        if not service.runs():
            _service.cache_clear()
            service = _service(program)
        return _named(service.wait(), (program, *_BUILD))


_BUILD = ("build", "--layers=false")
"""Buildah's cache of layers overlooks what is mounted: other requirements would give the same image."""


def _named(answer: Connection | Unavailable, builder: tuple[str, ...]) -> Connection | Unavailable:
    if isinstance(answer, Unavailable):
        return Unavailable(
            answer.why.replace("Docker engine", "Podman service"),
            "Try: podman info; it says what Podman misses.",
        )
    return answer._replace(podman=True, builder=builder)


class Service:
    """One ``podman system service`` behind a socket that only this user can reach."""

    def __init__(self, program: str) -> None:
        place = os.environ.get("XDG_RUNTIME_DIR")
        place = place if place and os.access(place, os.W_OK) else None
        self._folder = tempfile.mkdtemp(prefix="envfreeze-podman-", dir=place)
        self._answer: Connection | None = None
        self.host = f"unix://{self._folder}/podman.sock"
        self._said = Path(self._folder, "stderr")
        with self._said.open("wb") as stderr:
            self._process = subprocess.Popen(
                [program, "system", "service", "--time", str(IDLE), self.host],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=self._folder,  # conmon leaves a file "oom" where it is started, on cgroups v1
                start_new_session=True,  # Ctrl-C is for this process, which still needs it to clean up
            )

    def runs(self) -> bool:
        """False once it has ended."""
        return self._process.poll() is None

    def wait(self) -> Connection | Unavailable:
        """Its answer, or why there is none; it is asked until it has answered once, as that takes a while."""
        if self._answer is not None:
            return self._answer
        end = time.monotonic() + START
        while self.runs() and time.monotonic() < end:
            if Path(self._folder, "podman.sock").exists():
                answer = try_host(self.host)
                if isinstance(answer, Connection):
                    self._answer = answer
                    return answer
            time.sleep(0.05)
        if self.runs():
            return Unavailable(f"podman's service does not answer within {START} seconds", "")
        said = self._said.read_text(errors="replace").strip().splitlines() if self._said.exists() else []
        return Unavailable(f"podman's service ended: {said[-1] if said else 'without a word'}", "")

    def stop(self) -> None:
        """End it and remove its socket."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


_services: list[Service] = []


@functools.cache
def _service(program: str) -> Service:
    if not _services:
        atexit.register(end_services)
    _services.append(Service(program))
    return _services[-1]


def end_services() -> None:
    """Stop what was started here; a second time there is nothing to do."""
    while _services:
        _services.pop().stop()


def build_variables() -> dict[str, str]:
    """Variables for ``podman build``: its caches lie in ``TMPDIR``, in a folder that all users share.

    So in the time of Buildah 1.28 the first user shut all others out, and could leave them prepared packages.
    """
    base = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 - the default of Buildah
    folder = Path(base, f"envfreeze-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o77
    except OSError:
        private = False
    if not private:
        raise EnvironmentFailure(
            f"{folder} is not a folder of this user alone, and Podman's caches need one.",
            hint="Remove it, or set TMPDIR to a folder of yours.",
        )
    return {**os.environ, "TMPDIR": str(folder)}


def qualified(reference: str) -> str:
    """A reference with its registry: what Docker takes a short name for, Podman asks the user about.

    Rule: https://pkg.go.dev/github.com/distribution/reference#ParseNormalizedNamed.
    """
    first, slash, _ = reference.partition("/")
    if not slash:
        return f"docker.io/library/{reference}"
    return reference if {".", ":"} & set(first) or first == "localhost" else f"docker.io/{reference}"


def registry_digest(builder: tuple[str, ...], reference: str) -> str | None:
    """``sha256:…`` of an image on its registry; empty when it is not there, None when nobody can be asked.

    Podman's API has no such question, so skopeo is asked, which reads the same configuration of registries.
    Without it podman itself can say only whether there is an image for several platforms.
    """
    name = qualified(reference)
    skopeo = shutil.which("skopeo")
    if skopeo is not None:
        # The digest of a manifest is that of its bytes (OCI distribution specification 1.1, "digest").
        command = [skopeo, "inspect", "--raw", f"docker://{name}"]
    elif builder:
        command = [builder[0], "manifest", "inspect", name]
    else:
        return None
    try:
        asked = subprocess.run(command, capture_output=True, timeout=_REGISTRY_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode == 0:
        return f"sha256:{hashlib.sha256(asked.stdout).hexdigest()}" if skopeo else None
    return "" if b"manifest unknown" in asked.stderr else None
