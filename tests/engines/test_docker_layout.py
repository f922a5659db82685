"""Which folders become volumes."""

from __future__ import annotations

import pytest

from envfreeze.engines._docker_layout import layout
from envfreeze.records.files import FileEntry
from envfreeze.records.run import Job


def job(project: str, directory: str | None = None, *paths: str, writable: tuple[str, ...] = ()) -> Job:
    files = tuple(FileEntry(path=path, sha256="0" * 64) for path in paths)
    return Job(
        command=("x",), directory=directory or project, project=project, files=files, writable=writable
    )


@pytest.mark.parametrize(
    "project", ["/home/a/x", "/opt/x", "/data", "/etc/x", "/usr/src/app", "/mnt", "/srv/x"]
)
def test_usual_places_are_kept(project: str) -> None:
    place = layout(job(project, None, "a/b"))
    assert place.project == place.directory == project
    assert place.volumes == place.folders == (project,)
    assert place.files.keys() == {f"{project}/a/b"}
    assert place.notes == ()


@pytest.mark.parametrize(
    "project",
    ["/", "/usr", "/usr/local", "/usr/local/lib/x", "/etc", "/proc/1", "/dev", "/bin/x", "/var", "/run"],
)
def test_places_of_the_system_are_not(project: str) -> None:
    place = layout(job(project, f"{project.rstrip('/')}/sub", "a"))
    assert place.project == "/workspace"
    assert place.directory == "/workspace/sub"
    assert place.files.keys() == {"/workspace/a"}
    assert project in place.notes[0]


def test_root_is_opened_by_a_volume() -> None:
    place = layout(job("/root/work/x"))
    assert place.volumes == ("/root",)
    assert place.folders == ("/root/work/x",)


def test_temporary_folder_gives_way_to_files_in_it() -> None:
    assert layout(job("/w")).temporary == ("/tmp",)
    assert layout(job("/tmp/x")).temporary == ("/tmp",)
    assert layout(job("/w", None, "/tmp/data.csv")).temporary == ()


def test_files_of_the_system_are_left_to_the_image() -> None:
    place = layout(job("/w", None, "/etc/passwd", "/usr/share/x/y", "/data/in"))
    assert place.files.keys() == {"/data/in"}
    assert "/etc/passwd" in place.notes[0]


def test_directory_elsewhere_is_writable() -> None:
    assert layout(job("/home/a/x", "/home/b")).folders == ("/home/a/x", "/home/b")
    assert "cannot be written" in layout(job("/w", "/usr/share")).notes[0]
