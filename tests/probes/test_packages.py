"""Each installed distribution gets the file that installs the same again."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from envfreeze.files import sha256
from envfreeze.probes import Section, Target
from envfreeze.probes.packages import inspect
from envfreeze.records.environment import Package
from envfreeze.store import Store


def only(section: Section, name: str) -> Package:
    (package,) = [package for package in section.value if package.name == name]
    return package


def vendored(target: Target, package: Package, folder: Path) -> Path:
    """The stored wheel under its own name, as the build context gets it."""
    assert package.vendored and package.file and package.sha256
    folder.mkdir(exist_ok=True)
    path = folder / package.file
    path.write_bytes(Store(target.project).verified(package.sha256, what=package.file).read_bytes())
    return path


def test_index_file_is_the_one_with_the_installed_tags(environment: Any, index: Any, make_wheel: Any) -> None:
    wheel = make_wheel(index.root / "tiny", "tiny")
    make_wheel(index.root / "tiny", "tiny", tag="py2-none-any")
    make_wheel(index.root / "tiny", "tiny", "1.1")
    environment.install(wheel)
    (environment.packages / "tiny-1.0.dist-info" / "direct_url.json").unlink()
    section = inspect(environment.target(**index.variables()))
    assert only(section, "tiny") == Package(
        name="tiny",
        version="1.0",
        source="index",
        file="tiny-1.0-py3-none-any.whl",
        sha256=sha256(wheel),
        url=f"{index.url}/tiny/{wheel.name}",
        index=index.url,
        proof="proved",
        installer="uv",
    )
    assert section.gaps == ()


@pytest.mark.parametrize(
    ("installed", "spelled"), [("2020.6.20", "2020.06.20"), ("1.0.0", "1.0"), ("1.0rc1", "1.0.rc1")]
)
def test_index_spells_the_version_in_another_way(
    environment: Any, index: Any, make_wheel: Any, installed: str, spelled: str
) -> None:
    from_nowhere(environment, make_wheel(index.root.parent, "tiny", installed))
    make_wheel(index.root / "tiny", "tiny", "1.2020")
    wheel = make_wheel(index.root / "tiny", "tiny", spelled)
    target = msgspec.structs.replace(environment.target(**index.variables()), prove=False)
    assert only(inspect(target), "tiny").file == wheel.name


def from_nowhere(environment: Any, wheel: Path) -> None:
    """Install as from an index: without direct_url.json."""
    environment.install(wheel)
    name, version = wheel.name.split("-")[:2]
    (environment.packages / f"{name}-{version}.dist-info" / "direct_url.json").unlink()


def test_build_number_tells_two_wheels_apart(environment: Any, index: Any, make_wheel: Any) -> None:
    make_wheel(index.root / "tiny", "tiny", mark="first")
    second = make_wheel(index.root / "tiny", "tiny", build="2", mark="second")
    from_nowhere(environment, second)
    package = only(inspect(environment.target(**index.variables())), "tiny")
    assert (package.file, package.sha256) == (second.name, sha256(second))


def test_second_freeze_asks_no_index(environment: Any, index: Any, make_wheel: Any) -> None:
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny"))
    first = inspect(environment.target(**index.variables()))
    index.asked.clear()
    assert inspect(environment.target(**index.variables())) == first
    assert inspect(environment.target(**index.variables(), offline=True)) == first
    assert index.asked == []


def test_credentials_are_used_and_never_returned(environment: Any, index: Any, make_wheel: Any) -> None:
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny"))
    index.password = "s3cret"
    url = index.url.replace("http://", "http://user:s3cret@")
    section = inspect(environment.target(PIP_INDEX_URL=url, PIP_NO_INDEX="0"))
    package = only(section, "tiny")
    assert (package.source, package.index) == ("index", index.url)
    assert b"s3cret" not in msgspec.json.encode(section)


@pytest.mark.parametrize("status", [401, 503])
def test_index_that_fails_leaves_one_gap(environment: Any, index: Any, make_wheel: Any, status: int) -> None:
    for name in ("tiny", "small"):
        from_nowhere(environment, make_wheel(index.root / name, name))
    index.status = status
    section = inspect(environment.target(**index.variables()))
    assert {(package.source, package.proof) for package in section.value} == {("local", "unproved")}
    (gap,) = section.gaps
    assert gap.what == "proof that the files of 2 packages (small, tiny) are the installed ones"
    assert f"{index.url} could not be asked: it answered {status}" in gap.why


def test_offline_without_an_answer_on_disk(environment: Any, index: Any, make_wheel: Any) -> None:
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny"))
    section = inspect(environment.target(**index.variables(), offline=True))
    package = only(section, "tiny")
    assert (package.source, package.vendored, package.proof) == ("local", True, "unproved")
    assert "offline" in section.gaps[0].why
    assert index.asked == []


def test_wheel_made_offline_installs_the_same(
    environment: Any, index: Any, make_wheel: Any, make_environment: Any, tmp_path: Path
) -> None:
    points = {"tiny-1.0.dist-info/entry_points.txt": "[console_scripts]\ntiny = tiny:main\n"}
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny", files=points, mark="as installed"))
    target = environment.target(**index.variables(), offline=True)
    wheel = vendored(target, only(inspect(target), "tiny"), tmp_path / "context")
    other = make_environment("other")
    other.install("--offline", wheel)
    assert (other.packages / "tiny.py").read_bytes() == (environment.packages / "tiny.py").read_bytes()
    assert (other.folder / "bin" / "tiny").is_file()


@pytest.mark.parametrize("remove", [False, True])
def test_edited_package_offline_is_kept_as_it_is(
    environment: Any, index: Any, make_wheel: Any, tmp_path: Path, remove: bool
) -> None:
    from_nowhere(environment, make_wheel(index.root / "tiny", "tiny", files={"more.py": "MORE = 1\n"}))
    if remove:
        (environment.packages / "more.py").unlink()
    else:
        (environment.packages / "more.py").write_text("EDITED = 1\n")
    target = environment.target(**index.variables(), offline=True)
    package = only(inspect(target), "tiny")
    assert (package.proof, package.modified) == ("modified", ("more.py (removed)" if remove else "more.py",))
    with zipfile.ZipFile(vendored(target, package, tmp_path / "context")) as wheel:
        kept = {name: wheel.read(name) for name in wheel.namelist()}
    assert kept.get("more.py") == (None if remove else b"EDITED = 1\n")


def test_more_than_the_limit_is_not_copied(environment: Any, index: Any, make_wheel: Any) -> None:
    for name in ("small", "tiny"):
        from_nowhere(environment, make_wheel(index.root / name, name, files={f"{name}_data": "x" * 600}))
    target = environment.target(**index.variables(), offline=True)
    target = msgspec.structs.replace(target, vendor_limit=1500)  # enough for either, not for both
    section = inspect(target)
    assert {(package.source, package.vendored) for package in section.value} == {("unknown", False)}
    (gap,) = section.gaps
    assert "offline" in gap.why and "--vendor-limit" in gap.why


def test_server_that_is_not_there(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    from_nowhere(environment, make_wheel(tmp_path / "wheels", "tiny"))
    section = inspect(environment.target(PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_NO_INDEX="0"))
    assert only(section, "tiny").proof == "unproved"
    assert "http://127.0.0.1:9/simple could not be asked" in section.gaps[0].why


def test_local_version_of_a_folder_is_vendored(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "tiny", "1.0+cpu")
    make_wheel(tmp_path / "wheels", "tiny", "1.0")
    environment.install("--no-index", "--find-links", wheel.parent, "tiny==1.0+cpu")
    target = environment.target(PIP_FIND_LINKS=str(wheel.parent))
    package = only(inspect(target), "tiny")
    assert (package.source, package.file, package.url) == (
        "find-links",
        "tiny-1.0+cpu-py3-none-any.whl",
        None,
    )
    assert sha256(vendored(target, package, tmp_path / "out")) == sha256(wheel)


def test_file_index_is_vendored(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "simple" / "tiny", "tiny")
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    from_nowhere(environment, wheel)
    url = (tmp_path / "simple").as_uri()
    package = only(inspect(environment.target(PIP_INDEX_URL=url, PIP_NO_INDEX="0")), "tiny")
    assert (package.source, package.vendored, package.sha256) == ("find-links", True, sha256(wheel))


def test_same_file_on_index_and_in_a_folder_is_not_vendored(
    environment: Any, index: Any, make_wheel: Any, tmp_path: Path
) -> None:
    make_wheel(index.root / "tiny", "tiny")
    wheel = make_wheel(tmp_path / "wheels", "tiny")
    (index.root / "tiny" / wheel.name).write_bytes(wheel.read_bytes())
    from_nowhere(environment, wheel)
    target = environment.target(PIP_FIND_LINKS=str(wheel.parent), **index.variables())
    package = only(inspect(target), "tiny")
    assert (package.source, package.vendored) == ("index", False)


@pytest.mark.parametrize("installed", ["mine", "theirs"])
def test_record_decides_between_two_files_of_one_name(
    environment: Any, index: Any, make_wheel: Any, tmp_path: Path, installed: str
) -> None:
    files = {
        "theirs": make_wheel(index.root / "tiny", "tiny", mark="theirs"),
        "mine": make_wheel(tmp_path / "wheels", "tiny", mark="mine"),
    }
    from_nowhere(environment, files[installed])
    target = environment.target(PIP_FIND_LINKS=str(tmp_path / "wheels"), **index.variables())
    package = only(inspect(target), "tiny")
    assert package.sha256 == sha256(files[installed])
    assert package.vendored == (installed == "mine")


def test_renamed_wheel_is_proven_by_its_record(environment: Any, index: Any, make_wheel: Any) -> None:
    renamed = make_wheel(index.root / "tiny", "tiny", tag="py3-none-linux_x86_64", file_tag="py3-none-any")
    make_wheel(index.root / "tiny", "tiny", tag="py2.py3-none-any", mark="another")
    from_nowhere(environment, renamed)
    section = inspect(environment.target(**index.variables()))
    assert only(section, "tiny").sha256 == sha256(renamed)
    assert section.gaps == ()


def test_wheel_built_here_of_a_source_release(environment: Any, index: Any, make_wheel: Any) -> None:
    here = make_wheel(index.root.parent / "wheels", "tiny", tag="py3-none-linux_x86_64", mark="built here")
    make_wheel(index.root / "tiny", "tiny", mark="not this")
    (index.root / "tiny" / "tiny-1.0.tar.gz").write_bytes(b"source")
    from_nowhere(environment, here)
    section = inspect(environment.target(**index.variables()))
    package = only(section, "tiny")
    assert (package.source, package.file, package.vendored) == ("index", here.name, True)
    assert package.url == f"{index.url}/tiny/tiny-1.0.tar.gz"
    assert (package.proof, section.gaps) == ("proved", ())


def test_source_release_without_a_list_of_the_installed_files(
    environment: Any, index: Any, make_wheel: Any
) -> None:
    from_nowhere(environment, make_wheel(index.root.parent / "wheels", "tiny"))
    make_wheel(index.root / "tiny", "tiny", "2.0")
    (index.root / "tiny" / "tiny-1.0.tar.gz").write_bytes(b"source")
    (environment.packages / "tiny-1.0.dist-info" / "RECORD").unlink()
    section = inspect(environment.target(**index.variables()))
    package = only(section, "tiny")
    assert (package.source, package.file, package.vendored) == ("index", "tiny-1.0.tar.gz", False)
    assert "tiny 1.0" in section.gaps[0].what and "from source" in section.gaps[0].why


def test_archive_of_an_address(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    from_nowhere(environment, make_wheel(tmp_path, "tiny"))
    info = environment.packages / "tiny-1.0.dist-info"
    url = "https://user:s3cret@example.org/tiny-1.0-py3-none-any.whl"
    digest = "0" * 64
    (info / "direct_url.json").write_text(
        f'{{"url": "{url}", "archive_info": {{"hashes": {{"sha256": "{digest}"}}}}}}'
    )
    package = only(inspect(environment.target()), "tiny")
    public = "https://example.org/tiny-1.0-py3-none-any.whl"
    assert package == Package(
        name="tiny",
        version="1.0",
        source="url",
        file="tiny-1.0-py3-none-any.whl",
        sha256=digest,
        url=public,
        proof="unproved",
        installer="uv",
        direct_url=public,
    )


def test_wheel_given_as_a_file_is_vendored(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "tiny")
    environment.install(wheel)
    target = environment.target()
    package = only(inspect(target), "tiny")
    assert (package.source, package.sha256) == ("local", sha256(wheel))
    vendored(target, package, tmp_path / "out")


def project(folder: Path, *, build: str, layout: str) -> Path:
    """A small project with data, a script and a folder of tests."""
    root = folder / "src" if layout == "src" else folder
    (root / "mypkg" / "sub").mkdir(parents=True)
    (root / "mypkg" / "__init__.py").write_text("from mypkg.sub import VALUE\ndef main(): print(VALUE)\n")
    (root / "mypkg" / "sub" / "__init__.py").write_text("VALUE = 41\n")
    (root / "mypkg" / "data.txt").write_text("data\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text("")
    (folder / "pyproject.toml").write_text(
        f"[build-system]\nrequires = ['{build}']\n"
        f"build-backend = '{'setuptools.build_meta' if build == 'setuptools' else build + '.build'}'\n"
        "[project]\nname = 'My.Pkg'\nversion = '0.1'\n[project.scripts]\nmypkg = 'mypkg:main'\n"
        + ("[tool.setuptools]\npackages = ['mypkg', 'mypkg.sub']\n" if layout == "flat" else "")
        + "[tool.hatch.build.targets.wheel]\npackages = ['"
        + ("src/" if layout == "src" else "")
        + "mypkg']\n"
    )
    return folder


@pytest.mark.index
@pytest.mark.parametrize(
    ("build", "layout"), [("hatchling", "flat"), ("setuptools", "flat"), ("setuptools", "src")]
)
def test_editable_install_becomes_a_wheel(
    environment: Any, make_environment: Any, tmp_path: Path, build: str, layout: str
) -> None:
    environment.install("-e", project(tmp_path / "project", build=build, layout=layout))
    target = environment.target()
    section = inspect(target)
    package = only(section, "my-pkg")
    assert (package.source, package.version, section.gaps) == ("editable", "0.1", ())
    wheel = vendored(target, package, tmp_path / "out")
    names = zipfile.ZipFile(wheel).namelist()
    assert "mypkg/data.txt" in names and "mypkg/sub/__init__.py" in names
    assert not [
        name for name in names if "test" in name or name.endswith((".pth", ".pyc", "direct_url.json"))
    ]
    assert only(inspect(target), "my-pkg").sha256 == package.sha256
    other = make_environment("other")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            other.python,
            "install",
            "-q",
            "--no-index",
            "--no-deps",
            wheel,
        ],
        check=True,
    )
    assert other.run("import mypkg; mypkg.main()") == "41"
    assert subprocess.check_output([other.folder / "bin" / "mypkg"], text=True) == "41\n"


@pytest.mark.index
def test_project_installed_from_its_folder(environment: Any, make_environment: Any, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", build="hatchling", layout="src")
    environment.install(folder)
    target = environment.target()
    package = only(inspect(target), "my-pkg")
    assert (package.source, package.direct_url) == ("local", folder.as_uri())
    other = make_environment("other")
    other.install(vendored(target, package, tmp_path / "out"))
    assert other.run("import mypkg; mypkg.main()") == "41"


def test_linked_by_setup_py_develop(environment: Any, make_environment: Any, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "mypkg").mkdir(parents=True)
    (folder / "mypkg" / "__init__.py").write_text("VALUE = 41\n")
    (folder / "setup.py").write_text("")
    info = folder / "my_pkg.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: my-pkg\nVersion: 0.1\n")
    (info / "top_level.txt").write_text("mypkg\n")
    (environment.packages / "my-pkg.egg-link").write_text(f"{folder}\n.")
    (environment.packages / "easy-install.pth").write_text(f"{folder}\n")
    target = environment.target()
    package = only(inspect(target), "my-pkg")
    assert package.source == "editable"
    other = make_environment("other")
    other.install(vendored(target, package, tmp_path / "out"))
    assert other.run("import mypkg; print(mypkg.VALUE)") == "41"


def test_version_control_keeps_the_commit(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    from_nowhere(environment, make_wheel(tmp_path, "tiny"))
    (environment.packages / "tiny-1.0.dist-info" / "direct_url.json").write_text(
        '{"url": "https://token@example.org/tiny.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}'
    )
    package = only(inspect(environment.target()), "tiny")
    assert (package.source, package.vendored) == ("vcs", True)
    assert package.direct_url == "git+https://example.org/tiny.git@abc123"


def test_scripts_data_and_extension_modules_are_rebuilt(
    environment: Any, make_environment: Any, make_wheel: Any, tmp_path: Path
) -> None:
    files = {
        "tiny_c.abi3.so": "not really",
        "tiny-1.0.data/scripts/hello": "#!python\nimport tiny\nprint(tiny.VERSION)\n",
        "tiny-1.0.data/data/share/tiny/words": "words\n",
    }
    wheel = make_wheel(tmp_path / "wheels", "tiny", tag="py3-none-linux_x86_64 py3-none-any", files=files)
    renamed = wheel.rename(wheel.with_name("tiny-1.0-py3-none-any.whl"))
    from_nowhere(environment, renamed)
    target = environment.target()
    section = inspect(target)
    package = only(section, "tiny")
    assert (package.source, section.gaps) == ("local", ())
    assert package.file == "tiny-1.0-py3-none-any.linux_x86_64.whl"
    other = make_environment("other")
    other.install(vendored(target, package, tmp_path / "out"))
    assert (other.folder / "share" / "tiny" / "words").read_text() == "words\n"
    assert (other.packages / "tiny_c.abi3.so").read_text() == "not really"
    assert subprocess.check_output([other.folder / "bin" / "hello"], text=True) == "1.0\n"


def test_lost_file_is_a_gap(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    from_nowhere(environment, make_wheel(tmp_path, "tiny"))
    (environment.packages / "tiny.py").unlink()
    section = inspect(environment.target())
    assert only(section, "tiny").file is None
    assert "tiny.py belongs to it and is gone" in section.gaps[0].why


def test_conda_packages_are_left_to_conda(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    from_nowhere(environment, make_wheel(tmp_path, "tiny"))
    (environment.packages / "tiny-1.0.dist-info" / "INSTALLER").write_text("conda\n")
    assert only(inspect(environment.target()), "tiny").source == "conda"


def test_broken_distribution_is_a_gap(environment: Any, make_wheel: Any, tmp_path: Path) -> None:
    from_nowhere(environment, make_wheel(tmp_path, "tiny"))
    (environment.packages / "broken-1.dist-info").mkdir()
    (environment.packages / "broken-1.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00nothing")
    section = inspect(environment.target())
    assert [package.name for package in section.value] == ["tiny"]
    assert "broken-1.dist-info" in section.gaps[0].what


@pytest.mark.index
def test_real_index(environment: Any) -> None:
    environment.install("six==1.16.0")
    del environment.variables["PIP_NO_INDEX"], environment.variables["PIP_CONFIG_FILE"]
    package = only(inspect(environment.target()), "six")
    assert package.file == "six-1.16.0-py2.py3-none-any.whl"
    assert package.sha256 == "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"
    assert (package.source, package.index, package.vendored) == ("index", None, False)


@pytest.mark.parametrize(
    "origin",
    ["[]", '{"archive_info": [], "url": 3}', '{"vcs_info": [1], "url": "x"}', '{"dir_info": 1}', "{"],
)
def test_odd_origin_does_not_cost_the_other_packages(
    environment: Any, make_wheel: Any, tmp_path: Path, origin: str
) -> None:
    for name in ("tiny", "small"):
        from_nowhere(environment, make_wheel(tmp_path, name))
    (environment.packages / "tiny-1.0.dist-info" / "direct_url.json").write_text(origin)
    section = inspect(environment.target())
    assert [package.name for package in section.value] == ["small", "tiny"]
    assert only(section, "small").vendored


@pytest.mark.parametrize(
    ("name", "version"), [("../../tiny", "1.0"), ("tiny", "../../../1.0"), ("tiny", "1/0")]
)
def test_hostile_names_become_no_paths(environment: Any, tmp_path: Path, name: str, version: str) -> None:
    info = environment.packages / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (environment.packages / "tiny.py").write_text("")
    (info / "RECORD").write_text("tiny.py,,\n../../../../../outside,,\n")
    section = inspect(environment.target())
    (package,) = section.value
    assert package.file is None and not package.vendored
    assert "no wheel could be made of it" in section.gaps[0].why
