"""requirements.txt from a lock, also from a hostile one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import InputError
from envfreeze.recipe.requirements import requirements
from envfreeze.records.environment import Interpreter, Package, PipConfiguration
from envfreeze.records.lock import Lock

A, B = "a" * 64, "b" * 64


def lock(*packages: Package, pip: PipConfiguration | None = None) -> Lock:
    interpreter = Interpreter(implementation="CPython", version="3.11.7")
    return Lock(envfreeze_lock=1, interpreter=interpreter, packages=packages, pip=pip or PipConfiguration())


def package(name: str, version: str = "1.0", **more: object) -> Package:
    settings: dict[str, object] = {
        "source": "index",
        "sha256": A,
        "file": f"{name}-{version}-py3-none-any.whl",
    }
    return Package(name=name, version=version, **(settings | more))  # type: ignore[arg-type]


def lines(*packages: Package, **more: PipConfiguration) -> list[str]:
    text = requirements(lock(*packages, **more)).text
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_sorted_and_hashed() -> None:
    assert lines(package("zlib_ng"), package("Alpha", "2.0+cpu")) == [
        f"alpha==2.0+cpu --hash=sha256:{A}",
        f"zlib-ng==1.0 --hash=sha256:{A}",
    ]


def test_installers_of_others_are_left_out_and_libraries_stay() -> None:
    assert lines(package("pip"), package("setuptools")) == [f"setuptools==1.0 --hash=sha256:{A}"]


def test_vendored_wheel_is_listed() -> None:
    made = requirements(lock(package("x", "1+cpu", source="local", vendored=True, sha256=B)))
    assert [(wheel.file, wheel.sha256) for wheel in made.wheels] == [("x-1+cpu-py3-none-any.whl", B)]
    assert f"x==1+cpu --hash=sha256:{B}" in made.text


def test_no_index_is_told_the_names_of_packages_that_all_travel_along() -> None:
    own = package("x", "1+cpu", source="local", vendored=True)
    assert lines(own)[0] == "--no-index"
    assert "--no-index" not in lines(own, package("y"))
    built = package("z", source="local", vendored=True, file="z-1.0.tar.gz")
    assert "--no-index" not in lines(built), "what it is built with comes from an index"
    assert lines() == []


def test_url_is_taken_without_credentials() -> None:
    found = lines(package("x", source="url", url="https://u:p@example.org/x-1.0-py3-none-any.whl"))
    assert found == [f"x @ https://example.org/x-1.0-py3-none-any.whl --hash=sha256:{A}"]


def test_source_distribution_needs_building() -> None:
    assert requirements(lock(package("x", file="x-1.0.tar.gz"))).built == ("x",)


def test_default_index_needs_no_option_and_others_do() -> None:
    private = package("b", index="https://u:p@pkgs.example.org/simple")
    assert lines(package("a"), private)[0] == "--extra-index-url https://pkgs.example.org/simple"
    assert lines(private)[0] == "--index-url https://pkgs.example.org/simple"


def test_index_that_nothing_came_from_is_not_asked() -> None:
    pip = PipConfiguration(extra_indexes=("https://unused.example.org",))
    assert "unused" not in "".join(lines(package("a"), pip=pip))


def test_all_that_cannot_be_installed_are_named() -> None:
    bad = (
        package("gone", sha256=None),
        package("cond", source="conda"),
        package("edit", source="editable"),
        package("dir", source="find-links", url="file:///wheels/x.whl"),
        package("loc", index="file:///simple"),
    )
    with pytest.raises(InputError) as raised:
        requirements(lock(package("fine"), *bad))
    assert all(item.name in str(raised.value) for item in bad)
    assert "fine" not in str(raised.value)
    assert raised.value.hint


def test_of_many_that_cannot_be_installed_a_few_are_named() -> None:
    with pytest.raises(InputError) as raised:
        requirements(lock(*[package(f"p{number:02}", sha256=None) for number in range(60)]))
    assert "p00 1.0, p01 1.0" in str(raised.value) and "and 55 more" in str(raised.value)
    assert len(str(raised.value)) < 300


LINE = re.compile(
    r"[a-z0-9-]+(==[A-Za-z0-9.!+]+| @ https?://[^\s#$\\]+) --hash=sha256:[0-9a-f]{64}"
    r"|--(extra-)?index-url https?://[^\s#$\\]+|--no-index|#.*"
)
hostile = st.text() | st.sampled_from(
    [
        "x\n--index-url https://evil",
        "x --index-url=y",
        "x;os_name",
        "x[a]",
        "1.0 --hash=sha256:0",
        "1.0\\",
        "https://e/a b",
        "https://e/${HOME}",
        "https://e/x#egg=y",
        "https://e/\nx",
        "-r /etc/passwd",
        "x\u2028y",
    ]
)
sources = st.sampled_from(["index", "find-links", "url", "vcs", "local", "editable", "conda", "unknown"])
packages = st.builds(
    Package,
    name=hostile | st.just("x"),
    version=hostile | st.just("1.0"),
    source=sources,
    file=st.none() | hostile | st.just("x-1.0-py3-none-any.whl"),
    sha256=st.none() | st.just(A) | hostile,
    url=st.none() | hostile | st.just("https://e/x.whl"),
    index=st.none() | hostile,
    vendored=st.booleans(),
)


@given(packages)
def test_no_package_can_say_more_than_one_requirement(package: Package) -> None:
    try:
        made = requirements(lock(package))
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert all(LINE.fullmatch(line) for line in made.text.split("\n")[:-1]), made.text
    assert all(re.fullmatch(r"[A-Za-z0-9._+!-]+", wheel.file) for wheel in made.wheels)
