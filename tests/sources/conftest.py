"""Wheels made by hand."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[..., Path]:
    """``wheel("tiny", "1.0")`` makes a wheel of one module."""

    def make(name: str, version: str = "1.0", requires: tuple[str, ...] = ()) -> Path:
        info = f"{name}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        content = {
            f"{name}.py": "VALUE = 1\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        rows = [
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
            for path, text in content.items()
        ]
        content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
        path = tmp_path / "made" / f"{name}-{version}-py3-none-any.whl"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in content.items():
                archive.writestr(member, text)
        return path

    return make
