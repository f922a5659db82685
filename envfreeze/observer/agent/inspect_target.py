"""Says what the interpreter that runs it is and what is installed in it: one JSON object on standard output.

Run as a script by the target's Python (3.8 to 3.14), standard library only. Nothing of the target's packages
is imported; of each distribution only the small files are read (PEP 376, PEP 427, PEP 610).
"""

from __future__ import annotations

import sys

_FOLDER = __file__.rpartition("/")[0]
sys.path[:] = [entry for entry in sys.path if entry != _FOLDER]

import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import sysconfig  # noqa: E402
import warnings  # noqa: E402
from importlib import metadata  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    warnings.simplefilter("ignore")
    facts = {
        "interpreter": interpreter(),
        "path": [os.path.abspath(entry) for entry in sys.path],
        "site": site_folders(),
        "distributions": distributions(),
    }
    sys.stdout.flush()
    stream: Any = getattr(sys.stdout, "buffer", sys.stdout)
    stream.write(b"\n" + json.dumps(facts, ensure_ascii=True).encode("ascii") + b"\n")
    stream.flush()


def interpreter() -> dict[str, Any]:
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "tag": sys.implementation.name,
        "soabi": sysconfig.get_config_var("SOABI") or "",
        "extension": sysconfig.get_config_var("EXT_SUFFIX") or "",
        "platform": sysconfig.get_platform(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "libc": libc(),
        "compiler": platform.python_compiler(),
        "build": " ".join(platform.python_build()),
        "config_args": sysconfig.get_config_var("CONFIG_ARGS") or "",
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "pyvenv": read(os.path.join(sys.prefix, "pyvenv.cfg")),
        "conda_meta": os.path.isdir(os.path.join(sys.prefix, "conda-meta")),
        "externally_managed": os.path.exists(
            os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
        ),
    }


def libc() -> str:
    """The C library in use: glibc says so by confstr(3); musl is known by its loader's name."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        pass
    loaders = sorted(name for name in os.listdir("/lib") if name.startswith("ld-musl-"))
    if not loaders:
        return ""
    import subprocess

    said = subprocess.run(["/lib/" + loaders[0]], stderr=subprocess.PIPE, check=False).stderr.decode()
    versions = [line.split()[-1] for line in said.splitlines() if line.startswith("Version")]
    return "musl " + versions[0] if versions else "musl"


def site_folders() -> dict[str, str]:
    paths = sysconfig.get_paths()
    return {name: paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts", "data")}


def distributions() -> list[dict[str, Any]]:
    """Each installed distribution once, the first on the path, as an import would find it."""
    found: dict[Any, dict[str, Any]] = {}
    for distribution in metadata.distributions():
        try:
            facts = describe(distribution)
        except Exception as error:
            facts = {
                "error": "%s: %s" % (type(error).__name__, error),
                "where": str(getattr(distribution, "_path", "")),
            }
            found.setdefault(("", facts["where"]), facts)
            continue
        key = facts["name"].lower().replace("_", "-").replace(".", "-")
        found.setdefault(key, facts)
    return list(found.values())


def describe(distribution: metadata.Distribution) -> dict[str, Any]:
    path = str(getattr(distribution, "_path", ""))
    name, version, license_name = name_and_version(distribution)
    if not (isinstance(name, str) and isinstance(version, str)):
        raise ValueError("its metadata gives no name and version")
    wheel = distribution.read_text("WHEEL") or ""
    location = os.path.dirname(path)
    return {
        "name": name,
        "version": version,
        "license": license_name,
        "path": path,
        "location": location,
        "installer": (distribution.read_text("INSTALLER") or "").strip(),
        "direct_url": distribution.read_text("direct_url.json"),
        "tags": values(wheel, "Tag"),
        "build": "".join(values(wheel, "Build")),
        "purelib": "".join(values(wheel, "Root-Is-Purelib")).lower() != "false",
        "top_level": (distribution.read_text("top_level.txt") or "").split(),
        "egg_link": egg_link(path, name),
    }


def name_and_version(distribution: metadata.Distribution) -> tuple[str, str, str]:
    """From the head of the metadata only: parsing all of it costs most of the time."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
    if text is None:
        text = distribution.read_text("") or ""
    head = text[:2000]
    name, version = values(head, "Name"), values(head, "Version")
    if name and version:
        return name[0], version[0], license_of(text)
    return distribution.metadata["Name"], distribution.version, ""


def license_of(text: str) -> str:
    """An SPDX expression (PEP 639), else the classifiers, which are better kept than the older field."""
    head = text.split("\n\n", 1)[0]
    expression = values(head, "License-Expression")
    if expression:
        return expression[0]
    start = "License :: OSI Approved :: "
    classified = [value[len(start) :] for value in values(head, "Classifier") if value.startswith(start)]
    said = classified or [value for value in values(head, "License") if 0 < len(value) <= 80]
    return " / ".join(said[:3])


def values(text: str, field: str) -> list[str]:
    start = field.lower() + ":"
    return [line.split(":", 1)[1].strip() for line in text.splitlines() if line.lower().startswith(start)]


def egg_link(path: str, name: str) -> str:
    """The project folder, when ``setup.py develop`` linked it into the environment."""
    if not path.endswith(".egg-info"):
        return ""
    for entry in sys.path:
        for spelling in {name, name.replace("_", "-"), name.replace("-", "_")}:
            text = read(os.path.join(entry, spelling + ".egg-link"))
            if text:
                return text.splitlines()[0].strip()
    return ""


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return None


if __name__ == "__main__":
    main()
