"""A job of GitLab CI that fails when lock and code have drifted apart."""

from __future__ import annotations

from envfreeze.repository import MARK, Addition, Part, Plan, Repository, appended, git, read
from envfreeze.repository._ci import PYTHON, commands, hint


def plan(repository: Repository) -> Plan:
    """A job at the end of ``.gitlab-ci.yml``, where that file or a remote of GitLab is."""
    path = repository.top / ".gitlab-ci.yml"
    before = read(path)
    if before is None and "gitlab" not in git(repository.project, "remote", "--verbose"):
        return Plan()
    if before is not None and "envfreeze status" in before:
        return Plan()
    install, check = commands(repository)
    job = (
        f"# {MARK}: fails when the code is not the one that the lock records.",
        "envfreeze:",
        f'  image: "python:{PYTHON}-slim"',
        "  script:",
        f"    - {install}",
        f"    - {check}",
    )
    return Plan(additions=(Addition(path=path, text=appended(before, job)),), hints=(hint(repository),))


PART = Part(name="gitlab", summary="a job of GitLab CI with the same check", plan=plan)
