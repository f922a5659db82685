"""Data and code outside of the project, links to them, downloads, and data that is only referred to."""

from __future__ import annotations

import http.server
import os
import sys
import threading

import pytest

from envfreeze.errors import InputError
from envfreeze.observer import inject
from envfreeze.observer.capture import DataOptions, options
from envfreeze.observer.reference import origin_of, parsed

needs_shim = pytest.mark.skipif(inject.shim() is None, reason="this installation has no shim")


def whats(watched):
    return "\n".join(f"{gap.what}: {gap.why}" for gap in watched.gaps)


def entries(watching, watched):
    found = watching.store.entries(watched.observation.files, what="files")
    return {entry.path: entry for entry in found}


def test_data_and_code_outside_the_project_are_kept_with_their_paths(watching, tmp_path):
    (tmp_path / "far.csv").write_text("1")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/helper.py").write_text("")
    watched = watching.python(
        f"""
        import sys
        sys.path.insert(0, {str(tmp_path / "lib")!r})
        import helper
        open({str(tmp_path / "far.csv")!r}).read()
        open("/etc/hostname").read()
        """
    )
    files = watching.files(watched)
    assert set(files) == {"main.py", str(tmp_path / "far.csv"), str(tmp_path / "lib/helper.py")}
    kinds = {path: entry.kind for path, entry in entries(watching, watched).items()}
    assert kinds[str(tmp_path / "far.csv")] == "data"
    assert kinds[str(tmp_path / "lib/helper.py")] == kinds["main.py"] == "code"
    assert watched.gaps == ()


def test_links_outside_are_kept_as_links_with_what_they_lead_to(watching, project, tmp_path):
    store = tmp_path / "disk"
    store.mkdir()
    (store / "v2.csv").write_text("2")
    (store / "current.csv").symlink_to("v2.csv")
    (project / "data.csv").symlink_to("../disk/current.csv")
    (tmp_path / "host").symlink_to("/etc/hostname")
    watched = watching.python(f"open('data.csv').read(); open({str(tmp_path / 'host')!r}).read()\n")
    files = watching.files(watched)
    assert files["data.csv"] == "../disk/current.csv"
    assert files[str(store / "current.csv")] == "v2.csv"
    assert files[str(store / "v2.csv")] == b"2"
    with open("/etc/hostname", "rb") as stream:
        assert files[str(tmp_path / "host")] == stream.read()


def test_what_is_beyond_the_limit_is_named_and_the_smaller_is_kept(watching, tmp_path):
    (tmp_path / "large").write_bytes(bytes(1000))
    (tmp_path / "small").write_bytes(bytes(10))
    text = f"for name in ('large', 'small'): open({str(tmp_path)!r} + '/' + name).read()\n"
    watched = watching.python(text, data=DataOptions(limit=500))
    assert set(watching.files(watched)) == {"main.py", str(tmp_path / "small")}
    assert str(tmp_path / "large") in whats(watched) and "--data-limit" in whats(watched)


def test_secrets_outside_are_never_stored(watching, tmp_path):
    (tmp_path / ".aws").mkdir()
    for name in (".aws/config", "id_rsa"):
        (tmp_path / name).write_text("swordfish")
    text = f"for name in ('.aws/config', 'id_rsa'): open({str(tmp_path)!r} + '/' + name).read()\n"
    watched = watching.python(text)
    assert set(watching.files(watched)) == {"main.py"}
    assert "its name says that it holds a secret" in whats(watched)


def test_a_variable_that_leads_to_the_data_is_recorded(watching, tmp_path):
    home = tmp_path / "home"
    (home / "scikit_learn_data").mkdir(parents=True)
    (home / "scikit_learn_data/set.txt").write_text("x")
    text = "import os\nopen(os.path.expanduser('~/scikit_learn_data/set.txt')).read()\n"
    plain = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    watched = watching.python(text, environment={**plain, "HOME": str(home), "ELSEWHERE": "/srv"})
    assert watched.observation.environment["HOME"] == str(home)
    assert "ELSEWHERE" in watched.observation.environment_names
    assert "HOME" not in watching.python("pass\n").observation.environment


def test_the_projects_own_classes_come_first(watching, project, tmp_path):
    (project / "pyproject.toml").write_text(
        f"[tool.envfreeze.classes]\nsecret = ['*.hush']\ncache = ['{tmp_path}/scratch/**']\n"
        "weights = ['*.blob']\n"
    )
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch/x").write_text("x")
    (project / "a.hush").write_text("swordfish")
    (project / "m.blob").write_text("w")
    watched = watching.python(
        f"for n in ('a.hush', 'm.blob', '{tmp_path}/scratch/x'): open(n).read()\n", data=DataOptions()
    )
    found = entries(watching, watched)
    assert set(found) == {"main.py", "m.blob"}
    assert found["m.blob"].kind == "weights"
    assert "a.hush" in whats(watched)


@pytest.mark.parametrize("table", ["nonsense = ['*']", "data = 'x'", "data = [1]"])
def test_wrong_rules_are_explained_before_the_run(watching, project, table):
    (project / "pyproject.toml").write_text(f"[tool.envfreeze.classes]\n{table}\n")
    with pytest.raises(InputError, match=r"\[tool.envfreeze.classes\]"):
        watching.python("open('ran', 'w')\n")
    assert not (project / "ran").exists()


@pytest.fixture
def served(tmp_path):
    """The address of a server on this machine that has one file."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "set.csv").write_text("1,2\n")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, directory=str(folder), **settings)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/set.csv"
    server.shutdown()


@needs_shim
def test_what_was_downloaded_is_an_input_and_no_output(watching, project, tmp_path, served):
    cache = tmp_path / "cache"
    text = f"""
        import os, urllib.request
        cache = os.path.join(os.environ["XDG_CACHE_HOME"], "torch/hub")
        os.makedirs(cache)
        os.makedirs("data")
        for path in ("data/set.csv", cache + "/set.csv"):
            if not os.path.exists(path):
                urllib.request.urlretrieve({served!r}, path)
            text = open(path).read()
        open("result.txt", "w").write(text)
        open("result.txt").read()
    """
    watched = watching.python(text, environment={**os.environ, "XDG_CACHE_HOME": str(cache)})
    assert set(watching.outputs(watched)) == {"result.txt"}
    found = entries(watching, watched)
    fetched = {path for path, entry in found.items() if entry.kind == "download"}
    assert fetched == {"data/set.csv", f"{cache}/torch/hub/set.csv"}
    assert watched.observation.environment["XDG_CACHE_HOME"] == str(cache)


def test_without_network_the_same_files_are_results(watching):
    watched = watching.python(
        """
        import os
        os.makedirs("data")
        open("data/made.csv", "w").write("1")
        open("data/made.csv").read()
        """
    )
    assert set(watching.outputs(watched)) == {"data/made.csv"}


def test_large_data_is_only_referred_to_when_asked(watching, project, tmp_path):
    (tmp_path / "large.bin").write_bytes(bytes(5000))
    (project / "large.csv").write_bytes(bytes(5000))
    (project / "small.csv").write_bytes(bytes(5))
    text = f"for n in ('large.csv', 'small.csv', {str(tmp_path / 'large.bin')!r}): open(n).read()\n"
    words = ("reference:4k", "reference:small.*")
    watched = watching.python(text, data=options(words, project, None))
    found = entries(watching, watched)
    assert found["large.csv"].origin == f"path {project}/large.csv"
    assert found["small.csv"].origin is not None
    assert found["main.py"].origin is None
    assert found[str(tmp_path / "large.bin")].size == 5000
    for path, entry in found.items():
        assert (entry.sha256 in watching.store) == (path == "main.py")


def test_origins_are_recognised(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "a.csv.dvc").write_text("outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  path: a.csv\n")
    (tmp_path / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    assert origin_of(f"{tmp_path}/a.csv") == "dvc a.csv.dvc md5 d41d8cd98f00b204e9800998ecf8427e"
    assert origin_of(f"{tmp_path}/deep/b.bin") == "git-lfs deep/b.bin"
    (tmp_path / "images").mkdir()
    (tmp_path / "images.dvc").write_text(
        "outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  path: images\n"
    )
    assert origin_of(f"{tmp_path}/images/1.png") == "dvc images.dvc md5 0123456789abcdef0123456789abcdef.dir"
    assert origin_of("/home/a/.cache/huggingface/hub/datasets--org--set/blobs/12ab") == (
        "huggingface datasets org/set blob 12ab"
    )
    assert origin_of("/data/MNIST/raw/t10k") == "torchvision MNIST t10k"
    assert origin_of("/home/a/.cache/torch/hub/checkpoints/resnet18.pth") == "torch-hub resnet18.pth"
    assert origin_of("/home/a/.keras/datasets/mnist.npz") == "keras mnist.npz"
    hub = "/home/a/.cache/huggingface/hub/models--org--net/snapshots/abc/model.safetensors"
    assert origin_of(hub) == "huggingface models org/net abc model.safetensors"
    assert origin_of("/home/a/scikit_learn_data/x.pkz") == "scikit-learn x.pkz"
    assert origin_of("/srv/y") == "path /srv/y"


def test_a_url_that_a_file_came_from_is_named_without_secrets(tmp_path, monkeypatch):
    (tmp_path / "12ab").write_text("1")
    (tmp_path / "12ab.json").write_text(
        '{"url": "https://me:swordfish@example.org/set.csv?sig=x", "etag": null}'
    )
    assert origin_of(f"{tmp_path}/12ab") == "url https://example.org/set.csv"
    for other in ("[]", "no json", '{"url": "javascript:1"}', '{"url": 3}', "[" * 60000):
        (tmp_path / "12ab.json").write_text(other)
        assert origin_of(f"{tmp_path}/12ab") == f"path {tmp_path}/12ab"
    attributes = {"user.xdg.origin.url": b"https://example.org/other.csv"}
    monkeypatch.setattr(os, "getxattr", lambda path, name: attributes[name])
    assert origin_of(f"{tmp_path}/12ab") == "url https://example.org/other.csv"


@pytest.mark.parametrize("word", ["", "both", "copy:3"])
def test_other_words_for_data_are_refused(word, tmp_path):
    with pytest.raises(InputError, match="--data"):
        parsed((word,), tmp_path)


@pytest.mark.parametrize("how", ["append", "replace", "rewrite"])
@pytest.mark.parametrize("seen_by", ["shim", "agent"])
def test_a_file_elsewhere_that_the_run_changes_is_kept_as_it_was(
    watching, tmp_path, monkeypatch, how, seen_by
):
    if seen_by == "agent":
        monkeypatch.setattr("envfreeze.observer.inject.SHIM", tmp_path / "none.so")
    state, only_written = tmp_path / "state.txt", tmp_path / "log.txt"
    state.write_text("before")
    only_written.write_text("never read")
    change = {
        "append": "open(state, 'a').write('after')",
        "rewrite": "open(state).read(); open(state, 'w').write('after')",
        "replace": "open(state).read(); open(state + '2', 'w').write('x'); os.replace(state + '2', state)",
    }[how]
    watched = watching.python(
        f"import os\nstate = {str(state)!r}\n{change}\nopen({str(only_written)!r}, 'w').write('new')\n"
    )
    files = watching.files(watched)
    assert files[str(state)] == b"before"
    assert str(only_written) not in files


def test_a_secret_elsewhere_that_the_run_changes_is_not_kept(watching, tmp_path):
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/config").write_text("swordfish")
    text = f"open({str(home / '.ssh/config')!r}, 'a').write('x')\n"
    watched = watching.python(text, environment={**os.environ, "HOME": str(home)})
    assert set(watching.files(watched)) == {"main.py"}
    assert "it is not stored" in whats(watched)


@needs_shim
def test_what_was_looked_for_in_vain_is_told(watching, project):
    watched = watching.python(
        """
        import os
        os.path.exists("settings.yaml")
        try:
            open("sub/more.json")
        except OSError:
            pass
        if not os.path.exists("made.txt"):
            open("made.txt", "w")
        try:
            import nonexistent
        except ImportError:
            pass
        """
    )
    assert watched.observation.absent == ("settings.yaml", "sub/more.json")


@needs_shim
def test_the_programs_are_listed_without_secrets(watching, project):
    import msgspec

    from envfreeze.records.observation import ProcessEntry

    watched = watching.python(
        """
        import subprocess
        subprocess.run(["/bin/echo", "--api-key", "swordfish", "--token=swordfish", "--size", "3"])
        subprocess.run("/bin/true --password swordfish; true", shell=True)
        """
    )
    data = watching.store.path(watched.observation.process_tree).read_bytes()
    found = msgspec.json.decode(data, type=tuple[ProcessEntry, ...])
    assert b"swordfish" not in data
    root = next(entry for entry in found if "main.py" in entry.command)
    echo = next(entry for entry in found if entry.program.endswith("echo"))
    assert echo.parent == root.pid
    assert echo.command[1:] == ("--api-key", "***", "--token=***", "--size", "3")


def test_programs_without_the_shim_are_the_pythons(watching, without_shim):
    watched = watching.python("import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'])\n")
    data = watching.store.path(watched.observation.process_tree).read_bytes()
    assert data.count(os.path.realpath(sys.executable).rpartition("/")[2][:6].encode()) >= 2
