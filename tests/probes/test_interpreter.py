"""The target's interpreter is described by itself, its wheel tags by us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import packaging.tags
import pytest

from envfreeze.observer.target import examine
from envfreeze.probes import Target, _tags
from envfreeze.probes.interpreter import inspect

FACTS: dict[str, Any] = {
    "implementation": "CPython",
    "version": "3.13.0",
    "tag": "cpython",
    "soabi": "cpython-313-x86_64-linux-gnu",
    "platform": "linux-x86_64",
    "bits": 64,
    "libc": "glibc 2.36",
    "compiler": "GCC 12.2.0",
    "build": "main",
    "config_args": "'--prefix=/opt/python' '--enable-optimizations' '--with-lto'",
    "executable": "/opt/python/bin/python3",
    "prefix": "/opt/python",
    "base_prefix": "/opt/python",
    "pyvenv": None,
    "conda_meta": False,
}


def described(**changes: Any) -> Any:
    facts = {"interpreter": FACTS | changes, "distributions": []}
    target = Target(executable="python", directory="/", environment={}, facts=facts, project=Path("/nowhere"))
    return inspect(target).value


def test_tags_are_those_of_packaging_for_the_same_interpreter() -> None:
    facts = examine(sys.executable, os.environ, Path.cwd())
    mine = _tags.accepted(facts["interpreter"])
    theirs = list(packaging.tags.sys_tags())
    assert set(mine) == set(theirs)
    # Releases of packaging differ in where they put the tag without a C library.
    plain = facts["interpreter"]["platform"].replace("-", "_")
    assert [tag for tag in mine if tag.platform != plain] == [tag for tag in theirs if tag.platform != plain]


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "cp313-cp313-manylinux_2_36_x86_64"),
        ({"soabi": "cpython-313t-x86_64-linux-gnu"}, "cp313-cp313t-manylinux_2_36_x86_64"),
        ({"libc": "musl 1.2.4"}, "cp313-cp313-musllinux_1_2_x86_64"),
        ({"libc": ""}, "cp313-cp313-linux_x86_64"),
        ({"bits": 32}, "cp313-cp313-manylinux_2_36_i686"),
        (
            {"tag": "pypy", "soabi": "pypy310-pp73", "version": "3.10.14"},
            "pp310-pypy310_pp73-manylinux_2_36_x86_64",
        ),
    ],
)
def test_best_tag(changes: dict[str, Any], first: str) -> None:
    assert described(**changes).tags[0] == first
    assert len(described(**changes).tags) <= 3


def test_old_manylinux_names_follow_their_new_ones() -> None:
    tags = [str(tag) for tag in _tags.accepted(FACTS)]
    new = tags.index("cp313-cp313-manylinux_2_17_x86_64")
    assert tags[new + 1] == "cp313-cp313-manylinux2014_x86_64"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "other"),
        ({"base_prefix": "/usr"}, "system"),
        ({"base_prefix": "/home/me/.pyenv/versions/3.13.0"}, "pyenv"),
        ({"base_prefix": "/home/me/.local/share/uv/python/cpython-3.13.0-linux-x86_64-gnu"}, "uv"),
        ({"pyvenv": "home = /usr/bin\nuv = 0.4\n"}, "uv"),
        ({"pyvenv": "home = /usr/bin\n"}, "venv"),
        ({"conda_meta": True}, "conda"),
    ],
)
def test_kind(changes: dict[str, Any], kind: str) -> None:
    assert described(**changes).kind == kind


def test_flags_name_no_folder_of_the_machine() -> None:
    assert described().flags == ("--enable-optimizations", "--with-lto")


def test_real_virtual_environment_with_system_packages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", tmp_path], check=True
    )
    python = str(tmp_path / "bin" / "python")
    facts = examine(python, os.environ, tmp_path)
    target = Target(executable=python, directory=str(tmp_path), environment={}, facts=facts, project=tmp_path)
    value = inspect(target).value
    assert (value.kind, value.prefix, value.executable) == ("venv", str(tmp_path), python)
    assert value.system_site_packages
    assert value.base_prefix == sys.base_prefix
