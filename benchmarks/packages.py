"""A static freeze of 300 packages beside ``pip inspect`` and ``pip freeze`` of the same environment.

    python benchmarks/packages.py [--rounds N] [--packages N] [--no-table]

The packages are made here, each of ten modules, and served by an index of this machine that takes 30 ms to
answer, as one across a continent. *Cold* is with empty caches of envfreeze, every package proved by ranges of
its wheel; *warm* is the next freeze, *offline* the same without network. Whole processes are timed, in turn.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = 10
LATENCY = 0.03
"""Seconds to each answer."""
START, END = "<!-- package results -->", "<!-- end of package results -->"


def make_wheels(root: Path, count: int) -> None:
    """So many projects of an index, each a folder with one wheel of ``MODULES`` modules."""
    for number in range(count):
        name = f"bench_{number:03}"
        info = f"{name}-1.0.dist-info"
        content = {f"{name}/m{module}.py": f"VALUE = {module * number}\n" * 40 for module in range(MODULES)}
        content[f"{name}/__init__.py"] = ""
        content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in content.items())
        folder = root / "simple" / name.replace("_", "-")
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            for path, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                archive.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Index(http.server.BaseHTTPRequestHandler):
    """A simple index (PEP 503) that answers after ``LATENCY``, and in ranges (RFC 9110, 14)."""

    protocol_version = "HTTP/1.1"
    root: Path

    def do_GET(self) -> None:
        time.sleep(LATENCY)
        path = self.root / self.path.strip("/")
        if path.is_dir():
            wheel = next(path.iterdir())
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            page = f'<a href="/simple/{path.name}/{wheel.name}#sha256={digest}">{wheel.name}</a>'
            return self._answer(200, page.encode(), "text/html")
        if not path.is_file():
            return self._answer(404, b"", "text/plain")
        data, asked = path.read_bytes(), self.headers.get("Range", "")
        if found := re.fullmatch(r"bytes=(\d*)-(\d*)", asked):
            first = int(found[1]) if found[1] else max(0, len(data) - int(found[2]))
            last = min(int(found[2]), len(data) - 1) if found[1] and found[2] else len(data) - 1
            self.range = f"bytes {first}-{last}/{len(data)}"
            return self._answer(206, data[first : last + 1], "application/octet-stream", self.range)
        return self._answer(200, data, "application/octet-stream")

    def _answer(self, status: int, content: bytes, kind: str, part: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None: ...


def installed(folder: Path, index: str, count: int) -> str:
    """The interpreter of a new environment with these packages, from that index."""
    import uv

    program = uv.find_uv_bin()
    python = str(folder / "bin" / "python")
    subprocess.run([program, "venv", "-q", "--seed", "--python", sys.executable, folder], check=True)
    words = [
        program,
        "pip",
        "install",
        "-q",
        "--no-config",
        "--no-cache",
        "--python",
        python,
        "--index-url",
        index,
    ]
    subprocess.run([*words, *(f"bench-{number:03}" for number in range(count))], check=True)
    return python


def seconds(command: list[str], folder: Path, cache: Path, index: str) -> float:
    began = time.perf_counter()
    variables = os.environ | {"XDG_CACHE_HOME": str(cache), "PIP_CONFIG_FILE": os.devnull}
    variables |= {"PIP_INDEX_URL": index, "no_proxy": "*"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # as users have it: compiled once, in the first round
    subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
    return time.perf_counter() - began


def measure(
    python: str, index: str, folder: Path, rounds: int
) -> tuple[list[tuple[str, list[float]]], dict[str, int]]:
    freeze = [sys.executable, "-m", "envfreeze", "freeze", "--python", python]
    cache, project = folder / "cache", folder / "project"
    project.mkdir()
    times: dict[str, list[float]] = {}
    commands = {
        "freeze, warm": freeze,
        "freeze --offline, warm": [*freeze, "--offline"],
        "`pip inspect`": [python, "-m", "pip", "inspect"],
        "`pip freeze`": [python, "-m", "pip", "freeze"],
    }
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(project / ".envfreeze", ignore_errors=True)
        times.setdefault("freeze with proof, cold", []).append(seconds(freeze, project, cache, index))
        for name, command in commands.items():
            times.setdefault(name, []).append(seconds(command, project, cache, index))
    return list(times.items()), proofs(project)


def proofs(project: Path) -> dict[str, int]:
    import yaml

    found: dict[str, int] = {}
    for package in yaml.safe_load((project / "envfreeze.lock").read_text())["packages"]:
        found[package.get("proof", "none")] = found.get(package.get("proof", "none"), 0) + 1
    return found


def table(times: list[tuple[str, list[float]]], found: dict[str, int]) -> str:
    count = sum(found.values())
    lines = [
        f"{count} packages: {json.dumps(found)}; seconds, {len(times[0][1])} rounds, {os.cpu_count()} cores."
    ]
    lines += ["", "| what | median | fastest |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {statistics.median(each):.2f} | {min(each):.2f} |" for name, each in times]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packages", type=int, default=300)
    parser.add_argument("--no-table", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_wheels(folder / "index", given.packages)
        handler = type("OfFolder", (Index,), {"root": folder / "index"})
        serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        index = f"http://127.0.0.1:{serving.server_port}/simple"
        python = installed(folder / "venv", index, given.packages)
        text = table(*measure(python, index, folder, given.rounds))
        serving.shutdown()
    print(text)
    if not given.no_table:
        readme = ROOT / "benchmarks" / "README.md"
        before, _, rest = readme.read_text().partition(START)
        readme.write_text(f"{before}{START}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
