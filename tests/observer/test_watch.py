"""What a run read and made, and what could not be seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.errors import InputError


def whats(watched) -> str:
    return "\n".join(f"{gap.what}: {gap.why}" for gap in watched.gaps)


def test_reads_and_outputs_of_a_python_script(watching, project):
    (project / "data.csv").write_text("1,2\n")
    (project / "unread.csv").write_text("3\n")
    watching.script("VALUE = 1\n", "package/__init__.py")
    watched = watching.python(
        """
        import package
        text = open("data.csv").read()
        open("result.txt", "w").write(text * 2)
        print("done")
        """
    )
    assert set(watching.files(watched)) == {"main.py", "package/__init__.py", "data.csv"}
    assert watching.outputs(watched) == {"result.txt": b"1,2\n1,2\n"}
    assert watching.stdout(watched) == b"done\n"
    assert watched.observation.exit_status == 0
    assert watched.executable == sys.executable
    assert watched.gaps == ()


def test_a_module_whose_bytecode_is_fresh_is_still_recorded_as_source(watching, project):
    watching.script("VALUE = 1\n", "module.py")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    watching.python("import module\n", environment=environment)
    assert list((project / "__pycache__").glob("module.*.pyc"))
    watched = watching.python("import module\n", environment=environment)
    assert set(watching.files(watched)) == {"main.py", "module.py"}


def test_a_file_that_the_run_changes_is_kept_as_it_was_before(watching, project):
    (project / "state.txt").write_text("before\n")
    (project / "log.txt").write_text("old\n")
    (project / "gone.txt").write_text("there\n")
    (project / "replaced.txt").write_text("first\n")
    watched = watching.python(
        """
        import os
        state = open("state.txt").read()
        open("state.txt", "w").write("after\\n")
        open("log.txt", "a").write("new\\n")
        os.remove("gone.txt")
        open("replaced.txt").read()
        open("new.tmp", "w").write("second\\n")
        os.replace("new.tmp", "replaced.txt")
        """
    )
    files = watching.files(watched)
    assert files["state.txt"] == b"before\n"
    assert files["log.txt"] == b"old\n"
    assert files["gone.txt"] == b"there\n"
    assert files["replaced.txt"] == b"first\n"
    assert watching.outputs(watched) == {
        "state.txt": b"after\n",
        "log.txt": b"old\nnew\n",
        "replaced.txt": b"second\n",
    }
    assert watched.gaps == ()


def test_an_earlier_result_that_is_written_before_it_is_read_is_no_input(watching, project):
    text = """
        import subprocess, sys
        open("result.txt", "w").write("1")
        subprocess.run([sys.executable, "-c", "open('result.txt').read()"], check=True)
        """
    watching.python(text)
    assert set(watching.files(watching.python(text))) == {"main.py"}


def test_folders_that_were_there_are_recorded_when_the_run_wrote_into_them(watching, project):
    (project / "results").mkdir()
    watched = watching.python(
        "import os; os.mkdir('own')\nfor f in ('results', 'own'): open(f + '/x', 'w')\n"
    )
    assert watched.observation.folders == ("results",)
    assert set(watching.outputs(watched)) == {"results/x", "own/x"}


def test_links_are_followed_inside_the_project(watching, project):
    (project / "store").mkdir()
    (project / "store/data").write_text("1")
    (project / "data").symlink_to("store")
    (project / "latest").symlink_to("data/data")
    files = watching.files(watching.python("open('latest').read()\n"))
    assert files == {
        "main.py": b"open('latest').read()\n",
        "latest": "data/data",
        "data": "store",
        "store/data": b"1",
    }


def test_children_and_worker_processes_are_seen(watching, project):
    for name in "abc":
        (project / name).write_text(name)
    watched = watching.python(
        """
        import multiprocessing, os, subprocess, sys

        def work(name):
            return open(name).read()

        if __name__ == "__main__":
            for method, name in (("fork", "a"), ("spawn", "b")):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    pool.map(work, [name])
            subprocess.run([sys.executable, "-c", "open('c').read()"], check=True)
        """
    )
    assert {"a", "b", "c"} <= set(watching.files(watched))
    assert watched.observation.processes >= 3


def test_a_shell_script_records_what_might_have_been_read_and_says_so(watching, project, without_shim):
    (project / "input.txt").write_text("b\na\n")
    watching.script("print(open('sorted.txt').read())\n", "show.py")
    watching.script(f"sort input.txt > sorted.txt\n{sys.executable} show.py\n", "run.sh")
    watched = watching("bash", "run.sh")
    assert set(watching.files(watched)) == {"run.sh", "input.txt", "show.py"}
    assert watching.outputs(watched) == {"sorted.txt": b"a\nb\n"}
    assert "programs other than Python were not traced: bash" in whats(watched)
    again = watching("bash", "run.sh")
    assert "sorted.txt was overwritten before it could be copied" in whats(again)


def test_a_python_that_starts_another_program_says_so(watching, project, without_shim):
    (project / "input.txt").write_text("x\n")
    watched = watching.python("import subprocess; subprocess.run(['cat', 'input.txt'], check=True)\n")
    assert "input.txt" in watching.files(watched)
    assert "programs other than Python were not traced: cat" in whats(watched)
    asked = watching.python("import subprocess; subprocess.run(['uname', '-a'], check=True)\n")
    assert asked.gaps == ()


def test_data_outside_the_project_is_kept_and_a_temporary_file_is_not(watching, project, tmp_path):
    (tmp_path / "far.csv").write_text("1")
    watched = watching.python(
        f"""
        import tempfile
        open({str(tmp_path / "far.csv")!r}).read()
        with tempfile.NamedTemporaryFile("w+") as own:
            open(own.name).read()
        open("/etc/hostname").read()
        """
    )
    assert set(watching.files(watched)) == {"main.py", str(tmp_path / "far.csv")}
    assert watched.gaps == ()


def test_results_outside_the_project_are_named_unless_a_pattern_takes_them(watching, tmp_path):
    text = f"open({str(tmp_path / 'far.txt')!r}, 'w').write('x')\nopen('near.txt', 'w').write('y')\n"
    environment = {**os.environ, "TMPDIR": "/nowhere"}
    assert str(tmp_path / "far.txt") in whats(watching.python(text, environment=environment))
    watched = watching.python(text, environment=environment, output_patterns=["../far.*"])
    assert watching.outputs(watched) == {str(tmp_path / "far.txt"): b"x", "near.txt": b"y"}
    assert watched.gaps == ()


def test_patterns_narrow_the_outputs(watching):
    text = (
        "import os; os.makedirs('out/deep')\nfor n in ('out/a.json', 'out/deep/b.json', 'log'): open(n, 'w')"
    )
    watched = watching.python(text, output_patterns=["out/**/*.json"])
    assert set(watching.outputs(watched)) == {"out/a.json", "out/deep/b.json"}


def test_secrets_are_neither_stored_nor_recorded(watching, project):
    (project / ".env").write_text("PASSWORD=swordfish")
    environment = {**os.environ, "API_TOKEN": "swordfish", "TORCH_HUB_TOKEN": "swordfish"}
    watched = watching.python(
        "open('.env').read(); open('new.pem', 'w').write('sword' 'fish')\n", environment=environment
    )
    assert ".env" not in watching.files(watched)
    assert watching.outputs(watched) == {}
    assert "the file .env" in whats(watched) and "the output new.pem" in whats(watched)
    assert "TORCH_HUB_TOKEN" in watched.observation.environment_names
    stored = subprocess.run(["grep", "-r", "swordfish", project / ".envfreeze"], capture_output=True)
    assert stored.returncode == 1, stored.stdout


def test_the_users_own_pythonpath_is_recorded_and_ours_is_not(watching, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/helper.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "lib")}
    watched = watching.python("import helper\n", environment=environment)
    assert watched.observation.environment["PYTHONPATH"] == str(tmp_path / "lib")
    assert not any(name.startswith("ENVFREEZE_") for name in watched.observation.environment_names)
    assert watched.environment == environment
    assert str(tmp_path / "lib/helper.py") in watching.files(watched)


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_a_python_that_ignores_the_observer_is_said(watching, project, option):
    (project / "data").write_text("1")
    watching.script("print(open('data').read())\n")
    watched = watching(sys.executable, option, "main.py")
    assert watched.executable == sys.executable
    assert set(watching.files(watched)) == {"main.py", "data"}
    assert "did not load the observer" in whats(watched)


def test_names_that_are_not_utf8(watching, project):
    with open(os.fsencode(project) + b"/\xff.txt", "wb") as stream:
        stream.write(b"odd")
    watched = watching.python("import os\nopen(b'\\xff.txt').read(); open(b'\\xfe.txt', 'w').write('x')\n")
    assert watching.files(watched)["\udcff.txt"] == b"odd"
    assert watching.outputs(watched) == {"\udcfe.txt": b"x"}


def test_a_run_that_deletes_its_own_folder_is_recorded(watching, project):
    (project / "sub").mkdir()
    watched = watching.python(
        "import os\nos.chdir('sub'); os.rmdir('../sub')\nprint(open('/etc/hostname').read() and 1)\n"
    )
    assert watching.stdout(watched) == b"1\n"
    assert watched.gaps == ()


def test_a_failing_command_is_recorded_with_its_status(watching):
    assert watching.python("import sys; sys.exit(7)\n").observation.exit_status == 7
    killed = watching.python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n")
    assert killed.observation.exit_status == 137


def test_a_command_that_cannot_be_started_leaves_nothing(watching, project):
    (project / "plain.py").write_text("")
    for command, words in (("no-such-program", "not found"), ("./plain.py", "not executable")):
        with pytest.raises(InputError, match=words):
            watching(command)
    assert sorted(path.name for path in project.iterdir()) == ["plain.py"]
    (project / "plain.py").chmod(0o755)
    with pytest.raises(InputError, match="could not be started"):
        watching("./plain.py")
    assert list((project / ".envfreeze/tmp").iterdir()) == []


def test_the_target_is_the_python_that_runs_the_project(watching, project, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    other = str(tmp_path / "venv/bin/python")
    watching.script("print('x')\n", "main.py")
    watching.script(f"{sys.executable} -c 'pass'\n{other} main.py\n", "run.sh")
    watched = watching("bash", "run.sh")
    assert watched.executable == other
    assert watched.observation.interpreters == (other, sys.executable)
    assert "more than one Python environment" in whats(watched)


def test_memory_and_processor_time(watching):
    watched = watching.python("data = bytearray(80 << 20)\nimport time; time.sleep(0.3)\n")
    assert watched.observation.peak_memory > 80 << 20
    assert watched.observation.duration >= 0.3
    assert watched.observation.cpu > 0
    assert "libpython" in str(watched.libraries) or "libc" in str(watched.libraries)


def test_standard_input_that_is_read_is_named(watching, project, tmp_path):
    (tmp_path / "input").write_text("line\n")
    descriptor = os.open(tmp_path / "input", os.O_RDONLY)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    assert watching.python("pass\n").gaps == ()
    watched = watching.python("print(input())\n")
    assert watching.stdout(watched) == b"line\n"
    assert "standard input" in whats(watched)


def test_database_files_are_seen(watching, project):
    import sqlite3

    with sqlite3.connect(project / "data.db") as connection:
        connection.execute("create table t (x)")
    connection.close()
    before = (project / "data.db").read_bytes()
    watched = watching.python(
        "import sqlite3\nwith sqlite3.connect('data.db') as c: c.execute('insert into t values (1)')\n"
    )
    assert watching.files(watched)["data.db"] == before
    assert "data.db" in watching.outputs(watched)


def test_project_reached_through_a_link(watching, project, tmp_path):
    (project / "data").write_text("1")
    (tmp_path / "link").symlink_to(project)
    watched = watching.python("open('data').read()\n", directory=Path(tmp_path / "link"))
    assert set(watching.files(watched)) == {"main.py", "data"}
