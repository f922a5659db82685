"""Patterns, variables, names of secrets, and the reading of reports."""

from __future__ import annotations

import json

import pytest

from envfreeze.observer.environment import split
from envfreeze.observer.events import Events, _with_images, read_events, source_of
from envfreeze.observer.outputs import matches, normalized
from envfreeze.observer.sensitive import looks_secret
from envfreeze.observer.shim_log import Image


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.json", "a.json", True),
        ("*.json", "sub/a.json", False),
        ("**/*.json", "a.json", True),
        ("**/*.json", "x/y/a.json", True),
        ("out", "out/x/y", True),
        ("out/**", "out/x/y", True),
        ("out", "output", False),
        ("out/*/m?.csv", "out/1/m1.csv", True),
        ("out/*/m?.csv", "out/1/2/m1.csv", False),
        ("run[0-2]", "run1", True),
        ("run[!0-2]", "run1", False),
        ("run[!0-2]", "run/", False),
        ("a[", "a[", True),
        ("a[z-a]", "a[z-a]", True),
        ("a+(b).txt", "a+(b).txt", True),
        ("/data/*.csv", "/data/x.csv", True),
        ("/data/*.csv", "inside.csv", True),
        ("*.csv", "/data/x.csv", False),
    ],
)
def test_patterns(pattern, path, expected):
    assert matches(path, [pattern]) is expected


def test_patterns_are_taken_relative_to_the_project(tmp_path):
    project = tmp_path / "project"
    patterns = ["out/", "./a.txt", str(project / "b.txt"), "../c.txt", "."]
    assert normalized(patterns, project) == ("out", "a.txt", "b.txt", str(tmp_path / "c.txt"), "**")


def test_variables():
    values, names = split(
        {
            "OMP_NUM_THREADS": "2",
            "LC_ALL": "C",
            "PYTHONHASHSEED": "0",
            "TORCH_LOGS": "https://user:secret@host/x",
            "TF_VAR_db": "hidden",
            "NVIDIA_API_KEY": "hidden",
            "HOME": "/home",
            "ENVFREEZE_AGENT": "/x",
            "TZ": "UTC",
        }
    )
    assert values == {
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "2",
        "PYTHONHASHSEED": "0",
        "TORCH_LOGS": "https://host/x",
        "TZ": "UTC",
    }
    assert names == ("HOME", "NVIDIA_API_KEY", "TF_VAR_db")


@pytest.mark.parametrize(
    "name", [".env", "a/.env.local", "id_rsa", "x.pem", "credentials.json", ".netrc", "tls.key"]
)
def test_names_of_secrets(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", [".env.example", "environment.py", "keys.csv", "id_rsa.pub", "model.keyed"])
def test_names_that_are_none(name):
    assert not looks_secret(name)


def test_sources_of_compiled_modules():
    assert source_of("/a/__pycache__/m.cpython-311.opt-1.pyc") == "/a/m.py"
    assert source_of("/cache/a/m.cpython-311.pyc", "/cache") == "/a/m.py"
    assert source_of("/a/m.pyc") == "/a/m.pyc"


def test_damaged_and_hostile_reports_are_passed_over(tmp_path):
    lines = [
        json.dumps({"executable": "/p", "pid": 1, "unknown": 1}),
        json.dumps(["r", 5, "/a"]),
        '["r", 4, "/b',
        "[" * 100000,
        json.dumps(["r", "x", "/c"]),
        json.dumps(["p", 1, 2, 3]),
        json.dumps({"libraries": 1, "numerics": "x", "errors": "many"}),
    ]
    (tmp_path / "1-1.events").write_text("\n".join(lines))
    (tmp_path / "2-2.events").write_bytes(b"\xff\x00garbage")
    (tmp_path / "3-3.events").write_text('{"executable": 3}\n["w", 1, "/d"]\n')
    events = read_events(tmp_path)
    assert events.read == {"/a": 5}
    assert events.written == {"/d": 1}
    assert events.processes[0].executable == "/p"


def test_devices_of_gpus_are_no_files_and_asking_for_them_is_no_use():
    mapped = ("/usr/lib/libcuda.so.1", "/usr/lib/libm.so.6", "/dev/nvidia0")
    images = [
        Image(program=program, libraries=mapped) for program in ("/usr/bin/nvidia-smi", "/v/bin/python")
    ]
    asked = _with_images(Events(), images[:1], frozenset())
    assert asked.libraries == ()
    used = _with_images(Events(), images, frozenset())
    assert set(used.libraries) == set(mapped)
    assert set(used.read) == set(mapped) - {"/dev/nvidia0"}
