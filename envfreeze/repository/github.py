"""A GitHub workflow that fails when lock and code have drifted apart."""

from __future__ import annotations

from envfreeze.repository import MARK, Addition, Part, Plan, Repository, git, read
from envfreeze.repository._ci import PYTHON, commands, hint

_WORKFLOW = """\
# {mark}: fails when the code is not the one that the lock records.
name: envfreeze
on: [push, pull_request]
permissions:
  contents: read
jobs:
  status:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          lfs: true
      - uses: actions/setup-python@v5
        with:
          python-version: "{python}"
      - run: {install}
      - run: {check}
"""


def plan(repository: Repository) -> Plan:
    """``.github/workflows/envfreeze.yml``, unless the repository is another host's."""
    path = repository.top / ".github" / "workflows" / "envfreeze.yml"
    remotes = git(repository.project, "remote", "--verbose")
    if remotes and "github" not in remotes and not (repository.top / ".github").is_dir():
        return Plan()
    there = read(path)
    install, check = commands(repository)
    if there is not None:
        if repository.lock in there:
            return Plan()
        return Plan(hints=(f"{path} is there already: add to it the step: {check}",))
    text = _WORKFLOW.format(mark=MARK, python=PYTHON, install=install, check=check)
    return Plan(additions=(Addition(path=path, text=text),), hints=(hint(repository),))


PART = Part(name="github", summary="a GitHub workflow with the same check", plan=plan)
