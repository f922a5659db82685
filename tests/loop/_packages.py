"""Tiny packages and environments, made for the tests: wheels, a src-layout project, virtual environments."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import uv


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """A pure-Python wheel (PEP 427) with these files, in a folder that pip's ``--find-links`` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return wheel


def make_tool_project(folder: Path, build_backend: str) -> Path:
    """A src-layout project: a package with data of its own and the console script ``mytool``."""
    package = folder / "src" / "mytool"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from mytool.core import scale\n")
    (package / "core.py").write_text(
        "from importlib.resources import files\n\n"
        "FACTOR = float((files('mytool') / 'factor.txt').read_text())\n\n"
        "def scale(value):\n    return FACTOR * value\n"
    )
    (package / "factor.txt").write_text("2.5\n")
    (package / "cli.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom mytool import scale\n\n"
        "def main():\n    result = scale(float(sys.argv[1]))\n"
        "    Path('scaled.txt').write_text(f'{result}\\n')\n    print('scaled', result)\n"
    )
    requires = {"hatchling.build": "hatchling", "setuptools.build_meta": "setuptools"}[build_backend]
    data = "[tool.setuptools.package-data]\nmytool = ['*.txt']\n" if requires == "setuptools" else ""
    (folder / "pyproject.toml").write_text(
        f"[build-system]\nrequires = ['{requires}']\nbuild-backend = '{build_backend}'\n"
        "[project]\nname = 'mytool'\nversion = '0.3.0'\n"
        f"[project.scripts]\nmytool = 'mytool.cli:main'\n{data}"
    )
    return folder


def make_environment(folder: Path, *arguments: str | Path, python: str | Path = sys.executable) -> Path:
    """A virtual environment into which ``arguments`` are installed without an index; its ``bin`` folder."""
    subprocess.run([uv.find_uv_bin(), "venv", "-q", "--no-project", "--python", python, folder], check=True)
    if arguments:
        words = [uv.find_uv_bin(), "pip", "install", "-q", "--no-config", "--no-index"]
        words += ["--python", str(folder / "bin" / "python"), *map(str, arguments)]
        subprocess.run(words, check=True, env=os.environ | {"UV_NO_CACHE": "1"})
    return folder / "bin"


def make_environment_with_pip(folder: Path, *arguments: str | Path) -> Path:
    """A virtual environment into which pip installs ``arguments``, from its index too; its ``bin`` folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", *arguments], check=True)
    return folder / "bin"


def make_environment_with_uv(folder: Path, *arguments: str | Path) -> Path:
    """The same with uv."""
    program = uv.find_uv_bin()
    subprocess.run([program, "venv", "-q", "--no-project", "--python", sys.executable, folder], check=True)
    words = [program, "pip", "install", "-q", "--python", folder / "bin" / "python", *arguments]
    subprocess.run(words, check=True, env=os.environ | {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"})
    return folder / "bin"


def other_python(series: str) -> str | None:
    """An interpreter of another series, for example ``3.8``, of this machine: pyenv's, or one on the PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [str(path) for path in sorted(root.glob(f"{series}.*/bin/python"))]
    candidates += [
        found
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if folder and (found := shutil.which(f"python{series}", path=folder))
    ]
    # One of pyenv's shims whose version is not active fails when it is asked.
    return next((path for path in candidates if _runs(path)), None)


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
