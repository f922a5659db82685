"""Shim and tracer on the other architecture: compiled by a cross compiler, run by QEMU's user mode.

Left out where gcc for aarch64 or its emulator is not installed (Debian: gcc-aarch64-linux-gnu, qemu-user).
"""

from __future__ import annotations

import errno
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

import envfreeze.observer
from envfreeze.observer import inject, tapes, tracing
from envfreeze.observer.events import read_events
from envfreeze.store import Store

COMPILER, EMULATOR = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
LIBRARIES = "/usr/aarch64-linux-gnu"
SOURCES = Path(envfreeze.observer.__file__).parent
pytestmark = pytest.mark.skipif(
    COMPILER is None or platform.machine() == "aarch64", reason="no cross compiler for aarch64"
)
needs_emulator = pytest.mark.skipif(
    EMULATOR is None or not Path(LIBRARIES).is_dir(), reason="no emulator of aarch64"
)

PROGRAM = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  unsigned long number;
  struct timeval now;
  struct stat status;
  char line[64] = "";
  FILE *in = fopen("data.txt", "r");
  if (!in || !fgets(line, sizeof line, in)) return 9;
  int folder = open("folder", O_RDONLY | O_DIRECTORY);
  int below = openat(folder, "below.txt", O_RDONLY);
  stat("missing.cfg", &status);
  getrandom(&number, sizeof number, 0);
  gettimeofday(&now, NULL);
  printf("%s%d %lx %ld.%06ld %ld\n", line, below > 0, number, now.tv_sec, (long)now.tv_usec, random());
  fflush(stdout);
  if (fork() == 0) {
    getrandom(&number, sizeof number, 0);
    FILE *out = fopen("out.txt", "w");
    fprintf(out, "%lx\n", number);
    fclose(out);
    rename("out.txt", "result.txt");
    exit(3);
  }
  int ended;
  wait(&ended);
  return WEXITSTATUS(ended) + 1;
}
"""


def build(target: Path, *words: str) -> Path:
    """Compile as ``hatch_build.py`` does; a warning is a failure."""
    command = [COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", "-o", target, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("aarch64") / "shim.so"
    kind = ("-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,relro,-z,now")
    return build(target, *kind, *map(str, sorted((SOURCES / "shim").glob("*.c"))), "-ldl", "-lpthread")


@pytest.fixture
def program(project: Path, tmp_path: Path) -> Path:
    (tmp_path / "program.c").write_text(PROGRAM)
    (project / "folder").mkdir()
    (project / "data.txt").write_text("from the file\n")
    (project / "folder/below.txt").write_text("below")
    return build(tmp_path / "program", str(tmp_path / "program.c"))


def emulate(variables: dict[str, str], *command: str | Path) -> subprocess.CompletedProcess[str]:
    """The variables are for the program, and not for the emulator."""
    given = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
    words = [EMULATOR, "-L", LIBRARIES, *given, *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@needs_emulator
def test_the_shim_sees_and_tapes_and_plays(shim, program, project, tmp_path, monkeypatch):
    monkeypatch.setattr(inject, "SHIM", shim)
    monkeypatch.setattr(inject, "_is_loadable", lambda library: True)
    run = tmp_path / "run"
    run.mkdir()
    given = inject.inject({}, folder=run, project=project, tape_limit=1 << 20)
    bare = emulate({}, program)
    (project / "result.txt").unlink()
    first = emulate(given, program)
    assert (first.returncode, first.stderr) == (bare.returncode, bare.stderr) == (4, "")
    assert first.stdout.startswith("from the file\n1 ")
    result = (project / "result.txt").read_text()
    events = read_events(inject.events_folder(run))
    assert {f"{project}/data.txt", f"{project}/folder/below.txt"} <= events.read.keys()
    assert {f"{project}/out.txt", f"{project}/result.txt"} <= events.written.keys()
    assert f"{project}/missing.cfg" in {path for image in events.images for path in image.sought}
    assert {image.exit_status for image in events.images} == {3, 4}
    Store(project).create()
    sealed, gaps = tapes.seal(inject.tapes_folder(run), Store(project))
    assert sealed is not None and gaps == []
    (tmp_path / "state").mkdir()
    played = {
        "LD_PRELOAD": str(shim),
        "ENVFREEZE_TAPE": "replay",
        "ENVFREEZE_TAPES": str(project / ".envfreeze/tapes" / sealed.manifest),
        "ENVFREEZE_TAPE_STATE": str(tmp_path / "state"),
        "ENVFREEZE_TAPE_ROOT": str(project),
        **tapes.first_process(),
    }
    (project / "result.txt").unlink()
    again = emulate(played, program)
    assert (again.stdout, again.stderr, again.returncode) == (first.stdout, "", 4)
    assert (project / "result.txt").read_text() == result
    assert emulate({}, program).stdout != first.stdout, "it is random without the tape"


@needs_emulator
def test_the_tracer_starts(program, tmp_path):
    """To its first step: the emulator has no processes that share descriptors, and no such filters."""
    tracer = build(tmp_path / "tracer", *map(str, sorted((SOURCES / "tracer").glob("*.c"))))
    read, write = os.pipe()
    os.set_inheritable(write, True)
    words = [EMULATOR, "-L", LIBRARIES, tracer, str(write), program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, pass_fds=[write])
    os.close(write)
    with open(read, "rb") as stream:
        assert tracing.parse(stream.read()) == tracing.Trace(failed=errno.EINVAL)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
