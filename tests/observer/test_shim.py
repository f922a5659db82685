"""The preloaded shim: what programs other than Python do, and that none of them notices it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading

import msgspec
import pytest

from envfreeze.observer import inject
from envfreeze.records.observation import ProcessEntry

pytestmark = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")


def whats(watched):
    return "\n".join(f"{gap.what}: {gap.why}" for gap in watched.gaps)


def test_a_shell_pipeline_is_recorded_exactly(watching, project):
    (project / "input.txt").write_text("b\na\n")
    (project / "settings.sh").write_text("KEY=1\n")
    (project / "unused.txt").write_text("nobody reads this")
    watching.script("print(open('sorted.txt').read())\n", "show.py")
    script = f". ./settings.sh\ncat input.txt | sort > sorted.txt\n{sys.executable} show.py\n"
    watching.script(script, "run.sh")
    watched = watching("sh", "run.sh")
    assert set(watching.files(watched)) == {"run.sh", "settings.sh", "input.txt", "show.py"}
    assert watching.outputs(watched) == {"sorted.txt": b"a\nb\n"}
    assert watched.gaps == ()


def test_a_child_with_an_empty_environment_is_seen(watching, project):
    (project / "input.txt").write_text("x\n")
    watched = watching.python(
        "import subprocess; subprocess.run(['/bin/cat', 'input.txt'], env={}, check=True)\n"
    )
    assert "input.txt" in watching.files(watched)
    assert watched.gaps == ()


def test_what_a_program_overwrites_is_kept_in_both_states(watching, project):
    (project / "numbers.txt").write_text("2\n1\n")
    watched = watching("sort", "-o", "numbers.txt", "numbers.txt")
    assert watching.files(watched) == {"numbers.txt": b"2\n1\n"}
    assert watching.outputs(watched) == {"numbers.txt": b"1\n2\n"}
    assert "overwritten" not in whats(watched)


def test_files_that_native_code_reads_are_seen(watching, project):
    (project / "table.db").write_bytes(b"")
    watching.python("import sqlite3; c = sqlite3.connect('table.db'); c.execute('create table t (x)')\n")
    (project / "data.txt").write_text("native")
    watched = watching.python(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        assert libc.fopen(b"data.txt", b"r")
        """
    )
    assert "data.txt" in watching.files(watched)


def test_threads_and_forks_and_spawned_workers_are_seen(watching, project):
    for number in range(6):
        (project / f"{number}.txt").write_text("x")
    watched = watching.python(
        """
        import multiprocessing, os, threading
        def read(number):
            return open(f"{number}.txt").read()
        if __name__ == "__main__":
            threads = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            for kind, numbers in (("fork", (2, 3)), ("spawn", (4, 5))):
                with multiprocessing.get_context(kind).Pool(2) as pool:
                    pool.map(read, numbers)
        """
    )
    assert set(watching.files(watched)) == {"main.py", *(f"{number}.txt" for number in range(6))}


def test_a_connection_is_said_and_one_to_this_machine_is_not(watching, project):
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=server.accept, daemon=True).start()
    port = server.getsockname()[1]
    watched = watching.python(f"import socket; socket.create_connection(('127.0.0.1', {port}))\n")
    assert watched.gaps == ()
    watched = watching.python(
        """
        import socket
        try:
            socket.create_connection(("192.0.2.7", 9), timeout=0.01)
        except OSError:
            pass
        """
    )
    assert "network: the run connected to 192.0.2.7:9" in whats(watched)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_static_program_is_named(watching, project):
    (project / "main.c").write_text("int main(void) { return 0; }\n")
    done = subprocess.run(["cc", "-static", "-o", "static", "main.c"], cwd=project, capture_output=True)
    if done.returncode != 0:
        pytest.skip("no static C library")
    watched = watching("./static")
    assert "static or privileged programs were not traced: static" in whats(watched)


PROBE = """
import errno, os, subprocess, sys
try:
    open("missing")
except OSError as error:
    print(error.errno == errno.ENOENT)
print(os.open("data", os.O_RDONLY))
os.closerange(3, 256)
open("made", "w").write("made")
print(subprocess.run(["cat", "made"], capture_output=True).stdout)
if os.fork() == 0:
    open("made by the child", "w").close()
    os._exit(0)
print(os.wait()[1])
sys.stderr.write("error\\n")
os.kill(os.getpid(), 9)
"""


def test_a_run_is_as_without_it(watching, project):
    (project / "data").write_text("content")
    (project / "main.py").write_text(PROBE)
    expected = subprocess.run([sys.executable, "main.py"], cwd=project, capture_output=True)
    for name in ("made", "made by the child"):
        (project / name).unlink()
    watched = watching(sys.executable, "main.py")
    assert watching.stdout(watched) == expected.stdout
    assert watched.observation.stderr.size == len(expected.stderr) == len("error\n")
    assert watched.observation.exit_status == 128 + 9
    assert set(watching.files(watched)) == {"main.py", "data"}
    assert set(watching.outputs(watched)) == {"made", "made by the child"}


def test_a_log_that_cannot_be_written_changes_nothing(project, tmp_path):
    """With nowhere to write, and with a file where the folder should be."""
    (project / "data").write_text("content")
    for folder in ("/nonexistent/folder", str(project / "data")):
        environment = {
            **os.environ,
            "LD_PRELOAD": str(inject.SHIM),
            "ENVFREEZE_AGENT": folder,
            "ENVFREEZE_PROJECT": str(project),
        }
        program = textwrap.dedent("cat data; printf x > made; cat made; ls | wc -l")
        done = subprocess.run(["sh", "-c", program], cwd=project, env=environment, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.split() == [b"contentx2"]


def test_a_named_pipe_reaches_its_reader_untouched(watching, project):
    """What is about to be overwritten is kept; opening a pipe for that would wake and end its writer."""
    script = (
        "mkfifo pipe; (sleep 0.2; cat pipe > got.txt) & for i in 1 2 3; do echo line $i; done > pipe; wait"
    )
    watched = watching("bash", "-c", script)
    assert watched.observation.exit_status == 0
    assert watching.outputs(watched)["got.txt"] == b"line 1\nline 2\nline 3\n"


def test_how_every_program_went_is_told(watching, project):
    script = """
import os, subprocess, sys
subprocess.run(["sh", "-c", "exit 3"])
subprocess.run([sys.executable, "-c", "x = bytearray(60_000_000); sum(range(3_000_000))"])
if os.fork() == 0:
    os._exit(4)
os.wait()
"""
    watched = watching(sys.executable, "-c", script)
    assert watched.observation.process_tree
    entries = msgspec.json.decode(
        watching.store.path(watched.observation.process_tree).read_bytes(), type=list[ProcessEntry]
    )
    by_status = {entry.exit_status: entry for entry in entries}
    assert {0, 3} <= set(by_status)
    hungry = max(entries, key=lambda entry: entry.peak_memory)
    assert "bytearray" in " ".join(hungry.command) and hungry.peak_memory > 60_000_000
    assert hungry.cpu > 0 and hungry.took is not None and hungry.took >= hungry.cpu / 2
    assert all(entry.took is not None for entry in entries)


@pytest.mark.parametrize(("name", "counts"), [("fc-list", False), ("reader", True)])
def test_what_a_question_about_the_machine_needs_is_no_part_of_the_environment(
    watching, tmp_path, name, counts
):
    """Libraries ask ``fc-list`` when their cache is empty: two figures of one project are one environment."""
    font = tmp_path / "home" / ".fonts" / "one.ttf"
    font.parent.mkdir(parents=True)
    font.write_bytes(b"font")
    program = tmp_path / name
    shutil.copy(shutil.which("cat"), program)
    environment = os.environ | {"HOME": str(tmp_path / "home")}
    watched = watching(str(program), str(font), environment=environment)
    assert (str(font) in watched.resources) is counts
    assert bool(watched.libraries) is counts
