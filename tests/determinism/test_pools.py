"""Which thread of a pool does a piece of work is a race; what it draws is given back all the same."""

from __future__ import annotations

import os
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
    environment = tmp_path.parent / f"{tmp_path.name}-environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    workflow.freeze(
        [str(environment / "bin/python"), "main.py"],
        project=tmp_path,
        directory=tmp_path,
        environment={**os.environ, "WHO_IS_FIRST": "1"},
        prove=False,
        dockerfile=False,
        passthrough=(2, 2),
    )
    run = workflow.replay(tmp_path, engine="local")
    assert isinstance(run.comparison, msgspec.Struct) and run.comparison.verdict == "identical"
