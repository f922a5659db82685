"""What a run may bring along, and that watching leaves it as it is: table in ``docs/tracing.md``.

Each test runs the command bare and watched. Output, error stream and exit status must be the same, and what
it read and made must be in the record, or the record must say what is not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from envfreeze.observer import inject, tracing
from envfreeze.observer.watch import Watched
from envfreeze.records import lockfile
from envfreeze.records.observation import ProcessEntry
from envfreeze.store import Store

from .conftest import FREEZE, Watching

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
needs_headers = pytest.mark.skipif(
    not Path(sysconfig.get_path("include"), "Python.h").is_file(), reason="no headers of Python"
)
needs_tracer = pytest.mark.skipif(tracing.tracer() is None, reason="this installation has no tracer")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")


def whats(watched: Watched) -> str:
    return "\n".join(f"{gap.what}: {gap.why}" for gap in watched.gaps)


@pytest.fixture
def alike(watching: Watching, project: Path) -> Callable[..., Watched]:
    """Runs a command bare, and watched from the same start; asserts that nobody could tell which is which."""

    def compare(*command: str, variables: Mapping[str, str] | None = None, deep: bool = False) -> Watched:
        environment = {**os.environ, **(variables or {})}
        start = shutil.copytree(project, project.parent / "start", symlinks=True)
        bare = subprocess.run(
            command, cwd=project, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
        shutil.rmtree(project)
        start.rename(project)
        os.chdir(project)
        watched = watching(*command, environment=environment, deep=deep)
        observation = watched.observation
        stderr = watching.store.path(observation.stderr.sha256).read_bytes()
        assert (observation.exit_status, watching.stdout(watched), stderr) == (
            bare.returncode if bare.returncode >= 0 else 128 - bare.returncode,
            bare.stdout,
            bare.stderr,
        )
        return watched

    return compare


# How Python is started

ASKING = """
import site, sys
print(sys.flags, site.ENABLE_USER_SITE)
print([entry for entry in sys.path if "/.envfreeze/tmp/" not in entry])
print([name for name in ("sitecustomize", "usercustomize", "envfreeze_agent") if name in sys.modules])
print(open("data").read())
open("made", "w").write("made")
sys.exit(3)
"""


@pytest.fixture
def user_site(tmp_path: Path) -> dict[str, str]:
    """Variables with which ``sys.executable`` has a user site with a ``usercustomize`` and a module."""
    base = tmp_path / "userbase"
    variables = {**os.environ, "PYTHONUSERBASE": str(base)}
    ask = [sys._base_executable, "-c", "import site; print(site.getusersitepackages())"]
    folder = Path(subprocess.check_output(ask, env=variables, text=True).strip())
    folder.mkdir(parents=True)
    (folder / "usercustomize.py").write_text("import helper; print('own usercustomize', helper.VALUE)\n")
    (folder / "helper.py").write_text("VALUE = 5\n")
    return {"PYTHONUSERBASE": str(base)}


@pytest.mark.parametrize("options", ["-I", "-S", "-E", "-sB", "-IS", "-SE", "-O"])
def test_options_of_python(alike, watching, project, user_site, options):
    """Without the environment's variables or ``site`` the agent cannot be there, and the lock says so."""
    (project / "data").write_text("1")
    watching.script(ASKING)
    python = sys._base_executable
    watched = alike(python, options, "main.py", variables=user_site)
    assert {"main.py", "data"} <= set(watching.files(watched))
    assert watching.outputs(watched) == {"made": b"made"}
    assert watched.executable == python
    assert ("did not load the observer" in whats(watched)) == bool({"I", "S", "E"} & set(options))


@pytest.mark.parametrize("off", [{}, {"PYTHONNOUSERSITE": "1"}], ids=["user site", "PYTHONNOUSERSITE"])
def test_the_users_own_site(alike, watching, user_site, off):
    watching.script("import sys\nfrom helper import VALUE\nprint(VALUE)\n")
    watched = alike(sys._base_executable, "main.py", variables={**user_site, **off})
    assert (b"own usercustomize 5" in watching.stdout(watched)) == (not off)
    assert watched.observation.exit_status == (1 if off else 0)


def test_a_sitecustomize_in_the_project_and_one_of_a_child(alike, watching, project):
    """The first on the path is the one that runs, in children with another path too."""
    (project / "one").mkdir()
    watching.script("print('own', __file__)\n", "one/sitecustomize.py")
    watching.script("print('other', __file__)\n", "two/sitecustomize.py")
    watching.script(
        """
        import os, subprocess, sys
        print(sys.modules.get("sitecustomize"))
        for path in ("two", "", os.environ["PYTHONPATH"].replace("one", "two")):
            variables = {**os.environ, "PYTHONPATH": path}
            subprocess.run([sys.executable, "-c", "print('child')"], env=variables, check=True)
        subprocess.run([sys.executable, "-I", "-c", "print('isolated')"], check=True)
        """
    )
    watched = alike(sys.executable, "main.py", variables={"PYTHONPATH": "one"})
    assert {"main.py", "one/sitecustomize.py", "two/sitecustomize.py"} <= set(watching.files(watched))
    assert watching.stdout(watched).count(b"other") == 2


# What is preloaded, privileged, or elsewhere


@needs_shim
@needs_compiler
def test_libraries_that_the_user_preloads_keep_their_order_and_their_say(alike, watching, project):
    """The first of two stands before the second and both before the C library, as without us."""
    for name in ("first", "second"):
        (project / f"{name}.c").write_text(
            f"""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <stdio.h>
            #include <unistd.h>
            __attribute__((constructor)) static void start(void) {{ fprintf(stderr, "{name} starts\\n"); }}
            int open(const char *path, int flags, int mode) {{
              static int (*next)(const char *, int, int);
              if (!next) next = dlsym(RTLD_NEXT, "open");
              fprintf(stderr, "{name} opens %s\\n", path);
              return next(path, flags, mode);
            }}
            gid_t getgid(void) {{ return {len(name)}; }}
            """
        )
        command = ["cc", "-shared", "-fPIC", "-w", "-o", f"{name}.so", f"{name}.c", "-ldl"]
        subprocess.run(command, cwd=project, check=True)
        (project / f"{name}.c").unlink()
    (project / "data").write_text("1")
    (project / "tool.c").write_text(
        """
        #include <fcntl.h>
        #include <stdio.h>
        #include <unistd.h>
        int main(void) { return printf("%d\\n", getgid()), open("data", O_RDONLY, 0) < 0; }
        """
    )
    subprocess.run(["cc", "-w", "-o", "tool", "tool.c"], cwd=project, check=True)
    (project / "tool.c").unlink()
    libraries = f"{project}/first.so:{project}/second.so"
    watched = alike("./tool", variables={"LD_PRELOAD": libraries})
    assert watching.stdout(watched) == b"5\n"
    assert {"data", "tool", "first.so", "second.so"} <= set(watching.files(watched))
    assert watched.observation.environment["LD_PRELOAD"] == libraries


PRIVILEGED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
  char line[100] = "nothing";
  FILE *in = fopen(words[1], "r");
  if (in) fgets(line, sizeof line, in);
  printf("%d %d %s %s\n", getuid(), geteuid(), line, getenv("LD_PRELOAD") ? "preloaded" : "plain");
  return 4;
}
"""


@pytest.fixture
def privileged() -> Iterator[Path]:
    """A folder that everybody may enter, with a set-user-ID program and a file that root alone may read."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "tool.c").write_text(PRIVILEGED)
    subprocess.run(["cc", "-w", "-o", folder / "tool", folder / "tool.c"], check=True)
    (folder / "tool").chmod(0o4755)
    (folder / "private.dat").write_text("for root")
    (folder / "private.dat").chmod(0o600)
    yield folder
    shutil.rmtree(folder)


@needs_shim
@needs_compiler
@needs_root
@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=needs_tracer)])
def test_a_set_user_id_program_has_its_rights_and_is_named(alike, watching, privileged, deep):
    command = ["setpriv", "--reuid=65534", "--clear-groups", str(privileged / "tool")]
    watched = alike(*command, str(privileged / "private.dat"), deep=deep)
    assert watching.stdout(watched) == b"65534 0 for root plain\n"
    if deep:
        assert str(privileged / "private.dat") in watching.files(watched)
    else:
        assert "static or privileged programs were not traced: tool" in whats(watched)


@pytest.fixture
def root(project: Path) -> Path:
    """Another root in the project, with ``cat`` and a file ``/etc/hostname`` of its own."""
    root = project / "root"
    for line in subprocess.run(["ldd", "/bin/cat"], capture_output=True, text=True).stdout.split():
        if line.startswith("/"):
            (root / line[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(line, root / line[1:])
    (root / "data").mkdir()
    shutil.copy("/bin/cat", root / "cat")
    (root / "data/inside.txt").write_text("inside\n")
    return root


@needs_root
@needs_shim
@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=needs_tracer)])
def test_another_root(alike, watching, project, root, deep):
    """What a child reads below another root is told by where it really lies, or not at all."""
    (project / "before.txt").write_text("before")
    (project / "after.txt").write_text("after")
    watching.script(
        """
        import os, sys
        print(open("before.txt").read())
        child = os.fork()
        if child == 0:
            os.chroot("root")
            os.chdir("/")
            print(open("/data/inside.txt").read(), open("data/inside.txt").read())
            open("/data/made.txt", "w").write("made")
            sys.stdout.flush()
            os.execv("/cat", ["cat", "/data/inside.txt"])
        print(os.waitpid(child, 0)[1])
        print(open("after.txt").read())
        """
    )
    watched = alike(sys.executable, "main.py", deep=deep)
    files = set(watching.files(watched))
    assert {"main.py", "before.txt", "after.txt", "root/data/inside.txt"} <= files
    assert not {path for path in files if path.startswith("/data")}
    assert watching.outputs(watched) == {"root/data/made.txt": b"made"}


SANDBOX = """
echo "$(cat first.txt)"
bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin \\
  --ro-bind "$PWD" /work --proc /proc --chdir /work cat inside.txt
exit 3
"""


@needs_shim
@pytest.mark.skipif(
    subprocess.run("bwrap --ro-bind / / true", shell=True, capture_output=True).returncode != 0
    or not Path("/usr/lib64").exists(),
    reason="no bubblewrap here",
)
def test_a_sandbox_in_which_the_shim_is_not(alike, watching, project):
    """Its loader says nothing of a library that it cannot find; what runs there is a gap."""
    (project / "first.txt").write_text("first")
    (project / "inside.txt").write_text("inside\n")
    watching.script(SANDBOX, "run.sh")
    watched = alike("bash", "run.sh")
    assert watching.stdout(watched) == b"first\ninside\n"
    assert {"run.sh", "first.txt", "inside.txt"} == watching.files(watched).keys()
    assert "another root or mount namespace" in whats(watched)


# Names, numbers and folders


@pytest.mark.parametrize("by", ["python", "cat", "python without the shim"])
def test_names_of_any_bytes(alike, watching, project, by, monkeypatch):
    if by == "python without the shim":
        monkeypatch.setattr(inject, "SHIM", Path("/nonexistent/shim.so"))
    elif inject.shim() is None:
        pytest.skip("this installation has no shim")
    names = [
        b"two\nlines",
        b"\xff\xfe.txt",
        b'tab\tand "quotes" \\ \'',
        b"caf\xc3\xa9",
        b"-n",
        b" ",
        b"\x01\x7f",
    ]
    for name in names:
        with open(os.fsencode(project) + b"/" + name, "wb") as stream:
            stream.write(b"in " + name)
    (project / "unread").write_text("unread")
    watching.script(
        f"""
        import os
        for name in {names!r}:
            text = open(name, "rb").read()
            open(b"made of " + name, "wb").write(text)
            print(text)
        """
    )
    watching.script('for name; do cat -- "$name" > "made of $name"; cat < "made of $name"; done\n', "run.sh")
    words = ["sh", "run.sh", *map(os.fsdecode, names)] if by == "cat" else [sys.executable, "main.py"]
    watched = alike(*words)
    script = "run.sh" if by == "cat" else "main.py"
    assert watching.files(watched).keys() == {script, *map(os.fsdecode, names)}
    assert watching.outputs(watched) == {os.fsdecode(b"made of " + name): b"in " + name for name in names}
    assert "not seen" not in whats(watched) and "not traced" not in whats(watched)


def open_many(watching: Watching, folder: Path, number: int) -> Watched:
    for each in range(number):
        if each % 1000 == 0:
            (folder / f"{each // 1000:03}").mkdir(parents=True)
        (folder / f"{each // 1000:03}/{each}.txt").write_bytes(b"%d" % each)
    return watching.python(
        """
        import os, sys
        total = 0
        for folder, _, names in os.walk(sys.argv[1]):
            for name in names:
                with open(os.path.join(folder, name)) as stream:
                    total += int(stream.read())
        print(total)
        """,
        str(folder),
    )


@pytest.mark.parametrize("number", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_run_that_opens_many_files(watching, project, tmp_path, number, where):
    folder = project / "data" if where == "inside" else tmp_path / "elsewhere"
    watched = open_many(watching, folder, number)
    assert watching.stdout(watched) == b"%d\n" % (number * (number - 1) // 2)
    assert watched.gaps == ()
    assert watched.observation.files.count == number + 1


# How programs are started

STARTS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
pid_t _Fork(void);
static char *nothing[] = {0};
static void reads(const char *how) {
  char name[100], text[100] = "";
  snprintf(name, sizeof name, "%s.txt", how);
  int file = open(name, O_RDONLY);
  if (file < 0 || read(file, text, 99) < 0) _exit(9);
  close(file);
  dprintf(1, "%s\n", text);
}
static int by_clone(void *how) { reads(how); _exit(3); }
int main(int count, char **words) {
  static char stack[1 << 16];
  char path[200], name[200], *cat[] = {"cat", name, 0}, *tool[] = {"tool", name, 0}, *how = words[1];
  pid_t child = 0;
  snprintf(name, sizeof name, "%s.txt", how);
  for (int i = 0; i < 3000; i++) { snprintf(path, sizeof path, "missing/%d", i); open(path, O_RDONLY); }
  reads("before");
  if (!strcmp(how, "fork")) { if (!(child = fork())) by_clone(how); }
#if __GLIBC_PREREQ(2, 34)
  else if (!strcmp(how, "_Fork")) { if (!(child = _Fork())) by_clone(how); }
#endif
  else if (!strcmp(how, "syscall")) { if (!(child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) by_clone(how); }
  else if (!strcmp(how, "clone")) child = clone(by_clone, stack + sizeof stack, SIGCHLD, how);
  else if (!strcmp(how, "vfork")) { if (!(child = vfork())) { execv("/bin/cat", cat); _exit(9); } }
  else if (!strcmp(how, "posix_spawn")) posix_spawn(&child, "/bin/cat", 0, 0, cat, nothing);
  else if (!strcmp(how, "posix_spawnp")) posix_spawnp(&child, "tool", 0, 0, tool, environ);
  else if (!strcmp(how, "system")) { snprintf(path, sizeof path, "cat %s; exit 3", name); system(path); }
  else if (!strcmp(how, "popen")) {
    snprintf(path, sizeof path, "cat %s", name);
    FILE *pipe = popen(path, "r");
    for (int c; (c = getc(pipe)) != EOF;) putchar(c);
    fflush(stdout);
    pclose(pipe);
  } else if (!(child = fork())) {
    int file = open("/bin/cat", O_RDONLY);
    if (!strcmp(how, "fexecve")) fexecve(file, cat, nothing);
    if (!strcmp(how, "execveat")) execveat(AT_FDCWD, "/bin/cat", cat, nothing, 0);
    if (!strcmp(how, "execvp")) execvp("tool", tool);
    if (!strcmp(how, "execlp")) execlp("tool", "tool", name, (char *)0);
    if (!strcmp(how, "execle")) execle("/bin/cat", "cat", name, (char *)0, nothing);
    _exit(9);
  }
  int status = 0;
  if (child > 0) waitpid(child, &status, 0);
  for (int i = 0; i < 3000; i++) { snprintf(path, sizeof path, "gone/%d", i); open(path, O_RDONLY); }
  reads("after");
  return WEXITSTATUS(status);
}
"""
BY_PATH = frozenset({"posix_spawnp", "execvp", "execlp"})
"""These look for a static program, which is told as one that nobody watched."""


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starter")
    (folder / "starts.c").write_text(STARTS)
    (folder / "tool.c").write_text('int main(void) { return write(1, "static\\n", 7) < 0; }\n')
    subprocess.run(["cc", "-w", "-o", folder / "starts", folder / "starts.c"], check=True)
    done = subprocess.run(
        ["cc", "-w", "-static", "-o", folder / "tool", folder / "tool.c"], capture_output=True
    )
    if done.returncode:
        pytest.skip("no static C library")
    return folder


@needs_shim
@needs_compiler
@pytest.mark.parametrize(
    "how",
    ["fork", "_Fork", "syscall", "clone", "vfork", "posix_spawn", "posix_spawnp", "system", "popen",
     "fexecve", "execveat", "execvp", "execlp", "execle"],
)  # fmt: skip
def test_every_way_to_start_a_process(alike, watching, project, starter, how):
    for name in ("before", "after", how):
        (project / f"{name}.txt").write_text(name)
    (project / "unread.txt").write_text("unread")
    watched = alike(str(starter / "starts"), how, variables={"PATH": f"{starter}:{os.environ['PATH']}"})
    files = set(watching.files(watched))
    assert {"before.txt", "after.txt", f"{how}.txt"} <= files
    if how in BY_PATH:
        assert "static or privileged programs were not traced: tool" in whats(watched)
    else:
        assert "unread.txt" not in files
        assert "not traced" not in whats(watched)


# Who did what


def deeds(watching: Watching, watched: Watched) -> dict[str, tuple[set[str], set[str]]]:
    """What each program read and wrote, by the last word of its command line, or what starts its workers."""
    data = watching.store.path(watched.observation.process_tree).read_bytes()
    found: dict[str, tuple[set[str], set[str]]] = {}
    for entry in msgspec.json.decode(data, type=list[ProcessEntry]):
        # From Python 3.14 on, the line of the server that forks ends with the script's name.
        word = next((word for word in entry.command if "multiprocessing" in word), entry.command[-1])
        read, wrote = found.setdefault(word, (set(), set()))
        read.update(entry.read)
        wrote.update(entry.wrote)
    return found


FAMILY = """
import multiprocessing, os, subprocess, sys, threading
def copy(name):
    with open(name) as source, open("made-" + name, "w") as target:
        target.write(source.read())
if __name__ == "__main__":
    print(open("own").read())
    thread = threading.Thread(target=copy, args=("thread",))
    thread.start(), thread.join()
    for method in ("fork", "spawn", "forkserver"):
        worker = multiprocessing.get_context(method).Process(target=copy, args=(method,))
        worker.start(), worker.join()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "open('exec').read()", "of exec"])
    os.wait()
    if os.fork() == 0:
        os.execlp("sh", "sh", "-c", "cat shell > made-shell", "of shell")
    os.wait()
    subprocess.run([sys.executable, "-c", "open('child').read()", "of child"], check=True)
    os.posix_spawnp("cat", ["cat", "spawned"], {})
    os.wait()
    sys.stdout.flush()
    os.execve("/bin/sh", ["sh", "-c", "cat last; exit 6", "of last"], {"PATH": "/bin:/usr/bin"})
"""


@needs_shim
@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=needs_tracer)])
def test_who_read_and_wrote_what(alike, watching, project, deep):
    names = ["own", "thread", "fork", "spawn", "forkserver", "exec", "shell", "child", "spawned", "last"]
    for name in names:
        (project / name).write_text(name)
    watching.script(FAMILY)
    watched = alike(sys.executable, "main.py", deep=deep)
    assert watched.observation.exit_status == 6
    assert watching.files(watched).keys() == {"main.py", *names}
    made = {f"made-{name}" for name in ("thread", "fork", "spawn", "forkserver", "shell")}
    assert watching.outputs(watched).keys() == made
    who = deeds(watching, watched)
    assert who["main.py"] == ({"main.py", "own", "thread", "fork"}, {"made-thread", "made-fork"})
    assert who["of exec"] == ({"exec"}, set())
    assert who["of shell"] == (set(), {"made-shell"})
    assert (who["shell"], who["spawned"], who["last"]) == (
        ({"shell"}, set()),
        ({"spawned"}, set()),
        ({"last"}, set()),
    )
    assert who["of child"] == ({"child"}, set())
    assert who["of last"] == (set(), set())
    rest = [
        files for word, files in who.items() if word not in names and not word.startswith(("of ", "main"))
    ]
    assert set().union(*(read for read, _ in rest)) >= {"spawn", "forkserver", "main.py"}
    assert set().union(*(wrote for _, wrote in rest)) == {"made-spawn", "made-forkserver"}


# Where the shim cannot be loaded, and where nothing can be written


def test_the_agent_alone(alike, watching, project, without_shim):
    """What each Python opens is seen; what other programs read is not, and the lock says so."""
    for name in ("own", "shell", "child", "unread"):
        (project / name).write_text(name)
    watching.script(
        """
        import subprocess, sys
        print(open("own").read())
        open("made", "w").write("made")
        subprocess.run([sys.executable, "-c", "open('child').read()", "of child"], check=True)
        subprocess.run(["cat", "shell"], check=True)
        """
    )
    watched = alike(sys.executable, "main.py")
    assert watching.files(watched).keys() == {"main.py", "own", "shell", "child", "unread"}
    assert "programs other than Python were not traced: cat: what they read is unknown" in whats(watched)
    who = deeds(watching, watched)
    assert who["main.py"] == ({"main.py", "own"}, {"made"})
    assert who["of child"] == ({"child"}, set())
    watching.script("print(open('own').read())\n")
    watched = alike(sys.executable, "main.py")
    assert watching.files(watched).keys() == {"main.py", "own"}
    assert watched.gaps == ()


@needs_compiler
@needs_headers
def test_compiled_modules_without_the_shim(alike, watching, project, without_shim):
    """They may open files past the audit hook: all small files count as possibly read."""
    (project / "native.c").write_text(
        """
        #include <Python.h>
        static PyObject *first(PyObject *self, PyObject *path) {
          FILE *in = fopen(PyUnicode_AsUTF8(path), "r");
          int c = getc(in);
          fclose(in);
          return PyLong_FromLong(c);
        }
        static PyMethodDef methods[] = {{"first", first, METH_O, ""}, {0}};
        static PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", 0, -1, methods};
        PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
        """
    )
    include = sysconfig.get_path("include")
    command = ["cc", "-shared", "-fPIC", "-w", f"-I{include}", "-o", "native.so", "native.c"]
    subprocess.run(command, cwd=project, check=True)
    (project / "data").write_text("1")
    watching.script("import native\nprint(native.first('data'))\n")
    watched = alike(sys.executable, "main.py")
    assert {"data", "native.so", "main.py"} <= watching.files(watched).keys()
    assert "compiled modules were not traced: native: what they open by themselves" in whats(watched)


@pytest.fixture
def read_only(project: Path) -> Iterator[Path]:
    """The project cannot be written: by its mount where we are root, otherwise by its mode."""
    (project / "data").write_text("content")
    (project / "main.py").write_text("print(open('data').read())\n")
    if os.geteuid() == 0:
        bind = ["mount", "--bind", project, project]
        if subprocess.run(bind, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        subprocess.run(["mount", "-o", "remount,bind,ro", project], check=True)
    else:
        project.chmod(0o555)
    os.chdir(project)
    yield project
    os.chdir("/")
    if os.geteuid() == 0:
        subprocess.run(["umount", "-l", project], check=True)
    else:
        project.chmod(0o755)


def test_a_project_that_cannot_be_written(read_only, tmp_path):
    """One sentence, and the command does not run in vain; another project folder may take the lock."""
    done = subprocess.run([*FREEZE, "--", sys.executable, "main.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"envfreeze: {read_only}/.envfreeze: ") and len(lines) <= 2, done.stderr
    assert sorted(os.listdir(read_only)) == ["data", "main.py"]
    (tmp_path / "elsewhere").mkdir()
    command = [*FREEZE, "--project", str(tmp_path / "elsewhere"), "--", sys.executable, "main.py"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "content\n"), done.stderr
    lock = lockfile.read(tmp_path / "elsewhere/envfreeze.lock")
    read = Store(tmp_path / "elsewhere").entries(lock.run.files, what="files")
    assert {f"{read_only}/data", f"{read_only}/main.py"} <= {entry.path for entry in read}
