"""A Code Ocean capsule: ``environment/Dockerfile``, ``code/run`` and the recorded files in ``code/``.

Layout: https://docs.codeocean.com/user-guide/capsule-management/capsule-structure: the run starts in
``/code``, and what it leaves in ``/results`` is kept.
"""

from __future__ import annotations

import shlex

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY
from envfreeze.exports._layouts import command_line, dockerfile, run_of, subfolder
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """Dockerfile, script and the metadata that a capsule must have."""
    import yaml

    run = run_of(lock)
    folder = shlex.quote(f"/code/{subfolder(run)}".rstrip("/"))
    outputs = [
        shlex.quote(f"./{entry.path}") for entry in run.outputs.entries if not entry.path.startswith("/")
    ]
    lines = ["#!/usr/bin/env bash", f"# {MADE_BY}.", "set -ex", f"cd {folder}", command_line(run)]
    if outputs:
        lines += ["cd /code", *(f"cp --parents -- {path} /results/" for path in outputs)]
    metadata = {"metadata_version": 1, "name": "frozen run", "authors": []}
    return (
        dockerfile(
            lock, "# A capsule runs as root, in /code.", "USER root", "ENV HOME=/root", "WORKDIR /code"
        ),
        "".join(f"{line}\n" for line in lines),
        f"# {MADE_BY}.\n{yaml.safe_dump(metadata, sort_keys=False)}",
    )


EXPORT = Export(
    name="codeocean",
    summary="a Code Ocean capsule with the recorded files (a folder: -o capsule/)",
    files=("environment/Dockerfile", "code/run", "metadata/metadata.yml"),
    render=render,
    context="environment",
    code="code",
)
