"""Signed bundles, as an author signs them and a reader checks them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from envfreeze import artifacts
from envfreeze.errors import InputError

from ..command import envfreeze

WHO = "author@example.org"
needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")


def new_key(folder: Path, name: str) -> tuple[Path, Path]:
    """A private key, and a file that names its owner."""
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", key], check=True)
    signers = folder / f"{name}.signers"
    signers.write_text(f'{WHO} namespaces="envfreeze" {key.with_suffix(".pub").read_text()}')
    return key, signers


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author") / "project"
    folder.mkdir()
    (folder / "train.py").write_text("open('out.txt', 'w').write('1')\n")
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parent.parent], check=True)
    frozen = envfreeze("freeze", "-q", "--offline", "--", python, "train.py", cwd=folder)
    assert frozen.returncode == 0, frozen.stderr
    return folder


@pytest.fixture(scope="module")
def unsigned(project: Path) -> Path:
    path = project.parent / "unsigned.zip"
    artifacts.pack(project, path)
    return path


def repacked(bundle: Path, target: Path, change: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            new.writestr(info, change.pop(info.filename, None) or old.read(info))
        for name, data in change.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            new.writestr(info, data)
    return target


@needs_ssh
def test_a_reader_knows_who_signed(project: Path, tmp_path: Path) -> None:
    key, signers = new_key(tmp_path, "key")
    _, others = new_key(tmp_path, "other")
    packed = envfreeze("pack", project, "-o", "paper.zip", "--sign", key, cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
    done = envfreeze("verify", "paper.zip", "--signer", signers, cwd=tmp_path)
    assert done.returncode == 0 and f"signed by {WHO} (ED25519 SHA256:" in done.stdout
    done = envfreeze("verify", "paper.zip", "--signer", others, cwd=tmp_path)
    assert done.returncode == 1 and "which no --signer file names" in done.stdout
    done = envfreeze("verify", "paper.zip", "--json", cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["signature"]["state"] == "unknown"


@needs_ssh
def test_unpacked_it_is_checked_by_ssh_keygen_alone(project: Path, tmp_path: Path) -> None:
    key, signers = new_key(tmp_path, "key")
    artifacts.pack(project, tmp_path / "paper.zip", sign=key)
    folder, _ = artifacts.unpack(tmp_path / "paper.zip", tmp_path / "out")
    command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", WHO, "-n", "envfreeze"]
    with (folder / "SHA256SUMS").open("rb") as stream:
        subprocess.run([*command, "-s", folder / "SHA256SUMS.sig"], stdin=stream, check=True)
    subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=folder, check=True)


@needs_ssh
def test_a_bundle_without_a_signature_is_not_trusted(unsigned: Path, tmp_path: Path) -> None:
    _, signers = new_key(tmp_path, "key")
    assert "- unsigned" in envfreeze("verify", unsigned, cwd=tmp_path).stdout
    done = envfreeze("verify", unsigned, "--signer", signers, cwd=tmp_path)
    assert done.returncode == 1 and "- unsigned" in done.stdout


@needs_ssh
def test_what_is_changed_after_the_signature_is_damaged(project: Path, tmp_path: Path) -> None:
    """The forger brings the digests up to date, and cannot bring the signature up to date."""
    import hashlib

    key, signers = new_key(tmp_path, "key")
    bundle = tmp_path / "paper.zip"
    artifacts.pack(project, bundle, sign=key)
    with zipfile.ZipFile(bundle) as archive:
        name = "experiments/main/outputs/out.txt"
        digest = hashlib.sha256(archive.read(name)).hexdigest()
        sums = archive.read("SHA256SUMS").decode()
    forged = sums.replace(f"{digest}  {name}", f"{hashlib.sha256(b'2').hexdigest()}  {name}").encode()
    changed = repacked(bundle, tmp_path / "forged.zip", {name: b"2", "SHA256SUMS": forged})
    done = envfreeze("verify", changed, "--signer", signers, cwd=tmp_path)
    assert done.returncode == 1 and "the signature is bad" in done.stdout and "is damaged" in done.stdout


@pytest.mark.parametrize("data", [b"", b"junk\n", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", b"\0" * 70_000])
@pytest.mark.parametrize("name", [pytest.param("SHA256SUMS.sig", marks=needs_ssh), "SHA256SUMS.minisig"])
def test_what_is_no_signature_is_bad(unsigned: Path, tmp_path: Path, name: str, data: bytes) -> None:
    changed = repacked(unsigned, tmp_path / "junk.zip", {name: data})
    found = artifacts.verify(changed)
    assert found.signature.state == "bad" and not found.whole


def test_without_the_tool_it_is_said_to_be_unchecked(
    unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"-----BEGIN SSH SIGNATURE-----\nAAAA\n"
    changed = repacked(unsigned, tmp_path / "signed.zip", {"SHA256SUMS.sig": data})
    monkeypatch.setenv("PATH", str(tmp_path))
    found = artifacts.verify(changed)
    assert found.signature.state == "unchecked" and "ssh-keygen is not installed" in found.signature.why


def test_a_key_that_is_none_is_refused_before_anything_is_written(project: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with pytest.raises(InputError, match="neither a key of ssh-keygen nor of minisign"):
        artifacts.pack(project, tmp_path / "paper.zip", sign=tmp_path / "key")
    with pytest.raises(InputError, match="no such key"):
        artifacts.pack(project, tmp_path / "paper.zip", sign=tmp_path / "nowhere")
    assert not (tmp_path / "paper.zip").exists()


@pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")
def test_minisign(project: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        keys = ("-p", tmp_path / f"{name}.pub", "-s", tmp_path / f"{name}.key")
        subprocess.run(["minisign", "-G", "-W", *keys], check=True, stdout=subprocess.DEVNULL)
    artifacts.pack(project, tmp_path / "paper.zip", sign=tmp_path / "one.key")
    assert artifacts.verify(tmp_path / "paper.zip").signature.state == "unknown"
    signed = artifacts.verify(tmp_path / "paper.zip", signers=tmp_path / "one.pub").signature
    assert signed.state == "signed" and signed.key in (tmp_path / "one.pub").read_text()
    assert artifacts.verify(tmp_path / "paper.zip", signers=tmp_path / "two.pub").signature.state == "unknown"
    folder, _ = artifacts.unpack(tmp_path / "paper.zip", tmp_path / "out")
    sums = folder / "SHA256SUMS"
    subprocess.run(["minisign", "-V", "-q", "-p", tmp_path / "one.pub", "-m", sums], check=True)
