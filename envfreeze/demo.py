"""The whole loop on a bundled example, told as a short story."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from envfreeze.errors import EnvironmentFailure
from envfreeze.progress import Progress
from envfreeze.records.base import Record
from envfreeze.records.run import Run
from envfreeze.records.verdict import Verdict
from envfreeze.resources import resource

SEED_LINE = "SEED = 7"


class Story(Record):
    """What the demo did: the replay of the original, and the replay after one line was changed."""

    folder: str
    same: Run
    changed: Run

    @property
    def as_promised(self) -> bool:
        """True when the first replay is identical and the second one differs."""
        same, changed = self.same.comparison, self.changed.comparison
        return bool(
            same
            and changed
            and same.verdict is Verdict.IDENTICAL
            and not changed.verdict.satisfies(Verdict.CLOSE)
        )


def tell(folder: Path, engine: str, progress: Progress) -> Story:
    """Freeze the digits example on "one machine" and replay it on "another", then change its seed.

    Args:
        folder: an empty folder to work in; it holds ``author/`` and ``reviewer/`` afterwards.

    Raises:
        EnvironmentFailure: the example's packages cannot be installed, or the training failed.
    """
    from envfreeze import workflow

    author, reviewer = folder / "author", folder / "reviewer"
    shutil.copytree(resource("examples/digits"), author)
    progress.step("1. An author trains a model on handwritten digits, in an environment of her own.")
    python = _environment(folder / "environment", author / "requirements.txt", progress)

    progress.step("2. She runs `envfreeze freeze -- python train.py`; the script stays as it is.")
    path = f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    lock = workflow.freeze(
        ["python", "train.py"],
        project=author,
        directory=author,
        environment=os.environ | {"PATH": path},
        passthrough=(2, 2),
        progress=progress,
    )
    if lock.run is None or lock.run.failed:
        raise EnvironmentFailure("the example's training failed.", hint="Its output above says why.")

    progress.step("3. A reviewer gets envfreeze.lock, .envfreeze/ and Dockerfile; all else is gone.")
    reviewer.mkdir()
    for name in ("envfreeze.lock", ".envfreeze", "Dockerfile"):
        (author / name).rename(reviewer / name)
    shutil.rmtree(author)
    shutil.rmtree(folder / "environment")

    progress.step("4. `envfreeze replay` makes the environment again, runs the training, and compares.")
    same = workflow.replay(reviewer, engine=engine, progress=progress)

    progress.step("5. Somebody changes one line, the seed. `envfreeze replay --code .` says what moved.")
    code = folder / "changed"
    shutil.copytree(resource("examples/digits"), code)
    script = code / "train.py"
    script.write_text(script.read_text().replace(SEED_LINE, "SEED = 8"))
    changed = workflow.replay(reviewer, engine=engine, code=code, progress=progress)
    return Story(folder=str(folder), same=same, changed=changed)


def _environment(folder: Path, requirements: Path, progress: Progress) -> str:
    """A virtual environment with the example's packages; the path of its interpreter."""
    from envfreeze.engines._local_install import find_uv

    uv = find_uv()
    python = str(folder / "bin" / "python")
    if uv:
        _call([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _call([uv, "pip", "install", "--quiet", "--python", python, "-r", str(requirements)])
    else:
        _call([sys.executable, "-m", "venv", str(folder)])
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _call([*pip, "-r", str(requirements)])
    return python


def _call(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        sentence = f"the example's packages could not be installed: {lines[-1] if lines else error}."
        raise EnvironmentFailure(sentence, hint="`envfreeze doctor` says what does not work.") from None
