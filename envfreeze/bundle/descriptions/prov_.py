"""PROV-JSON: every program of the runs as an activity, with the files that it read and wrote as entities.

An entity's name is its place in the bundle, so that RO-Crate and this speak of the same things; its digest is
an attribute. Sources: https://www.w3.org/TR/prov-dm/ and https://www.w3.org/submissions/prov-json/.
"""

from __future__ import annotations

import json
import shlex
import urllib.parse
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from envfreeze.bundle.descriptions import Described, Description, Run
from envfreeze.bundle.layout import recorded
from envfreeze.records.artifact import BundledExperiment
from envfreeze.records.files import FileEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation, ProcessEntry

if TYPE_CHECKING:
    from prov.model import ProvDocument

NAMESPACE = "https://pypi.org/project/envfreeze/#"
MAX_FILES = 2000
"""Files of an experiment that are described one by one; of more, what the programs say that they touched."""
MAX_PROGRAMS = 2000


def write(described: Described) -> str:
    """The text of ``prov.json``."""
    from prov.model import ProvDocument

    document = ProvDocument()
    document.add_namespace("bundle", "urn:envfreeze:bundle:")
    document.add_namespace("envfreeze", NAMESPACE)
    label = described.bundle.made_by or "envfreeze"
    watcher = document.agent("envfreeze:envfreeze", {"prov:type": "prov:SoftwareAgent", "prov:label": label})
    authors = []
    for number, name in enumerate(described.bundle.authors, 1):
        attributes = {"prov:type": "prov:Person", "prov:label": name}
        authors.append(document.agent(f"bundle:author-{number}", attributes))
    for experiment in described.bundle.experiments:
        _experiment(document, described, experiment, authors, watcher)
    content = json.loads(document.serialize(format="json") or "{}")
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _experiment(
    document: ProvDocument,
    described: Described,
    experiment: BundledExperiment,
    authors: Sequence[Any],
    watcher: Any,
) -> None:
    lock = described.locks[experiment.name]
    run, details = lock.run, described.runs.get(experiment.name, Run())
    if run is None:
        return
    entities = _Entities(document, experiment.name, details)
    whole = document.activity(
        f"bundle:{experiment.folder}/run",
        *_times(run, 0.0, run.duration),
        {
            "prov:type": "envfreeze:Run",
            "prov:label": shlex.join(run.command),
            "envfreeze:exitStatus": str(run.exit_status),
        },
    )
    attributes = {"prov:type": "prov:Plan", "prov:label": "the environment"}
    plan = document.entity(f"bundle:{experiment.folder}/envfreeze.lock", attributes)
    document.wasAttributedTo(plan, watcher)
    for author in authors:
        document.wasAssociatedWith(whole, author, plan)
    document.wasAssociatedWith(whole, _interpreter(document, lock), plan)
    programs = _programs(document, experiment, run, details.processes, entities, whole)
    if len(details.files) + len(details.outputs) <= MAX_FILES:
        for entry in details.files:
            if ("used", entry.path) not in programs:
                document.used(whole, entities.file(entry.path))
        for entry in details.outputs:
            if ("made", entry.path) not in programs:
                document.wasGeneratedBy(entities.output(entry.path), whole)


def _times(run: Observation, started: float, took: float | None) -> tuple[str | None, str | None]:
    if not run.started:
        return None, None
    begin = datetime.fromisoformat(run.started) + timedelta(seconds=started)
    return begin.isoformat(), None if took is None else (begin + timedelta(seconds=took)).isoformat()


def _interpreter(document: ProvDocument, lock: Lock) -> Any:
    python = lock.interpreter
    name = f"envfreeze:{python.implementation.lower()}-{python.version}"
    label = f"{python.implementation} {python.version}"
    return document.agent(name, {"prov:type": "prov:SoftwareAgent", "prov:label": label})


def _programs(
    document: ProvDocument,
    experiment: BundledExperiment,
    run: Observation,
    processes: Sequence[ProcessEntry],
    entities: _Entities,
    whole: Any,
) -> set[tuple[str, str]]:
    """An activity for each program; returns which files they account for."""
    told: set[tuple[str, str]] = set()
    known: dict[int, Any] = {}
    for number, process in enumerate(processes[:MAX_PROGRAMS], 1):
        attributes = {
            "prov:type": "envfreeze:Program",
            "prov:label": shlex.join(process.command) or process.program,
            "envfreeze:program": process.program,
        }
        if process.exit_status is not None:
            attributes["envfreeze:exitStatus"] = str(process.exit_status)
        activity = document.activity(
            f"bundle:{experiment.folder}/run/program-{number}",
            *_times(run, process.started, process.took),
            attributes,
        )
        # A program that another one became was started by it, too.
        document.wasInformedBy(activity, known.get(process.pid) or known.get(process.parent) or whole)
        known[process.pid] = activity
        for path in process.read:
            if path in entities.files:
                document.used(activity, entities.file(path))
                told.add(("used", path))
        for path in process.wrote:
            if path in entities.outputs:
                document.wasGeneratedBy(entities.output(path), activity)
                told.add(("made", path))
    return told


class _Entities:
    """Files of an experiment, each described when it is first spoken of."""

    def __init__(self, document: ProvDocument, experiment: str, details: Run) -> None:
        self._document, self._experiment = document, experiment
        self.files = {entry.path: entry for entry in details.files}
        self.outputs = {entry.path: entry for entry in details.outputs}
        self._made: dict[str, Any] = {}

    def file(self, path: str) -> Any:
        return self._entity(self.files[path], output=False)

    def output(self, path: str) -> Any:
        return self._entity(self.outputs[path], output=True)

    def _entity(self, entry: FileEntry, *, output: bool) -> Any:
        place = recorded(self._experiment, entry.path.encode(errors="replace").decode(), output=output)
        name = f"bundle:{urllib.parse.quote(place)}"
        if name not in self._made:
            attributes = {"prov:type": "envfreeze:File", "prov:label": place.rpartition("/")[2]}
            if entry.sha256 is not None:
                attributes |= {"envfreeze:sha256": entry.sha256, "envfreeze:size": str(entry.size)}
            if entry.kind:
                attributes["envfreeze:kind"] = entry.kind
            self._made[name] = self._document.entity(name, attributes)
        return self._made[name]


DESCRIPTION = Description(name="prov.json", package="prov", write=write)
