"""``requirements.txt`` with a hash on every line, for pip and uv."""

from __future__ import annotations

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY, package_files
from envfreeze.recipe.requirements import requirements
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """What the Dockerfile installs, with the folder of vendored wheels named in the file itself."""
    vendored = any(file.vendored for file in package_files(lock, wheels))
    lines = [line for line in requirements(lock).text.splitlines() if not line.startswith("#")]
    head = [f"# {MADE_BY}.", "# pip install --require-hashes --no-deps -r requirements.txt"]
    links = [f"--find-links ./{wheels}"] if vendored else []
    return ("".join(f"{line}\n" for line in (*head, *links, *lines)),)


EXPORT = Export(
    name="requirements",
    summary="pip install --require-hashes -r requirements.txt, uv pip sync requirements.txt",
    files=("requirements.txt",),
    render=render,
)
