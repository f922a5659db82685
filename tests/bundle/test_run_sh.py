"""``run.sh`` of a bundle on machines that are not as it would like them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from envfreeze import artifacts
from envfreeze.bundle.minimal import minimal
from envfreeze.records import lockfile
from envfreeze.records.artifact import Experiment
from envfreeze.store import Store

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
TRAIN = """\
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--title", default="")
options = parser.parse_args()
print(options.epochs, options.title, os.environ.get("SECRET_OF_HOST"), sorted(os.environ)[:0])
open("result.txt", "w").write(str(options.epochs))
if options.title == "fail":
    sys.exit("no luck")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("author") / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    python = folder.parent / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder.parent / "venv"], check=True)
    for command in (["--title", "it's $HOME; `id`\n*"], ["--epochs", "30"]):
        freeze = [sys.executable, "-m", "envfreeze", "freeze", "-q", "--offline", "--", python, "train.py"]
        subprocess.run([*freeze, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        artifacts.add_experiment(folder, "given" if "--epochs" in command else "default")
    return folder


@pytest.fixture(scope="module")
def packed(project: Path) -> Path:
    path = project.parent / "paper.zip"
    artifacts.pack(project, path)
    return path


@pytest.fixture
def unpacked(packed: Path, tmp_path: Path) -> Path:
    return artifacts.unpack(packed, tmp_path / "it's a $(folder)")[0]


def run(
    folder: Path, *arguments: str, shell: str = "sh", path: str = "", cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": path or f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin",
        "ENGINE": "no-engine",
        "SECRET_OF_HOST": "seen",
        **more,
    }
    words = [shell, *(["sh"] if shell == "busybox" else []), str(folder / "run.sh"), *arguments]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_posix_shell_runs_it_and_hostile_words_arrive(shell: str, unpacked: Path) -> None:
    done = run(unpacked, shell=shell)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Reproduced") == 2
    said = (unpacked / "results" / "default" / "stdout").read_text()
    assert said == "20 it's $HOME; `id`\n* None []\n"  # and nothing of the host's environment


def test_short_runs_say_that_nothing_was_compared(unpacked: Path) -> None:
    done = run(unpacked, "--minimal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Reproduced" not in done.stdout and done.stdout.count("Nothing was compared") == 2
    for name in ("default", "given"):
        assert (unpacked / "results" / name / "project" / "result.txt").read_text() == "1"
    job = unpacked / "experiments" / "given" / "job.sh"
    job.write_text(job.read_text().replace("--epochs 1;", "--title fail;"))
    failed = run(unpacked, "--minimal", "given")
    assert failed.returncode == 1 and "no luck" in failed.stdout


def test_results_go_elsewhere_when_asked(unpacked: Path, tmp_path: Path) -> None:
    done = run(unpacked, "given", RESULTS=str(tmp_path / "my results"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (unpacked / "results").exists()
    assert (tmp_path / "my results" / "given" / "project" / "result.txt").read_text() == "30"
    (tmp_path / "file").write_text("")
    refused = run(unpacked, "given", RESULTS=str(tmp_path / "file"))
    assert refused.returncode == 3 and "cannot be written" in refused.stderr


def test_wrong_usage_is_two_before_anything_runs(unpacked: Path) -> None:
    assert run(unpacked, "--minimul").returncode == 2
    done = run(unpacked, "given", "gone")
    assert done.returncode == 2 and "no experiment gone" in done.stderr
    assert not (unpacked / "results").exists()
    assert "--minimal" in run(unpacked, "--help").stdout


def test_a_client_without_its_engine_is_no_engine(unpacked: Path, tmp_path: Path) -> None:
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    client.chmod(0o755)
    path = f"{client.parent}:{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin"
    done = run(unpacked, "given", path=path, ENGINE="docker")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "docker does not answer" in done.stdout


def test_an_engine_that_cannot_run_it_is_no_difference(unpacked: Path, tmp_path: Path) -> None:
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\ncase $1 in run) echo 'docker: no space left' >&2; exit 125;; esac\n")
    client.chmod(0o755)
    done = run(unpacked, "given", path=f"{client.parent}:/usr/bin:/bin", ENGINE="docker")
    assert done.returncode == 3 and "no space left" in done.stderr


def test_a_missing_python_is_one_clear_way_to_get_it(unpacked: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "basename", "mkdir", "rm", "cp", "chmod", "cut", "grep", "id", "tail"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = run(unpacked, "given", path=str(tools))
    assert done.returncode == 3
    wanted = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"uv python install {wanted}" in done.stderr
    named = run(unpacked, "given", path=f"{tools}:/usr/bin:/bin", PYTHON=sys.executable)
    assert named.returncode == 0, named.stdout + named.stderr


def test_what_is_no_count_is_not_made_small(project: Path) -> None:
    lock, store = lockfile.read(project / "envfreeze.given.lock"), Store(project)
    assert minimal(Experiment(name="x"), lock, store).command[-2:] == ("--epochs", "1")
    assert minimal(Experiment(name="x", minimal=("sh", "x.sh")), lock, store).origin == "the author"
    text = (project / "envfreeze.given.lock").read_text().replace("name: epochs", "name: width")
    (project / "other.lock").write_text(text)
    assert minimal(Experiment(name="x"), lockfile.read(project / "other.lock"), store).command == ()


def test_an_unseeded_program_is_told_from_a_wrong_one(unpacked: Path) -> None:
    (unpacked / "experiments" / "given" / "outputs" / "result.txt").write_text("other")
    done = run(unpacked, "given")
    assert done.returncode == 1
    assert "without a seed" in done.stdout and "do not travel along" in done.stdout


@pytest.mark.parametrize(
    ("engine", "option"), [("docker", "--gpus=all"), ("podman", "--device=nvidia.com/gpu=all")]
)
def test_a_container_is_shut_in_and_gets_what_it_is_given(
    engine: str, option: str, unpacked: Path, tmp_path: Path
) -> None:
    client = tmp_path / "bin" / engine
    client.parent.mkdir()
    client.write_text('#!/bin/sh\necho "$@" >> "$0.log"\n')
    client.chmod(0o755)
    path = f"{client.parent}:/usr/bin:/bin"
    run(unpacked, "given", path=path, ENGINE=engine)
    plain = Path(f"{client}.log").read_text()
    for word in ("--network none", "--cap-drop ALL", "no-new-privileges", "--read-only", "--pids-limit 4096"):
        assert word in plain
    assert "gpu" not in plain and "--memory" not in plain
    run(unpacked, "given", path=path, ENGINE=engine, GPUS="all", MEMORY="1g")
    assert ("--userns=keep-id" in plain) is (
        engine == "podman" and os.getuid() != 0
    )  # podman refuses it to root
    asked = Path(f"{client}.log").read_text().removeprefix(plain)
    assert option in asked and "--memory 1g" in asked


OWN = b"int own(void) { return 42; }\n"


@pytest.fixture
def with_system(project: Path, tmp_path: Path) -> Path:
    """An experiment that loads a library of no package and reads the time zone of its machine."""
    if not (compiler := shutil.which("cc")):
        pytest.skip("there is no C compiler")
    author = tmp_path / "author"
    library = tmp_path / "opt's" / "lib" / "libown.so"
    library.parent.mkdir(parents=True)
    subprocess.run([compiler, "-shared", "-o", library, "-xc", "-"], input=OWN, check=True)
    author.mkdir()
    (author / "train.py").write_text(
        "import ctypes, time\nprint(ctypes.CDLL('libown.so').own(), time.localtime(0).tm_hour)\n"
    )
    python = project.parent / "venv" / "bin" / "python"
    freeze = [sys.executable, "-m", "envfreeze", "freeze", "-q", "--offline", "--", python, "train.py"]
    variables = os.environ | {"LD_LIBRARY_PATH": str(library.parent)}
    subprocess.run(freeze, cwd=author, check=True, env=variables, stdout=subprocess.DEVNULL)
    lock = lockfile.read(author / "envfreeze.lock")
    assert str(library) in {entry.path for entry in lock.system.files}
    system = msgspec.structs.replace(lock.system, time_zone="Etc/GMT-7")
    lockfile.write(msgspec.structs.replace(lock, system=system), author / "envfreeze.lock")
    artifacts.pack(author, tmp_path / "system.zip")
    shutil.rmtree(library.parent)
    return artifacts.unpack(tmp_path / "system.zip", tmp_path / "it's unpacked")[0]


@pytest.mark.parametrize("shell", SHELLS)
def test_without_an_engine_the_authors_own_libraries_are_used_and_the_rest_is_named(
    shell: str, with_system: Path
) -> None:
    done = run(with_system, shell=shell)
    assert "fonts, locales and dictionaries are this machine's" in done.stdout
    said = (with_system / "results" / "main" / "stdout").read_text()
    assert said.split()[0] == "42", (with_system / "results" / "main" / "stderr").read_text()
    if Path("/usr/share/zoneinfo/Etc/GMT-7").exists():
        assert said.split()[1] == "7"
