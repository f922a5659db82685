"""What a bundle says of itself in other people's formats, held against those formats' own validators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envfreeze.bundle.descriptions import Described, Run, describe
from envfreeze.records.artifact import Bundle, BundledExperiment
from envfreeze.records.environment import Interpreter, Package, System, SystemPackage
from envfreeze.records.files import FileEntry, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation, ProcessEntry

DIGEST = "ab" * 32


def described(folder: Path | None = None) -> Described:
    run = Observation(
        command=("python", "train.py"),
        directory="/home/me/project",
        project="/home/me/project",
        started="2026-03-01T10:00:00Z",
        duration=12.5,
        stdout=StreamEntry(sha256=DIGEST),
        stderr=StreamEntry(sha256=DIGEST),
    )
    lock = Lock(
        envfreeze_lock=1,
        run=run,
        interpreter=Interpreter(implementation="CPython", version="3.11.7"),
        packages=(
            Package(name="numpy", version="2.1.0", sha256=DIGEST, license="BSD-3-Clause"),
            Package(name="odd", version="1.0+cpu", license="The author's own words"),
        ),
        system=System(
            distribution="debian 12",
            packages=(SystemPackage(name="libgomp1", version="12.2.0-14+deb12u1", manager="dpkg"),),
        ),
    )
    experiment = BundledExperiment(
        name="table1",
        folder="experiments/table1",
        environment="environments/abc",
        title="Table 1",
        command=run.command,
        original_lock=DIGEST,
    )
    bundle = Bundle(
        title="On sums", authors=("A. Author",), license="MIT", paper="10.1000/xyz", experiments=(experiment,)
    )
    members = {
        "LICENSE": (DIGEST, 4),
        "README.md": (DIGEST, 4),
        "experiments/table1/envfreeze.lock": (DIGEST, 4),
        "experiments/table1/files/train.py": (DIGEST, 4),
        "experiments/table1/files/data/odd name é.csv": (DIGEST, 4),
        "experiments/table1/outputs/metrics.json": (DIGEST, 4),
    }
    if folder is not None:
        for name in members:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("text")
    return Described(bundle=bundle, locks={"table1": lock}, members=members)


def text(name: str) -> str:
    made, missing = describe(described())
    assert missing == ()
    return made[name]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_list_of_software_passes_the_schema() -> None:
    pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    sbom = text("sbom.cdx.json")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom) is None
    found = {component["purl"]: component for component in json.loads(sbom)["components"]}
    assert set(found) == {
        "pkg:generic/cpython@3.11.7", "pkg:pypi/numpy@2.1.0", "pkg:pypi/odd@1.0%2Bcpu",
        "pkg:deb/debian/libgomp1@12.2.0-14%2Bdeb12u1",
    }  # fmt: skip
    assert found["pkg:pypi/numpy@2.1.0"]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert found["pkg:pypi/numpy@2.1.0"]["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_same_bundle_is_described_by_the_same_bytes() -> None:
    first, second = describe(described())[0], describe(described())[0]
    assert first == second and set(first) == {"prov.json", "ro-crate-metadata.json", "sbom.cdx.json"}


@pytest.fixture
def context_at_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The RO-Crate context from the library instead of from the network."""
    pytest.importorskip("rocrate_validator")
    import rdflib.plugins.shared.jsonld.context as shared
    import requests
    import rocrate

    data = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()

    def answer(_: Any, method: str, url: str, **__: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content, response.url = 200, data, url
        response.headers["Content-Type"] = "application/ld+json"
        return response

    monkeypatch.setattr(requests.Session, "request", answer)
    given = shared.source_to_json
    monkeypatch.setattr(
        shared,
        "source_to_json",
        lambda source, *rest, **named: (
            (json.loads(data), None) if str(source).startswith("http") else given(source, *rest, **named)
        ),
    )
    yield


def test_the_crate_passes_its_profile(tmp_path: Path, context_at_hand: None) -> None:
    pytest.importorskip("rocrate_validator")
    from rocrate_validator import models, services

    made, _ = describe(described(tmp_path))
    (tmp_path / "ro-crate-metadata.json").write_text(made["ro-crate-metadata.json"])
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=str(tmp_path),
            profile_identifier="process-run-crate",
            requirement_severity=models.Severity.REQUIRED,
        )
    )
    assert [(issue.check.identifier, issue.message) for issue in result.get_issues()] == []
    assert result.passed()


def test_an_experiment_is_an_action_with_its_files() -> None:
    graph = {entity["@id"]: entity for entity in json.loads(text("ro-crate-metadata.json"))["@graph"]}
    action = graph["#run-table1"]
    assert action["@type"] == "CreateAction"
    assert action["startTime"] == "2026-03-01T10:00:00Z" and action["endTime"] == "2026-03-01T10:00:12Z"
    assert action["result"] == [{"@id": "experiments/table1/outputs/metrics.json"}]
    assert {"@id": "experiments/table1/files/train.py"} in action["object"]


def test_without_the_libraries_the_bundle_is_made_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "rocrate.rocrate", None)
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    monkeypatch.setitem(sys.modules, "prov.model", None)
    made, missing = describe(described())
    assert made == {}
    assert len(missing) == 3 and all("envfreeze[bundle]" in word for word in missing)


def test_a_run_without_a_date_is_described_too() -> None:
    whole = described()
    lock = whole.locks["table1"]
    assert lock.run is not None
    bare = msgspec.structs.replace(lock, run=msgspec.structs.replace(lock.run, started=""))
    made, _ = describe(msgspec.structs.replace(whole, locks={"table1": bare}))
    assert "startTime" not in made["ro-crate-metadata.json"]


def with_programs() -> Described:
    names = ("train.py", "a b/ü:1.csv", "out.txt", "log")
    entries = {path: FileEntry(path=path, size=3, sha256=DIGEST) for path in names}
    programs = (
        ProcessEntry(pid=7, program="/bin/sh", command=("sh", "run.sh"), took=12.0, exit_status=0),
        ProcessEntry(pid=8, parent=7, program="/usr/bin/python", command=("python", "train.py"), started=1.0,
                     read=("train.py", "a b/ü:1.csv", "/never/recorded"), wrote=("out.txt",)),
        ProcessEntry(pid=8, parent=7, program="/bin/true", started=2.0, took=0.5),
    )  # fmt: skip
    run = Run(
        files=(entries["train.py"], entries["a b/ü:1.csv"]),
        outputs=(entries["out.txt"], entries["log"]),
        processes=programs,
    )
    return msgspec.structs.replace(described(), runs=dict.fromkeys(described().locks, run))


def test_the_provenance_says_which_program_read_and_wrote_what() -> None:
    from prov.model import ProvDocument

    texts, missing = describe(with_programs())
    assert not missing
    content = json.loads(texts["prov.json"])
    document = ProvDocument.deserialize(content=texts["prov.json"], format="json")
    assert len(list(document.get_records())) > 10
    name = next(iter(described().locks))
    run, folder = f"bundle:experiments/{name}/run", f"bundle:experiments/{name}"
    activities = content["activity"]
    assert activities[run]["prov:startTime"] < activities[run]["prov:endTime"]
    assert activities[f"{run}/program-2"]["prov:label"] == "python train.py"
    assert "prov:endTime" not in activities[f"{run}/program-2"], "its end was not seen"
    used = {(item["prov:activity"], item["prov:entity"]) for item in content["used"].values()}
    assert (f"{run}/program-2", f"{folder}/files/train.py") in used
    assert (f"{run}/program-2", f"{folder}/files/a%20b/%C3%BC%3A1.csv") in used and len(used) == 2
    made = {(item["prov:entity"], item["prov:activity"]) for item in content["wasGeneratedBy"].values()}
    assert made == {(f"{folder}/outputs/out.txt", f"{run}/program-2"), (f"{folder}/outputs/log", run)}
    parents = {item["prov:informed"]: item["prov:informant"] for item in content["wasInformedBy"].values()}
    assert parents == {
        f"{run}/program-1": run,
        f"{run}/program-2": f"{run}/program-1",
        f"{run}/program-3": f"{run}/program-2",
    }
    assert content["entity"][f"{folder}/outputs/out.txt"]["envfreeze:sha256"] == DIGEST


def test_the_provenance_speaks_of_nothing_that_it_does_not_declare() -> None:
    content = json.loads(describe(with_programs())[0]["prov.json"])
    declared = {name for kind in ("entity", "activity", "agent") for name in content[kind]}
    for kind in set(content) - {"entity", "activity", "agent", "prefix"}:
        for relation in content[kind].values():
            for key, value in relation.items():
                assert key in ("prov:time", "prov:type") or value in declared, (kind, relation)
    assert describe(with_programs())[0]["prov.json"] == describe(with_programs())[0]["prov.json"]
