"""Bundles as author and reviewer use them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from envfreeze import artifacts
from envfreeze.errors import InputError

from ..command import envfreeze

ROWS = "1.5\n2.5\n" * 2000
TRAIN = """\
import json, sys
rows = [float(line) for line in open("data/rows.txt")]
scale = float(open("scale.txt").read())
json.dump({"score": sum(rows) * scale}, open("metrics.json", "w"))
print("score =", sum(rows) * scale)
"""
CLAIMS = """\
claims:
  - id: large
    location: Table 1
    text: The score is large.
    holds: "metrics.json:score > 7000 and <stdout>:score > 7000"
"""


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two experiments that share their data, frozen in an environment without packages."""
    folder = tmp_path_factory.mktemp("author") / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "rows.txt").write_text(ROWS)
    (folder / "train.py").write_text(TRAIN)
    (folder / "LICENSE").write_text("MIT\n")
    (folder / "claims.yaml").write_text(CLAIMS)
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parent.parent], check=True)
    for name, scale in (("table1", "1.0"), ("table2", "2.0")):
        (folder / "scale.txt").write_text(scale)
        frozen = envfreeze("freeze", "-q", "--offline", "--", python, "train.py", cwd=folder)
        assert frozen.returncode == 0, frozen.stderr
        added = envfreeze("add-experiment", name, "--title", f"Table {name[-1]}", cwd=folder)
        assert added.returncode == 0, added.stderr
    return folder


@pytest.fixture
def bundle(author: Path, tmp_path: Path) -> Path:
    path = tmp_path / "paper.envfreeze.zip"
    artifacts.pack(author, path)
    return path


def test_the_same_content_is_the_same_bytes(author: Path, bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    artifacts.pack(author, again)
    assert again.read_bytes() == bundle.read_bytes()


def test_no_content_is_there_twice(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        contents = [archive.read(info) for info in archive.infolist() if info.file_size > 1000]
    assert len(contents) == len(set(contents))


def test_unpacked_it_is_readable_and_its_digests_hold(bundle: Path, tmp_path: Path) -> None:
    folder, content = artifacts.unpack(bundle, tmp_path / "out")
    assert [experiment.name for experiment in content.experiments] == ["table1", "table2"]
    for name, scale in (("table1", "1.0"), ("table2", "2.0")):
        here = folder / "experiments" / name
        assert (here / "files" / "scale.txt").read_text() == scale
        assert (here / "files" / "data" / "rows.txt").read_text() == ROWS
        assert json.loads((here / "outputs" / "metrics.json").read_text()) == {"score": 8000 * float(scale)}
    readme = (folder / "README.md").read_text()
    assert "table1" in readme and "Table 2" in readme and "run.sh" in readme
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert done.returncode == 0


def test_a_reviewer_replays_straight_from_the_bundle(bundle: Path, tmp_path: Path) -> None:
    done = envfreeze("replay", bundle, "--engine", "local", "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "== table1" in done.stdout and "== table2" in done.stdout
    assert done.stdout.count("Reproduced") == 2
    one = envfreeze(
        "replay", bundle, "--engine", "local", "--yes", "--experiment", "table2", "--json", cwd=tmp_path
    )
    assert json.loads(one.stdout)["verdict"] in ("identical", "equivalent")
    none = envfreeze("replay", bundle, "--experiment", "table9", cwd=tmp_path)
    assert none.returncode == 2 and "table1, table2" in none.stderr


def test_a_strangers_program_is_not_run_unasked(bundle: Path, tmp_path: Path) -> None:
    done = envfreeze("replay", bundle, "--engine", "local", cwd=tmp_path)
    assert done.returncode == 2
    assert "--yes" in done.stderr and "Reproduced" not in done.stdout


def test_run_sh_needs_no_envfreeze(bundle: Path, tmp_path: Path) -> None:
    folder, _ = artifacts.unpack(bundle, tmp_path / "out with spaces")
    python = Path(sys.base_prefix) / "bin"
    environment = {"PATH": f"{python}:/usr/bin:/bin", "ENGINE": "no-engine", "HOME": str(tmp_path)}

    def run(*names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./run.sh", *names], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Reproduced") == 2
    (folder / "experiments" / "table1" / "files" / "scale.txt").write_text("3.0")
    done = run("table1")
    assert done.returncode == 0, done.stdout
    assert (
        "different  metrics.json" in done.stdout and "holds      The score is large. (Table 1)" in done.stdout
    )
    assert "Same conclusion" in done.stdout and "Reproduced" not in done.stdout
    (folder / "experiments" / "table1" / "files" / "scale.txt").write_text("0.5")
    done = run("table1")
    assert done.returncode == 1 and "fails      The score is large." in done.stdout
    unknown = run("table7")
    assert unknown.returncode == 2 and "table1 table2" in unknown.stderr


@pytest.mark.engine
def test_with_the_image_nothing_has_to_be_built(author: Path, tmp_path: Path) -> None:
    import docker

    path = tmp_path / "paper.envfreeze.zip"
    packed = artifacts.pack(author, path, image=True)
    assert list((author / ".envfreeze" / "tmp").iterdir()) == []
    (environment,) = packed.bundle.environments
    folder, _ = artifacts.unpack(path, tmp_path / "out")
    image = folder / environment.folder / "image"
    assert json.loads((image / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    for blob in (image / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    client = docker.from_env()
    tag = f"envfreeze:{environment.environment_id[:16]}"
    client.images.remove(tag, force=True)
    done = envfreeze("replay", path, "--engine", "docker", "--experiment", "table1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loading the image" in done.stderr and "building" not in done.stderr
    assert json.loads(done.stdout)["verdict"] == "identical"
    client.images.remove(tag, force=True)
    shell = subprocess.run(["./run.sh", "table2"], cwd=folder, capture_output=True, text=True, check=False)
    assert shell.returncode == 0, shell.stdout + shell.stderr
    assert "loading the image" in shell.stdout and "Reproduced" in shell.stdout
    client.close()


def test_verify_names_what_is_missing_and_what_is_damaged(bundle: Path, tmp_path: Path) -> None:
    found = artifacts.verify(bundle)
    assert found.whole
    missing = [finding.what for finding in found.findings if finding.level == "missing"]
    assert len(missing) == 1 and "base image" in missing[0]
    done = envfreeze("verify", bundle, "--offline", cwd=tmp_path)
    assert done.returncode == 1 and "whole" in done.stdout
    local = envfreeze("verify", bundle, "--offline", "--engine", "local", cwd=tmp_path)
    assert local.returncode == 0 and "this machine has CPython" in local.stdout, local.stdout
    with zipfile.ZipFile(bundle) as archive:
        place = archive.getinfo("experiments/table1/outputs/metrics.json").header_offset
    data = bytearray(bundle.read_bytes())
    data[place + 30 + len("experiments/table1/outputs/metrics.json") + 3] ^= 0xFF
    bundle.write_bytes(data)
    broken = envfreeze("verify", bundle, cwd=tmp_path)
    assert broken.returncode == 1
    assert "✘ experiments/table1/outputs/metrics.json" in broken.stdout and "is damaged" in broken.stdout
    unpacked = envfreeze("unpack", bundle, cwd=tmp_path)
    assert unpacked.returncode == 2 and "metrics.json" in unpacked.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == [bundle.name]


def test_damage_in_the_store_stops_the_packing(author: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(author, tmp_path / "copy", symlinks=True))
    (copy / "data" / "rows.txt").unlink()
    digest = hashlib.sha256(ROWS.encode()).hexdigest()
    stored = copy / ".envfreeze" / "objects" / digest[:2] / digest[2:]
    stored.chmod(0o644)
    stored.write_text(ROWS[::-1])
    target = tmp_path / "paper.zip"
    target.write_bytes(b"the one before")
    with pytest.raises(InputError, match=r"data/rows.txt is damaged"):
        artifacts.pack(copy, target)
    assert target.read_bytes() == b"the one before"


def test_names_that_some_systems_cannot_have_travel_by_digest(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a:b?.txt").write_text("odd")
    (folder / "t.py").write_text("print(open('a:b?.txt').read())\n")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    frozen = envfreeze("freeze", "-q", "--offline", "--", python, "t.py", cwd=folder)
    assert frozen.returncode == 0
    path = tmp_path / "paper.zip"
    artifacts.pack(folder, path)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "?" in name]
    done = envfreeze("replay", path, "--engine", "local", "--yes", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["verdict"] == "identical", done.stdout


def test_an_experiments_name_is_taken_once(author: Path) -> None:
    with pytest.raises(InputError, match="already"):
        artifacts.add_experiment(author / "envfreeze.table1.lock", "table1")
    with pytest.raises(InputError, match="no name of an experiment"):
        artifacts.add_experiment(author / "envfreeze.table1.lock", "../evil")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("experiments: [{name: '../x'}]", "no name of an experiment"),
        ("experiments: 3", "array"),
        ("unknown: 1", "unknown field"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: [1", "line"),
        ("experiments: [{name: t, lock: 5}]", "experiments[0].lock"),
    ],
)
def test_a_bad_artifact_yaml_is_one_sentence(text: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "artifact.yaml").write_text(text)
    (tmp_path / "envfreeze.lock").write_text("envfreeze_lock: 1\n")
    with pytest.raises(InputError) as raised:
        artifacts.pack(tmp_path, tmp_path / "x.zip")
    assert word in str(raised.value) and "artifact.yaml" in str(raised.value)
    assert not (tmp_path / "x.zip").exists()


def test_the_bundle_is_found_from_the_project_or_elsewhere(author: Path, tmp_path: Path) -> None:
    done = envfreeze("pack", "-q", author, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["project.envfreeze.zip"]


def test_a_bundle_with_a_secret_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    token = "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"
    (folder / "t.py").write_text(f"import os\ntoken = '{token}'\nprint(1)\n")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    frozen = envfreeze("freeze", "--offline", "--", python, "t.py", cwd=folder)
    assert frozen.returncode == 0 and "t.py line 2" in frozen.stderr and token not in frozen.stderr
    refused = envfreeze("pack", "-o", "paper.zip", cwd=folder)
    assert refused.returncode == 2
    assert "files/t.py line 2" in refused.stderr and token not in refused.stderr
    assert not (folder / "paper.zip").exists()
    fingerprint = refused.stderr.partition("--allow ")[2].partition("=")[0]
    allowed = envfreeze("pack", "-o", "paper.zip", "--allow", f"{fingerprint}=revoked", "--json", cwd=folder)
    assert allowed.returncode == 0, allowed.stderr
    assert json.loads(allowed.stdout)["bundle"]["allowed_secrets"] == [
        {"fingerprint": fingerprint, "reason": "revoked"}
    ]
