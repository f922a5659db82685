"""What a build is lent of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from envfreeze.engines._docker_secrets import has_own_index, write_secrets
from envfreeze.probes.pip import Configuration


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "netrc"
    path.write_text(
        "machine pkgs.example.org login me password s3cret\nmachine other.org login a password b\n"
    )
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


def secrets(folder: Path, pip: Configuration, requirements: str = "") -> dict[str, str]:
    return {name: path.read_text() for name, path in write_secrets(folder, requirements, pip).items()}


def test_only_hosts_that_are_asked_get_credentials(tmp_path: Path, netrc: None) -> None:
    pip = Configuration(extra_indexes=("https://u:p%40ss@private.example.org/simple",))
    found = secrets(tmp_path, pip, "--extra-index-url https://pkgs.example.org/simple\n")
    assert found["envfreeze-netrc"].splitlines() == [
        "machine pkgs.example.org login me password s3cret",
        "machine private.example.org login u password p@ss",
    ]


def test_bundle_of_pip_is_lent(tmp_path: Path, netrc: None) -> None:
    bundle = tmp_path / "company.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    found = secrets(tmp_path, Configuration(certificates=str(bundle)))
    assert found["envfreeze-ca"] == bundle.read_text()
    assert "cert = /run/secrets/envfreeze-ca" in found["envfreeze-pip-conf"]


def test_folders_of_this_machine_are_not_lent(tmp_path: Path, netrc: None) -> None:
    pip = Configuration(extra_indexes=("file:///srv/simple",), find_links=("/srv/wheels",))
    assert "/srv" not in secrets(tmp_path, pip)["envfreeze-pip-conf"]
    assert not has_own_index(pip)


def test_own_index_is_lent(tmp_path: Path, netrc: None) -> None:
    pip = Configuration(index="https://mirror.example.org/simple", trusted_hosts=("mirror.example.org",))
    text = secrets(tmp_path, pip)["envfreeze-pip-conf"]
    assert "index-url = https://mirror.example.org/simple" in text
    assert "trusted-host = mirror.example.org" in text
    assert has_own_index(pip)


def test_files_are_private(tmp_path: Path, netrc: None) -> None:
    for path in write_secrets(tmp_path, "", Configuration()).values():
        assert path.stat().st_mode & 0o077 == 0


def test_a_strangers_build_gets_authorities_and_no_credentials(tmp_path: Path, netrc: None) -> None:
    """Its base image and its source distributions run with a network, and can read what pip can."""
    bundle = tmp_path / "company.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    pip = Configuration(
        index="https://u:topsecret@private.example.org/simple",
        extra_indexes=("https://u:topsecret@pkgs.example.org/simple",),
        certificates=str(bundle),
    )
    made = write_secrets(tmp_path, "--extra-index-url https://pkgs.example.org/simple\n", pip, stranger=True)
    assert set(made) == {"envfreeze-ca", "envfreeze-pip-conf"}
    text = made["envfreeze-pip-conf"].read_text()
    assert "topsecret" not in text and "s3cret" not in text
    assert "index-url = https://private.example.org/simple" in text
