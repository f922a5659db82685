"""An edited installed file is in the replay's environment too, though the index has the unedited one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envfreeze import workflow


@pytest.mark.index
@pytest.mark.parametrize("engine", ["local", pytest.param("docker", marks=pytest.mark.engine)])
def test_edited_package_is_replayed(environment: Any, engine: str) -> None:
    environment.install("six==1.16.0")
    with (environment.packages / "six.py").open("a") as stream:
        stream.write("EDITED = 'by hand'\n")
    del environment.variables["PIP_NO_INDEX"], environment.variables["PIP_CONFIG_FILE"]
    lock = workflow.freeze(project=environment.project, python=environment.python)
    (six,) = (package for package in lock.packages if package.name == "six")
    assert (six.proof, six.modified, six.vendored) == ("modified", ("six.py",), True)
    run = workflow.replay(
        environment.project, command=["python", "-c", "import six; print(six.EDITED)"], engine=engine
    )
    assert (Path(run.folder) / "stdout").read_text() == "by hand\n"
