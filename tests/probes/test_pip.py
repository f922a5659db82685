"""pip's configuration is merged as pip does it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from envfreeze.probes import Target, pip
from envfreeze.probes.pip import configuration, inspect


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of a machine with nothing configured."""
    monkeypatch.setattr(pip, "_OF_ALL_USERS", tmp_path / "etc" / "pip.conf")
    for name in ("xdg/pip", "home/.pip", "home/.config/pip", "prefix"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def target(machine: Path, **variables: str) -> Target:
    environment = {"HOME": f"{machine}/home", "XDG_CONFIG_DIRS": f"{machine}/xdg", **variables}
    return Target(
        executable="python",
        directory=str(machine),
        environment=environment,
        facts={"interpreter": {"prefix": f"{machine}/prefix"}},
        project=machine,
    )


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_nothing_configured(machine: Path) -> None:
    value = inspect(target(machine)).value
    assert value.index is None and value.extra_indexes == () and not value.no_index


def test_later_files_and_sections_and_variables_win(machine: Path) -> None:
    write(machine / "xdg/pip/pip.conf", "[global]\nindex-url = https://a/simple\nfind-links = /a /b\n")
    write(machine / "home/.pip/pip.conf", "[global]\nindex_url = https://b/simple\n[install]\ntimeout = 7\n")
    write(machine / "home/.config/pip/pip.conf", "[install]\nindex-url = https://c/simple/\n")
    write(machine / "prefix/pip.conf", "[global]\nindex-url = https://d/simple\ntimeout = 9\n")
    assert configuration(target(machine)).index == "https://c/simple"
    assert configuration(target(machine)).timeout == 7
    found = configuration(
        target(machine, PIP_INDEX_URL="https://e/simple", PIP_EXTRA_INDEX_URL="https://f https://g")
    )
    assert found.index == "https://e/simple"
    assert found.extra_indexes == ("https://f", "https://g")
    assert found.find_links == ("/a", "/b")
    assert [Path(path).parent.name for path in found.files if path.startswith(str(machine))] == [
        "pip",
        ".pip",
        "pip",
        "prefix",
    ]


def test_a_named_file_hides_the_users(machine: Path) -> None:
    write(machine / "home/.config/pip/pip.conf", "[global]\nfind-links = /user\nno-index = true\n")
    named = write(machine / "named.conf", "[global]\nindex-url = https://a/simple\n")
    found = configuration(target(machine, PIP_CONFIG_FILE=named))
    assert (found.index, found.find_links, found.no_index) == ("https://a/simple", (), False)


def test_no_files_at_all(machine: Path) -> None:
    write(machine / "home/.config/pip/pip.conf", "[global]\nfind-links = /user\n")
    assert configuration(target(machine, PIP_CONFIG_FILE=os.devnull)).files == ()


def test_same_as_pip_itself(machine: Path) -> None:
    indexes = "extra-index-url =\n  https://a/simple\n  https://b/simple\n"
    options = f"[install]\nno-index = yes\nfind-links = /links\n{indexes}"
    write(machine / "home/.config/pip/pip.conf", options)
    ours = target(machine, PIP_CONSTRAINT="/constraints.txt")
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=ours.environment | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = configuration(ours)
    for line in (
        "install.no-index='yes'",
        "install.find-links='/links'",
        ":env:.constraint='/constraints.txt'",
    ):
        assert line in said
    assert found.no_index and found.find_links == ("/links",) and found.constraints == ("/constraints.txt",)
    assert found.extra_indexes == ("https://a/simple", "https://b/simple")


def test_credentials_stay_out_of_the_record(machine: Path) -> None:
    secret = "https://user:s3cret@example.org/simple"
    ours = target(machine, PIP_INDEX_URL=secret, PIP_EXTRA_INDEX_URL=secret, PIP_FIND_LINKS=secret)
    assert configuration(ours).index == secret
    section = inspect(ours)
    assert section.value.index == "https://example.org/simple"
    assert b"s3cret" not in msgspec.json.encode(section)


def test_unreadable_file_is_a_gap(machine: Path) -> None:
    path = write(machine / "prefix/pip.conf", "index-url = https://a/simple\n")
    (gap,) = inspect(target(machine)).gaps
    assert path in gap.what


def test_authorities_of_the_host(machine: Path) -> None:
    bundle = write(machine / "ca.pem", "")
    gone = str(machine / "gone.pem")
    assert (
        configuration(target(machine, REQUESTS_CA_BUNDLE=gone, SSL_CERT_FILE=bundle)).certificates == bundle
    )
    write(machine / "prefix/pip.conf", f"[global]\ncert = {bundle}\n")
    assert configuration(target(machine)).certificates == bundle
