"""Bundles for double-blind review, as an author packs them and a reviewer takes them apart."""

from __future__ import annotations

import base64
import gzip
import io
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

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

NAMES = ["Jane Doe", "jane.doe@inf.ethz.ch", "jdoe77", "Tübingen Lab", "janedoe/neat-paper", "Ada Writer"]
TRAIN = '''\
"""By Jane Doe <jane.doe@inf.ethz.ch>, Tübingen Lab."""
import base64, gzip, json, os, pathlib, pickle, zipfile
WHO = "Jane Doe"
here = pathlib.Path.cwd()
data = pathlib.Path("data/JDOE77.csv").read_text()
pathlib.Path("metrics.json").write_text(json.dumps({"score": len(data), "where": str(here), "who": WHO}))
pathlib.Path("model.pkl").write_bytes(pickle.dumps({"by": WHO, "weights": [1.5, 2.5], "where": str(here)}))
pathlib.Path("log.gz").write_bytes(gzip.compress(f"{here} {WHO.upper()} tuebingen\\n".encode() * 9, mtime=0))
with zipfile.ZipFile("run.zip", "w") as archive:
    archive.writestr(zipfile.ZipInfo("jdoe77/log.gz"), pathlib.Path("log.gz").read_bytes())
text = base64.b64encode(f"notes of {WHO}, Tübingen Lab".encode()).decode()
pathlib.Path("notes.ipynb").write_text(json.dumps({"a": text, "b": "https://x.org/?by=jane%20doe"}))
pathlib.Path("plain.txt").write_text("nobody\\n")
print("trained in", here, "by", WHO)
'''


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of somebody whom nearly everything in it names."""
    folder = tmp_path_factory.mktemp("author") / "home" / "jdoe77" / "neat"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "JDOE77.csv").write_text("1,2\n")
    (folder / "train.py").write_text(TRAIN, encoding="utf-8")
    (folder / "LICENSE").write_text("MIT, (c) Jane Doe\n")
    (folder / "CITATION.cff").write_text(
        "cff-version: 1.2.0\nauthors: [{given-names: Jane, family-names: Doe}]\n"
    )
    (folder / "artifact.yaml").write_text(
        "title: Neat\nauthors: [Jane Doe, Ada Writer]\npaper: https://arxiv.org/abs/2401.00001\n"
        "experiments: [{name: jdoe77-table1, title: Table 1 of Ada Writer}]\n"
    )
    (folder / "pyproject.toml").write_text(
        '[tool.envfreeze]\nidentities = ["Tübingen Lab"]\n', encoding="utf-8"
    )
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "Jane Doe")
    git(folder, "config", "user.email", "jane.doe@inf.ethz.ch")
    git(folder, "remote", "add", "origin", "git@github.com:janedoe/neat-paper.git")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Start")
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parent.parent], check=True)
    frozen = envfreeze("freeze", "-q", "--offline", "--", python, "train.py", cwd=folder)
    assert frozen.returncode == 0, frozen.stderr
    replayed = envfreeze("replay", "-q", "--engine", "local", cwd=folder)
    assert replayed.returncode == 0, replayed.stdout
    return folder


@pytest.fixture(scope="module")
def packed(project: Path) -> Path:
    done = envfreeze("pack", project, "--anonymous", "-o", project.parent.parent / "a.zip", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "names were replaced in" in done.stderr
    return project.parent.parent / "a.zip"


def everything(data: bytes, name: str = "") -> list[tuple[str, bytes]]:
    """Name and content of all in the archive, opened by hand and not by the code that is tested."""
    found = [(name, data)]
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                found += everything(archive.read(info), f"{name}/{info.filename}")
    elif data[:2] == b"\x1f\x8b":
        found += everything(gzip.decompress(data), f"{name}/gz")
    elif name.endswith(".ipynb"):
        found.append((name, base64.b64decode(json.loads(data)["a"])))
    return found


def test_no_identity_is_anywhere_in_it(packed: Path, project: Path) -> None:
    parts = everything(packed.read_bytes())
    assert len(parts) > 25 and any(name.endswith("run.zip/anon00/log.gz/gz") for name, _ in parts)
    for name, data in parts:
        text = f"{name}\n".encode() + data
        for identity in (*NAMES, str(project.parent), "arxiv.org", "jane", "writer"):
            for form in (identity, identity.replace(" ", "%20"), identity.replace(" ", "_")):
                for codec in ("utf-8", "utf-16-le"):
                    assert form.lower().encode(codec) not in text.lower(), (identity, name)


def test_it_is_whole_and_replays_as_the_original_did(packed: Path, tmp_path: Path) -> None:
    folder, content = artifacts.unpack(packed, tmp_path / "out")
    subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=folder, check=True)
    assert artifacts.verify(packed).whole
    assert content.authors == ("Anonymous",) and content.paper == ""
    (experiment,) = content.experiments
    here = folder / experiment.folder
    assert (here / "report.html").is_file(), "the author's own replay"
    assert (here / "outputs" / "plain.txt").read_text() == "nobody\n"
    assert "Anonymous" in (folder / "CITATION.cff").read_text()
    done = envfreeze("replay", packed, "--engine", "local", "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Reproduced" in done.stdout and "replaced for anonymous review" in done.stdout


def test_what_was_altered_is_said(packed: Path, tmp_path: Path) -> None:
    import yaml

    folder, content = artifacts.unpack(packed, tmp_path / "out")
    lock = yaml.safe_load((folder / content.experiments[0].folder / "envfreeze.lock").read_text())
    altered = {entry["path"] for entry in lock["run"]["outputs"]["entries"] if entry.get("altered")}
    assert altered == {"metrics.json", "model.pkl", "log.gz", "run.zip", "notes.ipynb"}
    assert lock["run"]["stdout"]["altered"] and "git" not in lock
    assert any(gap["what"] == "version control" for gap in lock["gaps"])
    assert content.anonymity is not None
    readme = (folder / "README.md").read_text()
    for path in altered:
        assert any(item.endswith(f": {path}") for item in content.anonymity.altered)
        assert path in readme


def test_a_reader_looks_for_names_without_unpacking(packed: Path, project: Path, tmp_path: Path) -> None:
    wanted = [word for name in NAMES for word in ("--anonymous-for", name)]
    done = envfreeze("verify", packed, *wanted, cwd=tmp_path)
    assert done.returncode == 0 and "none of the names looked for (6) is in" in done.stdout, done.stdout
    artifacts.pack(project, tmp_path / "signed.zip")
    done = envfreeze("verify", "signed.zip", "--anonymous-for", "jane doe", cwd=tmp_path)
    assert done.returncode == 1
    for place in (
        "files/train.py line 1",
        "run.zip: jdoe77/log.gz line 1",
        "notes.ipynb line 1",
        "LICENSE line 1",
    ):
        assert place in done.stdout, done.stdout


def test_nothing_is_written_while_a_name_is_left(project: Path, tmp_path: Path) -> None:
    claims = project / "ARTIFACT.md"
    claims.write_text(f"key: {'Tübingen Lab, Germany'.encode().hex()}\n")
    try:
        done = envfreeze("pack", project, "--anonymous", "-o", tmp_path / "a.zip", cwd=tmp_path)
    finally:
        claims.unlink()
    assert done.returncode == 2 and not (tmp_path / "a.zip").exists()
    assert "would not be anonymous: README.md, base64 or hexadecimal: 'Tübingen Lab'" in done.stderr
    assert list((project / ".envfreeze" / "tmp").iterdir()) == []


def test_what_the_author_names_is_replaced_inside_of_words(project: Path, tmp_path: Path) -> None:
    artifacts.pack(project, tmp_path / "a.zip", anonymous=True, identities=["neat", "Table 1"])
    folder, content = artifacts.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not [path for path in folder.rglob("*") if path.is_file() and b"neat" in path.read_bytes().lower()]
    assert content.title not in ("Neat", "")


def test_what_cannot_be_anonymous_is_refused(project: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with pytest.raises(InputError, match="a signature names its signer"):
        artifacts.pack(project, tmp_path / "a.zip", anonymous=True, sign=key)
    with pytest.raises(InputError, match=r"own name, jdoe77-paper\.zip, says who"):
        artifacts.pack(project, tmp_path / "jdoe77-paper.zip", anonymous=True)
    with pytest.raises(InputError, match="fewer than 3 letters"):
        artifacts.pack(project, tmp_path / "a.zip", anonymous=True, identities=["ab"])
    assert not list(tmp_path.glob("*.zip"))


def test_a_name_that_is_a_word_of_programs_stays_in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from envfreeze.anonymous.gather import gather
    from envfreeze.anonymous.names import Names
    from envfreeze.records.artifact import Artifact

    monkeypatch.setenv("HOME", "/home/adam")
    gathered = gather(Path(os.devnull).parent / "none", Artifact(), (), ())
    names = Names(gathered.identities)
    assert names.text("torch.optim.Adam(lr=1)") == "torch.optim.Adam(lr=1)"
    assert "adam" not in names.text("/home/adam/paper")
    assert any("'adam' is a word of programs" in note for note in gathered.notes)
