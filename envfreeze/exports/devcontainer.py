"""``.devcontainer/``: the frozen environment in VS Code, PyCharm, GitHub Codespaces and devcontainer.

Source: https://containers.dev/implementors/json_reference/.
"""

from __future__ import annotations

import json

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY
from envfreeze.exports._layouts import dockerfile
from envfreeze.records.lock import Lock


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """The folder is mounted, so that the image needs no code; the editor's server lives in the home."""
    from envfreeze.recipe import recipe_of

    recipe = recipe_of(lock)
    python = f"{recipe.conda.prefix}/bin/python" if recipe.conda else "/usr/local/bin/python"
    content = {
        "name": "frozen",
        "build": {"dockerfile": "Dockerfile", "context": ".."},
        "remoteUser": "envfreeze",
        "updateRemoteUserUID": True,
        "customizations": {
            "vscode": {
                "extensions": ["ms-python.python"],
                "settings": {"python.defaultInterpreterPath": python},
            }
        },
    }
    head = f"// {MADE_BY}.\n"
    return (head + json.dumps(content, indent=2) + "\n", dockerfile(lock))


EXPORT = Export(
    name="devcontainer",
    summary="devcontainer up, GitHub Codespaces, VS Code (a folder: -o .)",
    files=(".devcontainer/devcontainer.json", ".devcontainer/Dockerfile"),
    render=render,
    context="",
)
