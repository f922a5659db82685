"""Which thread of a pool does a piece of work is a race; what it draws is given back all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from envfreeze import workflow
from envfreeze.observer import inject

pytestmark = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")


def test_another_thread_than_the_recorded_one_gets_what_was_drawn_at_its_place(tmp_path: Path) -> None:
    """The variable stands for the race: it is not recorded, so the other thread draws at the replay."""
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import os, threading
            def work(number):
                if number == ("WHO_IS_FIRST" in os.environ):
                    print(os.urandom(8).hex())
            threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
                thread.join()
            """
        )
    )
    assert replayed(tmp_path) == "identical"


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_generator_that_all_threads_share_gives_each_asker_its_own(tmp_path: Path) -> None:
    """TensorFlow's, of which the operations are set up by threads that race; the variable stands for that."""
    (tmp_path / "generator.c").write_text(
        textwrap.dedent(
            """
            #include <stdint.h>
            #include <sys/random.h>
            uint64_t _ZN3tsl6random5New64Ev(void) {
              static uint64_t state;
              if (!state) getrandom(&state, sizeof state, 0);
              return state = state * 6364136223846793005u + 1442695040888963407u;
            }
            """
        )
    )
    (tmp_path / "operations.c").write_text(
        textwrap.dedent(
            """
            #include <stdint.h>
            uint64_t _ZN3tsl6random5New64Ev(void);
            uint64_t dropout(void) { return _ZN3tsl6random5New64Ev() | 1; }
            uint64_t shuffle(void) { return _ZN3tsl6random5New64Ev() | 1; }
            """
        )
    )
    for name, options in (("generator", ()), ("operations", ("-L.", "-lgenerator", "-Wl,-rpath,$ORIGIN"))):
        command = ["cc", "-shared", "-fPIC", "-o", f"lib{name}.so", f"{name}.c", *options]
        subprocess.run(command, cwd=tmp_path, check=True)
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import ctypes, os, threading
            library = ctypes.CDLL(os.path.abspath("liboperations.so"))
            names = ["dropout", "shuffle"][:: 1 if "WHO_IS_FIRST" in os.environ else -1]
            drawn = {}
            def draw(name):
                function = getattr(library, name)
                function.restype = ctypes.c_uint64
                drawn[name] = [function() for _ in range(3)]
            for name in names:
                thread = threading.Thread(target=draw, args=(name,))
                thread.start()
                thread.join()
            print(sorted(drawn.items()))
            """
        )
    )
    assert replayed(tmp_path) == "identical"


def replayed(project: Path) -> str:
    """The verdict on a replay without the variable that the run had."""
    environment = project.parent / f"{project.name}-environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    workflow.freeze(
        [str(environment / "bin/python"), "main.py"],
        project=project,
        directory=project,
        environment={**os.environ, "WHO_IS_FIRST": "1"},
        prove=False,
        dockerfile=False,
        passthrough=(2, 2),
    )
    run = workflow.replay(project, engine="local")
    assert isinstance(run.comparison, msgspec.Struct)
    return str(run.comparison.verdict)
