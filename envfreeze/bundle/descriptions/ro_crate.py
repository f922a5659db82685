"""RO-Crate 1.1 metadata by the Process Run Crate profile: an experiment is an action, with files in and out.

Sources: https://www.researchobject.org/ro-crate/specification/1.1/ and https://w3id.org/ro/wfrun/process/0.5.
"""

from __future__ import annotations

import json
import mimetypes
import shlex
from typing import TYPE_CHECKING, Any

from envfreeze.bundle.descriptions import Described, Description
from envfreeze.records.artifact import BundledExperiment
from envfreeze.records.lock import Lock

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
MAX_FILES = 2000
"""Files of an experiment that are described one by one; of more, the folder is."""


def write(described: Described) -> str:
    """The JSON-LD of ``ro-crate-metadata.json``."""
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

    bundle = described.bundle
    crate = ROCrate(version="1.1")
    root = crate.root_dataset
    root["name"] = bundle.title
    root["description"] = (
        bundle.description or f"Artifact of {bundle.title}: code, data, environment, results."
    )
    root["datePublished"] = _newest(described)
    root["license"] = _license(crate, described)
    profile = crate.add(
        ContextEntity(
            crate,
            PROFILE,
            properties={"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        )
    )
    root["conformsTo"] = profile
    if bundle.paper:
        url = bundle.paper if "://" in bundle.paper else f"https://doi.org/{bundle.paper}"
        root["citation"] = crate.add(
            ContextEntity(crate, url, properties={"@type": "ScholarlyArticle", "name": bundle.title})
        )
    authors = [
        crate.add(ContextEntity(crate, f"#author-{number}", properties={"@type": "Person", "name": name}))
        for number, name in enumerate(bundle.authors, 1)
    ]
    if authors:
        root["author"] = authors
    actions = [_action(crate, described, experiment, authors) for experiment in bundle.experiments]
    if actions:
        root["mentions"] = actions
    return json.dumps(crate.metadata.generate(), indent=2, ensure_ascii=False) + "\n"


def _newest(described: Described) -> str:
    """The day of the newest run: a bundle made again of the same locks has the same date."""
    days = [lock.run.started[:10] for lock in described.locks.values() if lock.run and lock.run.started]
    return max(days, default="1980-01-01")


def _license(crate: ROCrate, described: Described) -> Any:
    from rocrate.model import ContextEntity

    if described.bundle.license:
        name = described.bundle.license
        properties = {"@type": "CreativeWork", "name": name}
        return crate.add(ContextEntity(crate, f"https://spdx.org/licenses/{name}", properties=properties))
    return _file(crate, described, "LICENSE") or "not stated"


def _file(crate: ROCrate, described: Described, name: str) -> Any:
    """The entity of a member; None when there is no such member."""
    if name not in described.members:
        return None
    known = crate.dereference(name)
    if known is not None:
        return known
    digest, size = described.members[name]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    properties = {
        "name": name.rpartition("/")[2],
        "contentSize": str(size),
        "encodingFormat": kind,
        "sha256": digest,
    }
    return crate.add_file(dest_path=name, properties=properties)


def _files(crate: ROCrate, described: Described, folder: str) -> list[Any]:
    names = [name for name in described.members if name.startswith(f"{folder}/")]
    if not names:
        return []
    if len(names) > MAX_FILES:
        known = crate.dereference(f"{folder}/")
        return [known or crate.add_directory(dest_path=folder, properties={"name": folder})]
    return [entity for entity in (_file(crate, described, name) for name in names) if entity is not None]


def _action(crate: ROCrate, described: Described, experiment: BundledExperiment, authors: list[Any]) -> Any:
    from rocrate.model import ContextEntity

    lock, folder = described.locks[experiment.name], experiment.folder
    properties: dict[str, Any] = {
        "@type": "CreateAction",
        "name": experiment.title or experiment.name,
        "description": shlex.join(experiment.command),
    }
    if lock.run is not None and lock.run.started:
        properties["startTime"] = lock.run.started
        properties["endTime"] = _end(lock)
        succeeded = lock.run.exit_status == 0
        status = "CompletedActionStatus" if succeeded else "FailedActionStatus"
        properties["actionStatus"] = f"http://schema.org/{status}"
    action = crate.add(ContextEntity(crate, f"#run-{experiment.name}", properties=properties))
    action["instrument"] = _interpreter(crate, lock)
    inputs = _files(crate, described, f"{folder}/files") + _files(crate, described, f"{folder}/outside")
    results = _files(crate, described, f"{folder}/outputs")
    lockfile = _file(crate, described, f"{folder}/envfreeze.lock")
    action["object"] = inputs + ([lockfile] if lockfile is not None else [])
    if results:
        action["result"] = results
    if authors:
        action["agent"] = authors[0]
    return action


def _end(lock: Lock) -> str:
    from datetime import datetime, timedelta

    assert lock.run is not None
    started = datetime.fromisoformat(lock.run.started)
    return (started + timedelta(seconds=lock.run.duration)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _interpreter(crate: ROCrate, lock: Lock) -> Any:
    from rocrate.model import ContextEntity

    python = lock.interpreter
    identity = f"#{python.implementation}-{python.version}".lower()
    properties = {
        "@type": "SoftwareApplication",
        "name": python.implementation,
        "softwareVersion": python.version,
        "url": "https://www.python.org/",
    }
    return crate.dereference(identity) or crate.add(ContextEntity(crate, identity, properties=properties))


DESCRIPTION = Description(name="ro-crate-metadata.json", package="rocrate", write=write)
