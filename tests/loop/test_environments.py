"""Environments as people have them: each is frozen, its machine is left, and the replay is identical."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from envfreeze.engines._docker_build import buildkit_client

from . import _packages
from .conftest import ENGINES, ROOT, Result, at_the_same_path, run


def leave(folder: Path, *environments: Path, to: Path) -> Path:
    """The reviewer's folder: what was frozen, while the project and its environments are gone."""
    to.mkdir(parents=True)
    for name in ("envfreeze.lock", ".envfreeze", "Dockerfile"):
        shutil.move(folder / name, to / name)
    for gone in (folder, *environments):
        shutil.rmtree(gone)
    return to


def freeze(
    folder: Path, *command: str, path: Path, offline: bool = True, options: tuple[str, ...] = ()
) -> Result:
    words = ["freeze", *(["--offline"] if offline else []), *options, "--", *command]
    done = run(*words, cwd=folder, path=[path])
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def replay(reviewer: Path, engine: str, *options: str, overall: str = "identical") -> dict[str, str]:
    """Verdicts by output; the run as a whole must be identical, or as good as ``overall`` says."""
    done = run("replay", "--engine", engine, "--json", *options, cwd=reviewer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.json["verdict"] == overall, done.stdout
    return {output["path"]: output["verdict"] for output in done.json["outputs"] if output["counts"]}


def write(path: Path, text: str, *, executable: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if executable:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "author" / "project"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The ``bin`` folder of an environment without any package, for one test alone."""
    return _packages.make_environment(tmp_path / "venv")


# A package from the index


@pytest.fixture(scope="session")
def frozen_with_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("index")
    environment = _packages.make_environment_with_pip(base / "venv", "six==1.16.0")
    project = base / "project"
    code = "import six\nopen('made.txt', 'w').write(six.__version__)\nprint(six.ensure_str(b'six'))\n"
    write(project / "train.py", code)
    freeze(project, "python", "train.py", path=environment, offline=False)
    return leave(project, base / "venv", to=base / "reviewer")


@pytest.mark.index
@pytest.mark.parametrize("engine", ENGINES)
def test_a_package_of_the_index(frozen_with_index: Path, tmp_path: Path, engine: str) -> None:
    reviewer = Path(shutil.copytree(frozen_with_index, tmp_path / "reviewer"))
    assert replay(reviewer, engine) == dict.fromkeys(["<exit status>", "<stdout>", "made.txt"], "identical")
    packages = yaml.safe_load((reviewer / "envfreeze.lock").read_text())["packages"]
    six = next(package for package in packages if package["name"] == "six")
    assert six["file"] == "six-1.16.0-py2.py3-none-any.whl"
    assert not six.get("vendored", False), "what an index has need not be carried along"


# An editable install


@pytest.fixture(scope="session")
def frozen_tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of an editable install is the command; the package lies outside of the project."""
    base = tmp_path_factory.mktemp("editable")
    source = _packages.make_tool_project(base / "source", "setuptools.build_meta")
    environment = _packages.make_environment_with_uv(base / "venv", "-e", source)
    project = base / "project"
    project.mkdir()
    done = freeze(project, "mytool", "4", path=environment, offline=False)
    assert done.stdout == "scaled 10.0\n"
    return leave(project, base / "venv", source, to=base / "reviewer")


@pytest.mark.index
@pytest.mark.parametrize("engine", ENGINES)
def test_the_console_script_of_an_editable_install(frozen_tool: Path, tmp_path: Path, engine: str) -> None:
    reviewer = Path(shutil.copytree(frozen_tool, tmp_path / "reviewer"))
    assert replay(reviewer, engine)["scaled.txt"] == "identical"


@pytest.fixture(scope="session")
def frozen_own_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project itself is what is installed in its environment, and one of its scripts is run."""
    base = tmp_path_factory.mktemp("own")
    project = _packages.make_tool_project(base / "project", "hatchling.build")
    environment = _packages.make_environment_with_pip(base / "venv", "-e", project)
    write(project / "train.py", "import mytool\nopen('made.txt', 'w').write(str(mytool.scale(2)))\n")
    freeze(project, "python", "train.py", path=environment, offline=False)
    assert (project / "made.txt").read_text() == "5.0"
    return leave(project, base / "venv", to=base / "reviewer")


@pytest.mark.index
@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_of_a_project_that_is_installed_itself(
    frozen_own_package: Path, tmp_path: Path, engine: str
) -> None:
    reviewer = Path(shutil.copytree(frozen_own_package, tmp_path / "reviewer"))
    assert replay(reviewer, engine)["made.txt"] == "identical"


# A wheel with a local version


@pytest.fixture
def frozen_with_wheel(project: Path, tmp_path: Path) -> Path:
    """The wheel lay in a folder that nothing leads to any more, as after ``pip install --find-links``."""
    files = {"fastmath.py": "VERSION = 'cpu'\n", "fastmath_data/table.txt": "zwölf\n"}
    wheels = _packages.make_wheel(tmp_path / "wheels", "fastmath", "2.1+cpu", files).parent
    environment = _packages.make_environment(tmp_path / "venv", "--find-links", wheels, "fastmath==2.1+cpu")
    code = (
        "import fastmath, importlib.metadata, pathlib\n"
        "table = pathlib.Path(fastmath.__file__).with_name('fastmath_data') / 'table.txt'\n"
        "pathlib.Path('made.txt').write_bytes(table.read_bytes())\n"
        "print(fastmath.VERSION, importlib.metadata.version('fastmath'))\n"
    )
    write(project / "train.py", code)
    done = freeze(project, "python", "train.py", path=environment)
    assert done.stdout == "cpu 2.1+cpu\n"
    return leave(project, environment.parent, wheels, to=tmp_path / "reviewer")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_local_version_from_a_folder_of_wheels(frozen_with_wheel: Path, engine: str) -> None:
    assert replay(frozen_with_wheel, engine)["made.txt"] == "identical"


@pytest.mark.engine
@pytest.mark.parametrize("buildkit", ["classic", "buildkit"])
def test_the_dockerfile_builds_by_hand_and_runs_the_command(frozen_with_wheel: Path, buildkit: str) -> None:
    """Without envfreeze: the project's files and the Dockerfile are all that is needed."""
    client = buildkit_client(os.environ["PATH"]) if buildkit == "buildkit" else shutil.which("docker")
    if client is None:
        pytest.fail(f"no client of Docker that can drive {buildkit} is on the PATH", pytrace=False)
    project, tag = frozen_with_wheel, f"envfreeze-by-hand-{buildkit}"
    lock = yaml.safe_load((project / "envfreeze.lock").read_text())
    (entry,) = lock["run"]["files"]["entries"]
    digest = entry["sha256"]
    shutil.copy(project / ".envfreeze" / "objects" / digest[:2] / digest[2:], project / entry["path"])
    variables = os.environ | {"DOCKER_BUILDKIT": "1" if buildkit == "buildkit" else "0"}
    build = [client, "build", "--quiet", "-t", tag, "."]
    built = subprocess.run(build, cwd=project, env=variables, capture_output=True, text=True)
    try:
        assert built.returncode == 0, built.stdout + built.stderr
        user = ["--network", "none", "--user", f"{os.getuid()}:{os.getgid()}"]
        container = [client, "run", "--rm", *user, "-v", f"{project}:/workspace", tag]
        done = subprocess.run(container, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "cpu 2.1+cpu\n"), done.stderr
        assert (project / "made.txt").read_text() == "zwölf\n"
    finally:
        subprocess.run([client, "image", "rm", "--force", tag], capture_output=True)


# Ways to start a program


@pytest.mark.parametrize("engine", ENGINES)
def test_a_shell_script_that_sets_threads_and_calls_python(
    project: Path, environment: Path, tmp_path: Path, engine: str
) -> None:
    write(
        project / "run.sh",
        "set -e\nexport OMP_NUM_THREADS=1\nmkdir -p out\n"
        "python step.py one > out/one.txt\npython step.py two >> out/two.txt\ncat out/*.txt\n",
    )
    write(project / "step.py", "import os, sys\nprint(sys.argv[1], os.environ['OMP_NUM_THREADS'])\n")
    done = freeze(project, "bash", "run.sh", path=environment)
    assert done.stdout == "one 1\ntwo 1\n"
    reviewer = leave(project, environment.parent, to=tmp_path / "reviewer")
    verdicts = replay(reviewer, engine)
    assert {"out/one.txt", "out/two.txt"} <= set(verdicts)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_with_a_shebang(project: Path, environment: Path, tmp_path: Path, engine: str) -> None:
    code = "#!/usr/bin/env python\nimport sys\nopen('made.txt', 'w').write(sys.argv[1])\nprint(sys.argv)\n"
    write(project / "train.py", code, executable=True)
    freeze(project, "./train.py", "-x", path=environment)
    reviewer = leave(project, environment.parent, to=tmp_path / "reviewer")
    assert replay(reviewer, engine)["made.txt"] == "identical"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_with_workers_and_children(
    project: Path, environment: Path, tmp_path: Path, engine: str
) -> None:
    write(project / "pkg" / "__init__.py", "")
    write(project / "pkg" / "work.py", "def square(x):\n    return x * x + len(open('in.txt').read())\n")
    write(project / "in.txt", "four")
    write(project / "child.py", "from pkg.work import square\nprint('child', square(9))\n")
    code = (
        "import multiprocessing, subprocess, sys\nfrom pkg.work import square\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        print(pool.map(square, range(5)), flush=True)\n"
        "    child = subprocess.run([sys.executable, 'child.py'], stdout=subprocess.PIPE, check=True)\n"
        "    open('made.txt', 'wb').write(child.stdout)\n"
    )
    write(project / "pkg" / "__main__.py", code)
    freeze(project, "python", "-m", "pkg", path=environment)
    assert (project / "made.txt").read_text() == "child 85\n"
    reviewer = leave(project, environment.parent, to=tmp_path / "reviewer")
    assert replay(reviewer, engine)["made.txt"] == "identical"
    lock = yaml.safe_load((reviewer / "envfreeze.lock").read_text())
    recorded = {entry["path"] for entry in lock["run"]["files"]["entries"]}
    assert {"pkg/__main__.py", "pkg/work.py", "child.py", "in.txt"} <= recorded


@pytest.mark.parametrize("engine", ENGINES)
def test_uv_run_in_a_project_with_an_environment_of_its_own(
    project: Path, tmp_path: Path, engine: str
) -> None:
    """The image is the environment that uv would look for, so uv itself is not needed in it."""
    write(project / "pyproject.toml", "[project]\nname = 'job'\nversion = '1'\nrequires-python = '>=3.11'\n")
    write(project / "train.py", "import sys\nopen('made.txt', 'w').write(sys.argv[1])\n")
    _packages.make_environment(project / ".venv")
    uv = Path(_packages.uv.find_uv_bin())
    subprocess.run([uv, "lock", "-q", "--offline", "--python", project / ".venv"], cwd=project, check=True)
    freeze(project, "uv", "run", "--offline", "train.py", "--lr=1", path=uv.parent)
    assert (project / "made.txt").read_text() == "--lr=1"
    reviewer = leave(project, to=tmp_path / "reviewer")
    assert replay(reviewer, engine)["made.txt"] == "identical"


# Odd folders


@pytest.mark.parametrize("engine", ENGINES)
def test_a_command_in_a_subfolder_of_the_project(
    project: Path, environment: Path, tmp_path: Path, engine: str
) -> None:
    code = "open('../made above.txt', 'w').write('1')\nopen('made.txt', 'w').write('2')\n"
    write(project / "steps" / "train.py", code)
    words = ["freeze", "--offline", "--project", "..", "--", "python", "train.py"]
    done = run(*words, cwd=project / "steps", path=[environment])
    assert done.returncode == 0, done.stderr
    reviewer = leave(project, environment.parent, to=tmp_path / "reviewer")
    verdicts = replay(reviewer, engine)
    assert {"made above.txt", "steps/made.txt"} <= set(verdicts)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_folder_with_spaces_quotes_and_letters_of_other_languages(
    environment: Path, tmp_path: Path, engine: str
) -> None:
    project = tmp_path / "root" / 'Zoë\'s "naïve" $HOME 実験; #1'
    code = "import os, sys\nmade = open('made ü.txt', 'w')\n"
    code += "print(os.getcwd(), __file__, sys.argv[1], sep='\\n', file=made)\n"
    write(project / "train it.py", code)
    freeze(project, "python", "train it.py", '$(touch x) `y` "z" \\ \'', path=environment)
    reviewer = leave(project, environment.parent, to=tmp_path / "reviewer's \\ folder ü")
    same = "identical" if at_the_same_path(engine) else "equivalent"
    assert replay(reviewer, engine, overall=same)["made ü.txt"] == same


@pytest.mark.parametrize("engine", ENGINES)
def test_a_folder_that_was_there_empty_and_names_that_are_no_text(
    project: Path, environment: Path, tmp_path: Path, engine: str
) -> None:
    (project / "results" / "plots").mkdir(parents=True)
    code = (
        "open(b'results/plots/caf\\xe9 $(x).bin', 'wb').write(b'1')\n"
        "open('results/made.txt', 'w').write('2')\nprint('done')\n"
    )
    write(project / "train.py", code)
    freeze(project, "python", "train.py", path=environment)
    assert os.listdir(project / "results" / "plots") == [os.fsdecode(b"caf\xe9 $(x).bin")]
    reviewer = leave(project, environment.parent, to=tmp_path / "reviewer")
    verdicts = replay(reviewer, engine)
    assert verdicts["results/made.txt"] == "identical"
    assert len(verdicts) == 4, "the file whose name is not UTF-8 is compared too"


# envfreeze installed elsewhere


@pytest.fixture(scope="session")
def installed_envfreeze(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an envfreeze that is installed from a wheel in an environment of its own."""
    folder = tmp_path_factory.mktemp("apart") / "envfreeze"
    return _packages.make_environment_with_uv(folder, ROOT) / "envfreeze"


@pytest.mark.index
@pytest.mark.parametrize("series", ["3.8", "3.12", "3.13"])
def test_envfreeze_apart_from_the_environment_and_of_another_python(
    installed_envfreeze: Path, project: Path, tmp_path: Path, series: str
) -> None:
    python = _packages.other_python(series)
    if python is None:
        pytest.skip(f"there is no Python {series} on this machine")
    files = {"tiny.py": "def answer():\n    return 42\n"}
    wheels = _packages.make_wheel(tmp_path / "wheels", "tiny", "1.0+local", files).parent
    environment = _packages.make_environment(tmp_path / "venv", "--find-links", wheels, "tiny", python=python)
    before = sorted((tmp_path / "venv").rglob("*"))
    code = "import sys, tiny\nopen('made.txt', 'w').write(sys.version)\nprint(tiny.answer())\n"
    write(project / "train.py", code)

    def apart(*words: str, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        variables["PYENV_ROOT"] = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
        command = [str(installed_envfreeze), *words]
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True)

    done = apart("freeze", "--offline", "--", "python", "train.py", cwd=project, path=str(environment))
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert [path for path in sorted((tmp_path / "venv").rglob("*")) if "__pycache__" not in str(path)] == [
        path for path in before if "__pycache__" not in str(path)
    ], "nothing is installed into the environment"
    lock = yaml.safe_load((project / "envfreeze.lock").read_text())
    assert lock["interpreter"]["version"].startswith(f"{series}.")
    assert [package["name"] for package in lock["packages"]] == ["tiny"]
    reviewer = leave(project, environment.parent, wheels, to=tmp_path / "reviewer")
    replayed = apart("replay", "--engine", "local", "--json", cwd=reviewer, path="/usr/bin")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["verdict"] == "identical"
