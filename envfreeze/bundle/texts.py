"""What makes a bundle usable without envfreeze: README.md, run.sh, check.py, licence and citation."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envfreeze.records.artifact import Bundle, BundledExperiment
from envfreeze.records.base import Record
from envfreeze.report._words import counted, duration, printable, size
from envfreeze.resources import resource

README = "ARTIFACT.md"
"""In the project: the author's own README of the artifact, which takes the place of the generated one."""
LICENSES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")


class Texts(Record):
    """Members by name."""

    plain: dict[str, str]
    executable: dict[str, str]


class JobText(Record):
    """What a shell has to know to run one experiment."""

    command: tuple[str, ...]
    directory: str
    project: str
    environment: dict[str, str]
    outside: tuple[str, ...] = ()
    """Absolute paths of files that have to be mounted."""
    folders: tuple[str, ...] = ()
    minimal: tuple[str, ...] = ()
    """A smoke run; empty when there is none."""
    library_path: tuple[str, ...] = ()
    """Absolute folders of libraries of the author's system, below which they lie in ``system.tar``."""


def texts(bundle: Bundle, project: Path) -> Texts:
    """All of them."""
    own = project / README
    plain = {"README.md": own.read_text(encoding="utf-8") if own.is_file() else readme(bundle)}
    for name in LICENSES:
        if (project / name).is_file():
            plain["LICENSE"] = (project / name).read_text(encoding="utf-8", errors="replace")
            break
    citation = project / "CITATION.cff"
    if citation.is_file():
        plain["CITATION.cff"] = citation.read_text(encoding="utf-8", errors="replace")
    elif bundle.authors:
        plain["CITATION.cff"] = _citation(bundle)
    plain["check.py"] = resource("templates/bundle/check.py").read_text(encoding="utf-8")
    return Texts(plain=plain, executable={"run.sh": _rendered("run.sh.j2", bundle)})


def readme(bundle: Bundle) -> str:
    """What the bundle is, how to run it, and what to expect."""
    return _rendered("README.md.j2", bundle)


def job_text(job: JobText) -> str:
    """A shell script's part that knows how the experiment is started; every word is quoted for POSIX sh."""
    quote = shlex.quote
    variables = " ".join(quote(f"{name}={value}") for name, value in sorted(job.environment.items()))
    in_container = " ".join(
        f"-e {quote(f'{name}={value}')}" for name, value in sorted(job.environment.items())
    )
    mounts = " ".join(
        f'-v "$here/{_in_double(f"outside{path}")}":{quote(path)}:ro'
        for path in job.outside
        if ":" not in path
    )
    choices = f"{_chosen(job.command)}"
    if job.minimal:
        choices = f'if [ "$minimal" = yes ]; then {_chosen(job.minimal)}; else {choices}; fi'
    folders = " ".join(quote(folder) for folder in job.folders)
    return (
        f"project={quote(job.project)}\n"
        f"directory={quote(job.directory)}\n"
        f"has_minimal={'yes' if job.minimal else 'no'}\n"
        f'folders() {{ set -- {folders}; for folder; do mkdir -p "$work/$folder"; done; }}\n'
        f'in_container() {{ set -- "$@" {in_container} {mounts} -w {quote(job.directory)} "$image"; '
        f'{choices}; "$@"; }}\n'
        f'in_environment() {{ set -- env -i PATH="$PATH" HOME="$home" TMPDIR="$home" {variables}; '
        f"{_of_system(job)}"
        f'{choices}; "$@"; }}\n'
    )


def _of_system(job: JobText) -> str:
    """What leads programs to the unpacked files of the author's system, where run.sh has unpacked them."""
    folders = ":".join(f"$system{_in_double(folder)}" for folder in job.library_path)
    led = [f'set -- "$@" "LD_LIBRARY_PATH={folders}"'] if folders else []
    if zone := job.environment.get("TZ"):
        place = "$system/usr/share/zoneinfo"
        led.append(f'if [ -e "{place}/{_in_double(zone)}" ]; then set -- "$@" "TZDIR={place}"; fi')
    return f'if [ -n "${{system:-}}" ]; then {"; ".join(led)}; fi; ' if led else ""


def _chosen(command: Sequence[str]) -> str:
    """Adds the command to a shell's arguments."""
    return 'set -- "$@" ' + " ".join(shlex.quote(word) for word in command)


def _in_double(text: str) -> str:
    """Text between double quotes in a POSIX shell."""
    return "".join(f"\\{char}" if char in '$`"\\' else char for char in text)


def _rendered(name: str, bundle: Bundle) -> str:
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - not HTML; the filters quote
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "shell": shlex.quote,
        "words": lambda words: shlex.join(words),
        "line": lambda text: printable(" ".join(str(text).split())),
        "cell": lambda text: text.replace("|", "\\|").replace("`", "'"),
        "size": size,
        "duration": duration,
        "expected": _expected,
    }
    text: str = environment.from_string(
        resource(f"templates/bundle/{name}").read_text(encoding="utf-8")
    ).render(bundle=bundle, environments=_by_folder(bundle), counted=counted)
    return text


def _by_folder(bundle: Bundle) -> Mapping[str, Any]:
    return {environment.folder: environment for environment in bundle.environments}


def _expected(experiment: BundledExperiment) -> str:
    return experiment.expected_time or duration(experiment.duration)


def _citation(bundle: Bundle) -> str:
    """A CITATION.cff (https://citation-file-format.github.io/, version 1.2.0)."""
    import yaml

    content: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use this artifact, please cite it.",
        "title": bundle.title,
        "type": "software",
        "authors": [_person(author) for author in bundle.authors],
    }
    if bundle.license:
        content["license"] = bundle.license
    if bundle.description:
        content["abstract"] = bundle.description
    if bundle.paper.startswith(("http://", "https://")):
        content["url"] = bundle.paper
    elif bundle.paper.startswith("10."):
        content["identifiers"] = [{"type": "doi", "value": bundle.paper}]
    return yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def _person(name: str) -> dict[str, str]:
    given, _, family = name.strip().rpartition(" ")
    return {"family-names": family, **({"given-names": given} if given else {})}
