"""The deep trace: what programs do that the preloaded shim cannot see, and that none of them notices it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from envfreeze.observer import events as observed
from envfreeze.observer import inject, tracing
from envfreeze.observer.launch import launch
from envfreeze.observer.watch import Watched

from .conftest import FREEZE

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.skipif(tracing.tracer() is None, reason="this installation has no tracer"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler here"),
]

READS_AND_WRITES = r"""
#include <stdio.h>
int main(int count, char **argv) {
  char line[100] = "";
  for (int i = 1; i < count - 1; i++) {
    FILE *in = fopen(argv[i], "r");
    if (in) { fgets(line, sizeof line, in); fclose(in); }
  }
  FILE *out = fopen(argv[count - 1], "w");
  fputs(line, out);
  fclose(out);
  return 0;
}
"""


@pytest.fixture
def compiled(project: Path) -> Callable[..., str]:
    """Compiles a C program without the dynamic loader into the project."""

    def compile_program(source: str, name: str = "tool", *flags: str) -> str:
        (project / f"{name}.c").write_text(textwrap.dedent(source))
        command = [str(COMPILER), "-static", "-O1", "-w", "-o", name, f"{name}.c", *flags]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip("no static C library here")
        (project / f"{name}.c").unlink()
        return f"./{name}"

    return compile_program


def whats(watched: Watched) -> str:
    return "\n".join(f"{gap.what}: {gap.why}" for gap in watched.gaps)


def test_a_static_program_is_seen_as_any_other(watching, compiled, project, tmp_path):
    tool = compiled(READS_AND_WRITES)
    (project / "in.txt").write_text("inside\n")
    (project / "unused.txt").write_text("nobody reads this")
    outside = tmp_path / "elsewhere.txt"
    outside.write_text("outside\n")
    watched = watching(tool, "in.txt", str(outside), "missing.cfg", "out.txt", deep=True)
    files = watching.files(watched)
    assert {"in.txt", "tool", str(outside)} <= set(files)
    assert "unused.txt" not in files
    assert watching.outputs(watched) == {"out.txt": b"outside\n"}
    assert "missing.cfg" in watched.observation.absent
    assert "without being seen" not in whats(watched)


def test_without_it_the_static_program_is_a_gap_that_names_the_deep_trace(watching, compiled, project):
    tool = compiled(READS_AND_WRITES)
    (project / "in.txt").write_text("inside\n")
    watched = watching(tool, "in.txt", "out.txt")
    assert "--trace deep" in whats(watched)


def test_a_file_that_a_static_program_overwrites_is_kept_in_both_states(watching, compiled, project):
    tool = compiled(READS_AND_WRITES)
    (project / "in.txt").write_text("new\n")
    (project / "out.txt").write_text("old\n")
    old = time.time() - 60
    os.utime(project / "out.txt", (old, old))
    watched = watching(tool, "out.txt", "in.txt", "out.txt", deep=True)
    assert watching.files(watched)["out.txt"] == b"old\n"
    assert watching.outputs(watched) == {"out.txt": b"new\n"}


def test_raw_system_calls_threads_and_forks_are_seen(watching, compiled, project):
    tool = compiled(
        r"""
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <pthread.h>
        #include <sys/syscall.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static long raw(long number, long a, long b, long c, long d) {
        #ifdef __x86_64__
          long result;
          register long r10 __asm__("r10") = d;
          __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                           : "rcx", "r11", "memory");
          return result;
        #else
          return syscall(number, a, b, c, d);
        #endif
        }
        static void *in_a_thread(void *path) {
          return (void *)raw(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0);
        }
        int main(void) {
          pthread_t thread;
          pthread_create(&thread, 0, in_a_thread, "thread.txt");
          pthread_join(thread, 0);
          if (fork() == 0) { raw(SYS_openat, AT_FDCWD, (long)"forked.txt", O_RDONLY, 0); _exit(3); }
          if (vfork() == 0) { execl("./other", "other", "vforked.txt", "out.txt", (char *)0); _exit(9); }
          while (wait(0) > 0);
          int folder = open("deep/er", O_RDONLY | O_DIRECTORY);
          raw(SYS_openat, folder, (long)"../below.txt", O_RDONLY, 0);
          chdir("deep");
          raw(SYS_openat, AT_FDCWD, (long)"er/most.txt", O_RDONLY, 0);
          return 0;
        }
        """,
        "tool",
        "-pthread",
    )
    compiled(READS_AND_WRITES, "other")
    names = ["thread.txt", "forked.txt", "vforked.txt", "deep/below.txt", "deep/er/most.txt"]
    (project / "deep/er").mkdir(parents=True)
    for name in names:
        (project / name).write_text(name)
    watched = watching(tool, deep=True)
    assert {*names, "tool", "other"} == set(watching.files(watched))
    assert watched.gaps == () or "without" not in whats(watched)


def test_names_that_are_no_text(watching, compiled, project):
    tool = compiled(READS_AND_WRITES)
    (project / "two\nlines.txt").write_text("x")
    Path(os.fsdecode(os.fsencode(project) + b"/\xff\xfe.txt")).write_text("y")
    watched = watching(tool, "two\nlines.txt", os.fsdecode(b"\xff\xfe.txt"), "out.txt", deep=True)
    assert watching.outputs(watched) == {"out.txt": b"y"}
    assert len(watching.files(watched)) >= 2


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("kill -SEGV $$", 139), ("kill -INT $$", 130)]
)
def test_the_exit_status_is_the_commands_own(watching, script, status):
    assert watching("bash", "-c", script, deep=True).observation.exit_status == status


def test_stop_and_continue(watching):
    script = "(sleep 0.3; kill -CONT $$) & kill -STOP $$; echo went on"
    watched = watching("bash", "-c", script, deep=True)
    assert watching.stdout(watched) == b"went on\n"


def test_a_command_that_cannot_start_is_said_as_without_it(watching, project):
    from envfreeze.errors import InputError

    watching.script("#!/nonexistent/interpreter\n", "run.sh")
    (project / "run.sh").chmod(0o755)
    with pytest.raises(InputError, match=r"#! line is missing"):
        watching("./run.sh", deep=True)


def test_python_runs_as_it_does_without(watching, project):
    (project / "in.txt").write_text("x")
    script = """
    import multiprocessing, os, subprocess, sys
    def work(n): return open('in.txt').read() * n
    if __name__ == '__main__':
        for method in ('fork', 'spawn'):
            with multiprocessing.get_context(method).Pool(2) as pool:
                print(pool.map(work, range(4)))
        print(subprocess.run(['cat', 'in.txt'], capture_output=True).stdout)
        print(subprocess.run(['sh', '-c', 'kill -9 $$']).returncode)
    """
    bare, deep = watching.python(script), watching.python(script, deep=True)
    assert watching.stdout(bare) == watching.stdout(deep)
    assert set(watching.files(deep)) == {"main.py", "in.txt"}
    assert deep.gaps == bare.gaps


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")
def test_a_program_that_traces_others_itself_still_works(watching, compiled, project):
    tool = compiled(READS_AND_WRITES)
    (project / "in.txt").write_text("inside\n")
    watched = watching("strace", "-f", "-o", "log.txt", tool, "in.txt", "out.txt", deep=True)
    outputs = watching.outputs(watched)
    assert outputs["out.txt"] == b"inside\n"
    assert b'"in.txt"' in outputs["log.txt"]
    assert {"in.txt", "tool"} <= set(watching.files(watched))


@pytest.mark.skipif(shutil.which("gdb") is None, reason="no gdb here")
def test_a_program_in_a_debugger(watching, compiled, project):
    """The tracer uses no ptrace(2), so that a debugger stops and continues the program as ever."""
    tool = compiled(READS_AND_WRITES, "tool", "-g")
    (project / "in.txt").write_text("inside\n")
    steps = [word for step in ("break main", "run", "print argv[1]", "continue") for word in ("-ex", step)]
    command = ["gdb", "-q", "-nx", "-batch", *steps, "--args", tool, "in.txt", "out.txt"]
    watched = watching(*command, deep=True)
    said = watching.stdout(watched).decode()
    assert '"in.txt"' in said and "exited normally" in said, said
    assert watching.outputs(watched)["out.txt"] == b"inside\n"
    assert {"in.txt", "tool"} <= set(watching.files(watched))


def test_control_c_reaches_the_command_once(watching, project):
    """In a terminal, as without the tracer; the command's own exit status comes back, and a lock is there."""
    watching.script(
        """
        import time
        count = 0
        for wait in (60, 0.5):
            try:
                print("ready", flush=True)
                time.sleep(wait)
            except KeyboardInterrupt:
                count += 1
        print("interrupts:", count)
        raise SystemExit(5)
        """
    )
    words = [*FREEZE[1:], "--trace", "deep", "--", sys.executable, "main.py"]
    child = pexpect.spawn(FREEZE[0], words, timeout=60)
    child.expect_exact("ready")
    child.sendintr()
    child.expect_exact("interrupts: 1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5
    assert (project / "envfreeze.lock").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("fault", ["full", "unwritable"])
def test_a_log_that_cannot_be_written(project, tmp_path, fault):
    """The run prints and returns what it does without us, and the lock says that something is missing."""
    script = (
        "for number in range(5000):\n"
        "    try: open(f'missing/{\"x\" * 200}{number}')\n"
        "    except OSError as error: last = error.errno\n"
        "print(last, open('data').read()); raise SystemExit(4)\n"
    )
    (project / "main.py").write_text(script)
    (project / "data").write_text("content")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        run, streams = small / "run", tmp_path / "streams"
        run.mkdir(), streams.mkdir()
        environment = inject.inject(os.environ, folder=run, project=project)
        if fault == "unwritable":
            subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        command = [sys.executable, "main.py"]
        null = os.open(os.devnull, os.O_WRONLY)
        settings = {
            "environment": environment,
            "directory": project,
            "folder": streams,
            "tracer": tracing.TRACER,
        }
        ended = launch(command, passthrough=(null, null), **settings)
        os.close(null)
    finally:
        subprocess.run(["umount", "-l", small], check=True)
    assert ended.exit_status == 4
    assert (streams / "stdout").read_bytes() == b"2 content\n"
    assert (streams / "stderr").read_bytes() == b""
    assert any("could not be written down to its end" in gap.why for gap in tracing.gaps(ended.trace))


def test_hosts_that_a_static_program_talks_to(watching, compiled, project, monkeypatch):
    tool = compiled(
        r"""
        #include <arpa/inet.h>
        #include <fcntl.h>
        #include <sys/socket.h>
        int main(int count, char **argv) {
          struct sockaddr_in to = {AF_INET, htons(9)};
          inet_pton(AF_INET, "192.0.2.7", &to.sin_addr);
          int it = socket(AF_INET, SOCK_STREAM, 0);
          fcntl(it, F_SETFL, O_NONBLOCK);
          connect(it, (void *)&to, sizeof to);
          return 0;
        }
        """
    )
    assert watching(tool, deep=True).observation.network == ("192.0.2.7:9",)


def test_each_process_has_its_end_time_and_memory(watching, project):
    script = "import os, sys\nx = bytearray(60_000_000)\nos.system('exit 3')\nsys.exit(5)\n"
    watched = watching.python(script, deep=True)
    import msgspec

    from envfreeze.records.observation import ProcessEntry

    data = watching.store.path(watched.observation.process_tree).read_bytes()
    entries = msgspec.json.decode(data, type=tuple[ProcessEntry, ...])
    python = next(entry for entry in entries if entry.command[1:] == ("main.py",))
    shell = next(entry for entry in entries if entry.parent == python.pid and "exit 3" in entry.command[-1])
    assert (python.exit_status, shell.exit_status) == (5, 3)
    assert python.peak_memory > 60_000_000 > shell.peak_memory > 0
    assert python.took and python.took >= shell.took
    assert python.cpu > 0


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in children for found in (int(child), *_descendants(int(child)))]


def _kill_the_tracer() -> None:
    """As the kernel does when memory runs out: the moment the command sleeps."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for pid in _descendants(os.getpid()):
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name == "envfreeze-deep" and any(
                "main.py" in Path(f"/proc/{child}/cmdline").read_text() for child in _descendants(pid)
            ):
                time.sleep(0.2)
                os.kill(pid, signal.SIGKILL)
                return
        time.sleep(0.05)


def test_a_killed_tracer_does_not_end_the_run(watching, project):
    for number in range(300):
        (project / f"{number}.txt").write_text("x")
    script = """
    import sys, time
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for number in range(300):
            assert open(f'{number}.txt').read() == 'x'
    print('done')
    sys.exit(4)
    """
    watching.script(script)
    killer = threading.Thread(target=_kill_the_tracer)
    killer.start()
    watched = watching(sys.executable, "main.py", deep=True)
    killer.join()
    assert watching.stdout(watched) == b"done\n"
    assert watched.observation.exit_status == 4
    assert "the tracer was ended before the command" in whats(watched)


def test_where_the_system_refuses_it_the_run_goes_on_and_the_lock_says_so(watching, monkeypatch):
    """Under a tracer already, there can be no second one: the kernel says EBUSY."""
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from envfreeze.observer.watch import watch
        from envfreeze.store import Store
        here = Path.cwd()
        watched = watch(["echo", "hello"], project=here, directory=here, store=Store(here), deep=True)
        why = [gap.why for gap in watched.gaps if gap.what == "the deep trace"]
        print(*why, watched.observation.exit_status)
        """
    )
    watched = watching.python(code, deep=True)
    said = b"this process is under another such tracer already; the default way was used"
    assert watching.stdout(watched) == b"hello\n" + said + b" 0\n"


def test_without_a_tracer_the_lock_says_so(watching, monkeypatch):
    monkeypatch.setattr(tracing, "TRACER", Path("/nonexistent/tracer"))
    watched = watching("true", deep=True)
    assert "the deep trace" in whats(watched)


def test_a_damaged_log_is_no_failure(tmp_path):
    (tmp_path / "trace.deep").write_bytes(b"@1\0Sx y\0Z\0Z1 2\0R\0\xff\xff\0@\0Rabc /x\0X")
    assert observed.read_events(tmp_path).traced is not None
    assert tracing.parse(b"started\nended 1\nfoo\n") == tracing.Trace()


def test_a_privileged_program_that_ran_without_its_rights_is_named(tmp_path):
    program = tmp_path / "sudo"
    program.write_bytes(b"")
    program.chmod(0o4755)
    trace = tracing.Trace(pid=1, status=0, confined=True)
    assert [gap.what for gap in tracing.gaps(trace, [str(program), "/bin/true"])] == [
        "programs with other rights"
    ]
    assert tracing.gaps(trace, ["/bin/true"]) == []
