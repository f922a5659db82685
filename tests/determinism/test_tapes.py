"""Programs that differ from run to run and are the same between freeze and replay, with no seed in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from envfreeze import workflow
from envfreeze.observer import inject
from envfreeze.records.run import Run
from envfreeze.records.tapes import LeftTape
from envfreeze.report._tapes import first_hint

from ._recorder import Recorder, environment

pytestmark = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")

ENGINES = [pytest.param("local"), pytest.param("docker", marks=pytest.mark.engine)]

PYTHON = {
    "random": "import random as r; print(r.random(), r.Random().random(), r.SystemRandom().random())",
    "uuid": "import uuid; print(uuid.uuid1(), uuid.uuid4(), uuid.getnode())",
    "secrets": "import secrets, os; print(secrets.token_hex(), os.urandom(5), os.getrandom(3))",
    "device": "print(open('/dev/urandom', 'rb', 0).read(9), open('/dev/random', 'rb', 0).read(4))",
    "hash_order": "print({'a', 'b', 'c', 'd', 'e'}, hash('x'))",
    "temporary_names": "import tempfile; print(tempfile.mkdtemp(), tempfile.mktemp())",
    "dates": "from datetime import *; print(datetime.now(), datetime.now(timezone.utc), date.today())",
    "step_times": """
        import time
        began = time.perf_counter()
        for step in range(100):
            sum(range(1000))
            print(step, time.perf_counter() - began, time.monotonic_ns(), time.process_time())
        print(time.time(), time.time_ns(), time.ctime(), time.localtime(), time.thread_time())
        print(time.clock_gettime(time.CLOCK_BOOTTIME))
        """,
    "logging": "import logging as l; l.basicConfig(format='%(asctime)s %(relativeCreated)d'); l.error('')",
    "threads": """
        import os, queue, random, threading, time
        lines = {}
        def work(number):
            began = time.perf_counter()
            for _ in range(300):
                os.urandom(2), time.perf_counter(), time.time()
            threading.Event().wait(0.01)
            try:
                queue.Queue().get(timeout=0.01)
            except queue.Empty:
                pass
            lines[number] = random.Random().random(), os.urandom(4), time.perf_counter() - began
        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(timeout=30)
        print(sorted(lines.items()))
        """,
    "event_loop": """
        import asyncio, random
        async def step(number):
            await asyncio.sleep(0.01 * random.random())
            return number, random.Random().random()
        async def main():
            print(await asyncio.wait_for(asyncio.gather(*map(step, range(9))), timeout=30))
        asyncio.run(main())
        """,
    "children": """
        import subprocess, sys
        code = "import random, time; print(random.random(), time.time(), hash('a'))"
        children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
        print([child.communicate()[0] for child in children])
        print(subprocess.run(["date", "+%N"], env={}, capture_output=True).stdout, flush=True)
        import os
        os.system("date +%N")
        print(os.popen("date +%N").read())
        """,
    "forks": """
        import os, random, time
        for _ in range(3):
            child = os.fork()
            if child == 0:
                print(random.Random().random(), os.urandom(3), time.time(), flush=True)
                os._exit(0)
            os.waitpid(child, 0)
        print(os.urandom(3))
        """,
    "numbers": """
        import multiprocessing, os, signal, subprocess, sys, threading
        code = "import os; print(os.getpid(), os.getppid())"
        print(os.getpid(), os.getppid(), os.getpgrp() == os.getpgid(0), threading.get_native_id())
        thread = threading.Thread(target=lambda: print(threading.get_native_id()))
        thread.start(), thread.join()
        children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
        print([(child.pid, child.communicate()[0], child.returncode) for child in children])
        sleeper = subprocess.Popen(["sleep", "99"], start_new_session=True)
        print(os.path.exists(f"/proc/{sleeper.pid}/stat"), os.sched_getaffinity(sleeper.pid) != set())
        os.killpg(sleeper.pid, signal.SIGTERM)
        print(sleeper.pid, sleeper.wait())
        child = os.fork()
        if child == 0:
            print(os.getpid(), os.getppid(), flush=True)
            os._exit(3)
        print(child, os.waitpid(child, 0))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(pool.map(os.getpgid, [0]) == [os.getpgid(0)], [worker.pid for worker in pool._pool])
        signal.signal(signal.SIGUSR1, lambda *_: print("signalled"))
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        """,
    "file_times": """
        import glob, hashlib, io, os, random, tarfile, tempfile, zipfile
        def nobody(member):  # the owner's number is another in a container
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return member
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for number in range(9):
                open(f"{random.getrandbits(30)}", "w").write("x")
            print([(os.stat(path).st_mtime_ns, os.lstat(path).st_ctime_ns) for path in os.listdir()])
            print([entry.stat().st_atime for entry in os.scandir()])
            with open("a", "w") as file:
                print(os.fstat(file.fileno()).st_mtime)
            zipped, packed = io.BytesIO(), io.BytesIO()
            with zipfile.ZipFile(zipped, "w") as archive:
                for path in glob.glob("*"): archive.write(path)
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.add(".", filter=nobody)
            print([hashlib.sha256(file.getvalue()).hexdigest() for file in (zipped, packed)])
            os.chdir("/")
        """,
    "folder_order": """
        import glob, os, random, tempfile
        with tempfile.TemporaryDirectory() as folder:
            for number in range(40):
                open(f"{folder}/{random.getrandbits(30)}", "w").close()
            print(os.listdir(folder), glob.glob(f"{folder}/*"), list(os.walk(folder)))
            print([entry.name for entry in os.scandir(folder)])
        """,
    "machine": """
        import getpass, os, pwd, socket, platform
        print(socket.gethostname(), platform.node(), pwd.getpwuid(os.getuid()).pw_name, getpass.getuser())
        for name in "sys/kernel/random/uuid", "sys/kernel/random/boot_id", "uptime", "self/stat":
            print(open(f"/proc/{name}").read())
        print(open("/proc/self/statm").read(), open(f"/proc/{os.getpid()}/stat").read())
        print(open("/proc/loadavg").read())
        """,
    "isolated_mode": """
        import subprocess, sys
        code = "import random, time; print(random.random(), time.perf_counter(), hash('a'))"
        print(subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True).stdout)
        """,
}
POOL = """
    import multiprocessing, os, random, sys, time
    def work(number):
        return number, random.Random().random(), os.urandom(3), time.perf_counter(), list({"a", "b", "c"})
    if __name__ == "__main__":
        with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
            print(pool.map(work, range(5)))
        processes, results = [], []
        for number in range(3):
            receive, send = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.get_context(sys.argv[1]).Process(target=answer, args=(send, number))
            process.start()
            processes.append(process), results.append(receive)
        print([receive.recv() for receive in results])
        for process in processes: process.join()
    """.replace(
    "    if __name__", "    def answer(send, number):\n        send.send(work(number))\n    if __name__"
)
SHELL = {
    "date": "date +%s%N; date +%N; echo $(date +%N); (date +%N); date +%N | cat",
    "od": "od -An -N8 -tx1 /dev/urandom",
    "head": "head -c 9 /dev/urandom | od -An -tx1",
    "redirected": "od -An -N8 -tx1 < /dev/urandom",
    "mktemp": "mktemp -u; f=$(mktemp); echo $f; rm $f; f=$(mktemp -d); echo $f; rmdir $f",
    "processes": "echo $$ $PPID; sleep 0.01 & echo $!; wait $!; echo $?; sh -c 'echo $$ $PPID'; kill -0 $$",
    "bash": """
        bash -c 'echo $RANDOM $RANDOM $(echo $RANDOM) $SRANDOM $$ $BASHPID $EPOCHREALTIME; (echo $RANDOM)'
        bash -c 'sleep 9 & echo $!; kill $!; wait $!; echo $?; cut -d " " -f 1-4,22 /proc/$$/stat'
        """,
    "perl": """perl -e 'print rand, " $$ ", getppid, " ", time'""",
    "awk": "awk 'BEGIN { srand(); print rand(), srand() }'",
    "files": """
        folder=$(mktemp -d); cd $folder
        for i in 1 2 3 4 5 6 7 8 9; do echo > f$(od -An -N4 -tx4 /dev/urandom | tr -d ' '); done
        ls -f; find .; stat -c '%n %y %z' *; ls -go --time-style=full-iso
        tar cf $folder.tar --owner=0 --group=0 .; sha256sum < $folder.tar; rm -r $folder*
        """,
}
POOLS = ("fork", "spawn", "forkserver")
NAMES = [*PYTHON, *POOLS, *SHELL]


def write_programs(project: Path) -> None:
    lines = ["mkdir -p out"]
    for name, text in PYTHON.items():
        (project / f"{name}_.py").write_text(textwrap.dedent(text))
        lines.append(f"python {name}_.py > out/{name} 2>&1")
    (project / "pool_.py").write_text(textwrap.dedent(POOL))
    lines += [f"python pool_.py {method} > out/{method}" for method in POOLS]
    for name, text in SHELL.items():
        (project / f"{name}.sh").write_text(text)
        lines.append(f"sh {name}.sh > out/{name}")
    (project / "run.sh").write_text("\n".join(lines) + "\n")


def freeze(project: Path, python: Path, *command: str, **options: object):
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        return workflow.freeze(
            command,
            project=project,
            directory=project,
            environment=environment(python),
            passthrough=(null, null),
            **({"offline": True, "prove": False} | options),
        )
    finally:
        os.close(null)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Path:
    """A project with all the programs, frozen once."""
    project = tmp_path_factory.mktemp("taped") / "project"
    project.mkdir()
    write_programs(project)
    lock = freeze(project, python, "sh", "run.sh")
    assert lock.run is not None and lock.run.exit_status == 0 and lock.run.tapes is not None
    assert {"clock", "randomness"} <= set(lock.run.tapes.sources)
    return project


@pytest.fixture(scope="module", params=ENGINES)
def replayed(frozen: Path, request: pytest.FixtureRequest) -> Run:
    return workflow.replay(frozen, engine=request.param)


@pytest.fixture(scope="module")
def plain(frozen: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the programs write when they just run again."""
    project = tmp_path_factory.mktemp("plain") / "project"
    shutil.copytree(frozen, project, ignore=shutil.ignore_patterns(".envfreeze", "out"))
    subprocess.run(["sh", "run.sh"], cwd=project, env=environment(python), check=True, timeout=120)
    return {path.name: path.read_bytes() for path in (project / "out").iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_an_unseeded_program_gives_the_same_bytes(
    name: str, frozen: Path, replayed: Run, plain: dict[str, bytes]
) -> None:
    original = (frozen / "out" / name).read_bytes()
    assert b"Traceback" not in original
    assert plain[name] != original, "this program is the same anyway, and shows nothing"
    assert (Path(replayed.folder) / "outputs/out" / name).read_bytes() == original


def test_all_of_it_is_identical(replayed: Run) -> None:
    assert replayed.comparison and replayed.comparison.verdict == "identical"
    assert "PYTHONHASHSEED" not in {setting.variable for setting in replayed.settings}
    assert first_hint(replayed.left_tape) is None, replayed.left_tape


def test_tapes_are_private(frozen: Path) -> None:
    folder = frozen / ".envfreeze/tapes"
    assert "*" in (folder / ".gitignore").read_text().splitlines()
    assert folder.stat().st_mode & 0o077 == 0


def test_without_tapes_a_replay_goes_on_and_says_so(project: Path, python: Path) -> None:
    (project / "main.py").write_text("import random; print(random.random(), {'a', 'b', 'c'})")
    freeze(project, python, "python", "main.py")
    shutil.rmtree(project / ".envfreeze/tapes")
    run = workflow.replay(project, engine="local")
    assert run.exit_status == 0
    assert any("tapes of the recorded run are not here" in note for note in run.notes)
    assert "PYTHONHASHSEED" in {setting.variable for setting in run.settings}


def test_damaged_tapes_are_not_played(project: Path, python: Path) -> None:
    (project / "main.py").write_text("import random; print(random.random())")
    freeze(project, python, "python", "main.py")
    for tape in (project / ".envfreeze/tapes").glob("*/*.tape"):
        tape.write_bytes(tape.read_bytes()[:-1] + b"!")
    run = workflow.replay(project, engine="local")
    assert run.exit_status == 0
    assert any("damaged" in note for note in run.notes)


def test_the_profile_off_tapes_nothing(project: Path, python: Path) -> None:
    (project / "main.py").write_text("import random; print(random.random())")
    lock = freeze(project, python, "python", "main.py", profile="off")
    assert lock.run is not None and lock.run.tapes is None
    assert not (project / ".envfreeze/tapes").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_altered_code_leaves_the_tape_and_the_first_place_is_named(
    engine: str, project: Path, python: Path
) -> None:
    (project / "main.py").write_text("import os\nfor _ in range(3):\n    print(os.urandom(4).hex())\n")
    freeze(project, python, "python", "main.py")
    (project / "main.py").write_text(
        "import os\nfor _ in range(3):\n    print(os.urandom(4).hex())\n\nprint(os.urandom(4).hex())\n"
    )
    runs = [workflow.replay(project, engine=engine, code=project) for _ in range(2)]
    for run in runs:
        assert run.exit_status == 0
        assert run.comparison and run.comparison.verdict == "different"
        first = run.left_tape[0]
        assert (first.source, first.place) == ("randomness", f"{project}/main.py:5")
        assert f"{project}/main.py:5 asked for randomness" in str(first_hint(run.left_tape))
    # What comes after the tape is made up, but not anew each time.
    assert runs[0].stdout.sha256 == runs[1].stdout.sha256


def test_waits_of_the_library_are_no_hint() -> None:
    wait = LeftTape(
        process="python", source="clock", site="time.monotonic", thread="0", taken=9,
        line="/usr/lib/python3.11/selectors.py:460", place="/p/a.py:9",
    )  # fmt: skip
    own = LeftTape(process="python", source="clock", site="time.time", thread="0", taken=1, place="/p/a.py:3")
    assert first_hint((wait,)) is None
    assert "/p/a.py:3 asked for the time" in str(first_hint((wait, own)))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    yield Recorder(tmp_path)


def test_another_build_of_python_gets_the_same(recorder: Recorder) -> None:
    others = [
        path for path in ("/usr/bin/python3", shutil.which("python3.12")) if path and Path(path).exists()
    ]
    if not others or os.path.realpath(others[0]) == os.path.realpath(sys.executable):
        pytest.skip("no second Python here")
    code = (
        "import random, time, datetime, uuid, hashlib\n"
        "print(random.random(), time.perf_counter(), time.time(), uuid.uuid4(), time.ctime())\n"
        "print(datetime.datetime.now())"
    )
    done, sealed, _ = recorder.record(others[0], "-c", code)
    again, left = recorder.play(sealed, sys.executable, "-c", code)
    assert again.stdout == done.stdout
    assert first_hint(left) is None


def test_a_script_that_a_shell_starts_is_the_script_that_starts_itself(
    recorder: Recorder, tmp_path: Path
) -> None:
    """Installers write one where the interpreter's path is too long for the other."""
    ways = {
        "itself": f"#!{sys.executable}\n",
        "shell": f"#!/bin/sh\n'''exec' {sys.executable} \"$0\" \"$@\"\n' '''\n",
    }
    for way, start in ways.items():
        (tmp_path / way).mkdir()
        (tmp_path / way / "script").write_text(f"{start}import random\nprint(random.random())\n")
        (tmp_path / way / "script").chmod(0o755)
    done, sealed, _ = recorder.record(str(tmp_path / "itself/script"))
    again, left = recorder.play(sealed, str(tmp_path / "shell/script"))
    assert done.stdout == again.stdout != b"" and left == ()


def test_timed_waits_end_at_their_time_although_clocks_are_replayed(
    recorder: Recorder, tmp_path: Path
) -> None:
    """With the deadlines left as they are these waits would end at once, or days later."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler here")
    (tmp_path / "waits.cc").write_text(WAITS)
    program = str(tmp_path / "waits")
    subprocess.run([compiler, "-O1", "-o", program, tmp_path / "waits.cc", "-lpthread"], check=True)
    done, sealed, _ = recorder.record(program)
    again, left = recorder.play(sealed, program)
    assert done.stdout == again.stdout and done.stdout.count(b"\n") == 3
    assert left == ()
    slept = json.loads(again.stderr)
    assert all(0.03 < seconds < 20 for seconds in slept), slept


WAITS = """
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <random>
#include <semaphore.h>
#include <sys/times.h>
#include <thread>
#include <time.h>
#include <unistd.h>
using namespace std::chrono;
// On no tape: ticks since the machine's start.
static double real() { tms t; return double(times(&t)) / sysconf(_SC_CLK_TCK); }
int main() {
  std::random_device device;
  std::cout << device() << " " << device() << std::endl;
  std::cout << system_clock::now().time_since_epoch().count() << std::endl;
  std::mutex mutex; std::condition_variable condition; std::unique_lock<std::mutex> lock(mutex);
  double began = real();
  condition.wait_until(lock, system_clock::now() + milliseconds(50));
  double a = real(); condition.wait_until(lock, steady_clock::now() + milliseconds(50));
  double b = real(); std::this_thread::sleep_until(steady_clock::now() + milliseconds(50));
  double c = real(); timespec at; clock_gettime(CLOCK_REALTIME, &at); at.tv_nsec += 50000000;
  if (at.tv_nsec >= 1000000000) { at.tv_nsec -= 1000000000; at.tv_sec++; }
  sem_t semaphore; sem_init(&semaphore, 0, 0); sem_timedwait(&semaphore, &at);
  double d = real();
  std::cout << steady_clock::now().time_since_epoch().count() << std::endl;
  fprintf(stderr, "[%f, %f, %f, %f]", a - began, b - a, c - b, d - c);
}
"""


SOURCES = """
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
int main() {
  std::random_device device;
  printf("%u %d %d %ld\\n", device(), getpid(), getppid(), syscall(SYS_gettid));
  char file[] = "/tmp/abXXXXXX", folder[] = "/tmp/abXXXXXX", ended[] = "/tmp/abXXXXXX.txt";
  close(mkstemp(file)), mkdtemp(folder), close(mkstemps(ended, 4));
  puts(file), puts(folder), puts(ended), fflush(stdout);
  unlink(file), rmdir(folder), unlink(ended);
  std::thread thread([] { printf("%ld\\n", syscall(SYS_gettid)); });
  thread.join();
}
"""


def test_a_cpp_program_gets_its_numbers_and_names_again(recorder: Recorder, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler here")
    (tmp_path / "sources.cc").write_text(SOURCES)
    program = str(tmp_path / "sources")
    subprocess.run([compiler, "-w", "-o", program, tmp_path / "sources.cc", "-lpthread"], check=True)
    done, sealed, _ = recorder.record(program)
    again, left = recorder.play(sealed, program)
    assert "process numbers" in sealed.sources and "temporary names" in sealed.sources
    assert done.stdout == again.stdout and done.stdout.count(b"\n") == 5 and left == ()
    assert recorder.record(program)[0].stdout != done.stdout


def test_libraries_that_make_keys_get_real_randomness_when_there_is_a_network(recorder: Recorder) -> None:
    code = "import ssl, random, os; print(ssl.RAND_bytes(8).hex()); print(random.random())"
    done, sealed, gaps = recorder.record(sys.executable, "-c", code)
    assert "keys are on the tapes: libcrypto" in gaps
    first, _ = recorder.play(sealed, sys.executable, "-c", code, ENVFREEZE_TAPE_KEYS="real")
    second, _ = recorder.play(sealed, sys.executable, "-c", code, ENVFREEZE_TAPE_KEYS="real")
    keys = [run.stdout.splitlines()[0] for run in (done, first, second)]
    assert len(set(keys)) == 3
    assert len({run.stdout.splitlines()[1] for run in (done, first, second)}) == 1


_HANDSHAKE = """
import random, ssl, sys
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[1], sys.argv[2])
client = ssl.create_default_context(cafile=sys.argv[1])
up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = [client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)]
hello = b""
for _ in range(5):
    for end in ends:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
        if not hello:
            hello = up.read()
            up.write(hello)
ends[0].write(b"over TLS")
print(hello[11:43].hex())  # ClientHello.random: after 5 bytes of record, 4 of handshake, 2 of version
print(ends[1].read(), random.random())
"""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_a_handshake_over_a_network_takes_no_replayed_randomness(recorder: Recorder, tmp_path: Path) -> None:
    """The client's random of RFC 8446, section 4.1.2, is new, and the rest of the program has its tape."""
    key, certificate, script = (str(tmp_path / name) for name in ("key.pem", "cert.pem", "main.py"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    Path(script).write_text(_HANDSHAKE)
    command = sys.executable, script, certificate, key
    done, sealed, gaps = recorder.record(*command)
    assert done.returncode == 0, done.stderr
    assert "keys are on the tapes" in gaps
    runs = [done, *(recorder.play(sealed, *command, ENVFREEZE_TAPE_KEYS="real")[0] for _ in range(2))]
    lines = [run.stdout.splitlines() for run in runs]
    assert len({hello for hello, _ in lines}) == 3
    assert len({rest for _, rest in lines}) == 1 and b"over TLS" in lines[0][1]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler here")
def test_what_a_library_for_keys_asks_the_system_for_is_replayed_only_without_a_network(
    recorder: Recorder, tmp_path: Path
) -> None:
    """OpenSSL mixes in a counter of the processor, which no tape holds; this stand-in does not."""
    library = str(tmp_path / "libcrypto.so.3")
    source = """
    #include <sys/random.h>
    unsigned draw(void) { unsigned drawn; getrandom(&drawn, sizeof drawn, 0); return drawn; }
    """
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library]
    subprocess.run(command, input=source, text=True, check=True, capture_output=True)
    code = f"import ctypes; print([ctypes.CDLL({library!r}).draw() for _ in range(2)])"
    done, sealed, _ = recorder.record(sys.executable, "-c", code)
    alone, _ = recorder.play(sealed, sys.executable, "-c", code)
    networked, _ = recorder.play(sealed, sys.executable, "-c", code, ENVFREEZE_TAPE_KEYS="real")
    assert done.stdout == alone.stdout != networked.stdout and networked.returncode == 0


@pytest.mark.index
def test_numpy_old_and_new(project: Path, tmp_path: Path) -> None:
    python = tmp_path / "numpy"
    subprocess.run([sys.executable, "-m", "venv", python], check=True)
    subprocess.run([python / "bin/pip", "install", "-q", "numpy"], check=True)
    (project / "main.py").write_text(
        "import numpy as np\n"
        "print(np.random.rand(2), np.random.default_rng().random(2), np.random.RandomState().rand())\n"
        "print(np.random.SeedSequence().entropy, np.random.permutation(9))\n"
    )
    lock = freeze(project, python / "bin", "python", "main.py", offline=False)
    assert all(package.source != "unknown" for package in lock.packages), lock.gaps
    run = workflow.replay(project, engine="local")
    assert run.comparison and run.comparison.verdict == "identical"
