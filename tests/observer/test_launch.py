"""The command's streams, terminal and signals pass through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pexpect
import pytest

WATCH = """
import sys
from pathlib import Path
from envfreeze.observer.watch import watch
from envfreeze.store import Store
here = Path.cwd()
watched = watch(sys.argv[1:], project=here, directory=here, store=Store(here))
Path("../gaps").write_text(repr(watched.gaps))
sys.exit(watched.observation.exit_status)
"""
"""Watches its arguments, as the command line does."""


@pytest.fixture
def watch_command(watching, tmp_path):
    (tmp_path / "watch.py").write_text(WATCH)

    def command(text: str) -> list[str]:
        return [sys.executable, str(tmp_path / "watch.py"), sys.executable, watching.script(text)]

    return command


def test_large_binary_output_is_untouched_and_the_streams_stay_apart(watch_command):
    command = watch_command(
        """
        import sys
        for _ in range(64):
            sys.stdout.buffer.write(bytes(range(256)) * 1024)
            sys.stderr.buffer.write(b"\\xff\\r\\n" * 1000)
        """
    )
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.stdout == bytes(range(256)) * 1024 * 64
    assert done.stderr == b"\xff\r\n" * 64000


def test_standard_input_reaches_the_command(watch_command):
    command = watch_command("import sys; print(sys.stdin.read().upper())\n")
    done = subprocess.run(command, input=b"words", capture_output=True, timeout=60)
    assert done.stdout == b"WORDS\n"


def test_a_reader_that_goes_away_does_not_end_the_run(watch_command, project):
    command = watch_command("for i in range(100000): print('line', i)\nopen('finished', 'w').write('yes')\n")
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 0
    assert (project / "finished").exists()


def test_a_grandchild_that_holds_the_streams_does_not_hold_us(watch_command, tmp_path):
    command = watch_command(
        """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
        print("ended")
        """
    )
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=60)
    assert done.stdout == b"ended\n"
    assert time.monotonic() - began < 20
    assert "programs left running" in (tmp_path / "gaps").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_command_and_its_status_comes_back(watch_command, number):
    command = watch_command(
        """
        import os, signal, sys, time

        def handler(number, frame):
            # Not print: the signal may come while the line below is still in it.
            os.write(1, b"caught %d\\n" % number)
            sys.exit(42)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handler)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.stdout.read() == f"caught {number}\n".encode()
    assert process.wait(60) == 42


def test_a_command_that_a_signal_ends(watch_command):
    command = watch_command("import time; print('ready', flush=True); time.sleep(60)\n")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM


def test_the_terminal_stays_a_terminal(watch_command):
    command = watch_command(
        """
        import os, sys
        print([os.isatty(n) for n in (0, 1, 2)], os.get_terminal_size())
        print("name?", end=" ", flush=True)
        print("hello " + input())
        print("controlling", os.open("/dev/tty", os.O_RDWR) > 0)
        input()
        print("to the error stream", file=sys.stderr)
        """
    )
    child = pexpect.spawn(command[0], command[1:], dimensions=(33, 77), timeout=60)
    child.expect_exact("[True, True, True] os.terminal_size(columns=77, lines=33)\r\n")
    child.expect_exact("name?")
    child.sendline("Ada")
    child.expect_exact("hello Ada\r\n")
    child.expect_exact("controlling True\r\n")
    child.sendline()
    child.expect_exact("to the error stream\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_control_c_in_a_terminal_reaches_the_command_once(watch_command):
    command = watch_command(
        """
        import time
        count = 0
        while True:
            try:
                if not count:
                    print("ready", flush=True)
                time.sleep(1.0 if count else 60)
                break
            except KeyboardInterrupt:
                count += 1
        print("interrupts:", count)
        raise SystemExit(5)
        """
    )
    child = pexpect.spawn(command[0], command[1:], timeout=60)
    child.expect_exact("ready")
    child.sendintr()
    child.expect_exact("interrupts: 1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5


def test_a_resized_terminal_is_told_to_the_command(watch_command):
    command = watch_command(
        """
        import os, signal, time
        sizes = []
        signal.signal(signal.SIGWINCH, lambda *_: sizes.append(os.get_terminal_size().columns))
        print("ready", flush=True)
        deadline = time.monotonic() + 60
        while 50 not in sizes and time.monotonic() < deadline:
            time.sleep(0.05)
        print("resized", 50 in sizes)
        """
    )
    child = pexpect.spawn(command[0], command[1:], dimensions=(24, 80), timeout=70)
    child.expect_exact("ready")
    child.setwinsize(20, 50)
    child.expect_exact("resized True")
    child.expect(pexpect.EOF)


def test_a_terminal_is_written_the_same_bytes(watching, tmp_path, project):
    """The command's newline stays one byte in what is kept, whatever the terminal makes of it."""
    text = WATCH.replace("sys.exit", "print(watched.observation.stdout)\nsys.exit")
    (tmp_path / "watch.py").write_text(text)
    script = watching.script("print('a')\n")
    child = pexpect.spawn(sys.executable, [str(tmp_path / "watch.py"), sys.executable, script], timeout=60)
    child.expect_exact("size=2")
    child.expect_exact("terminal=True")
    child.expect(pexpect.EOF)


def test_descriptors_handed_to_the_command_stay_open(watch_command):
    read, write = os.pipe()
    command = watch_command(f"import os; os.write({write}, b'through')\n")
    subprocess.run(command, pass_fds=[write], check=True, timeout=60)
    os.close(write)
    assert os.read(read, 100) == b"through"
    os.close(read)


def test_a_full_disk_for_the_record_is_said_after_the_run(watching, project, monkeypatch):
    import errno

    from envfreeze.errors import EnvironmentFailure
    from envfreeze.observer.streams import Stream

    def fail(self, data):
        self.failure = self.failure or OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Stream, "_keep", fail)
    with pytest.raises(EnvironmentFailure, match="no space left"):
        watching.python("print('x'); open('finished', 'w').write('yes')\n")
    assert (project / "finished").exists()
