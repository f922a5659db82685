"""Links the packages of packages.txt into a conda environment: python install.py [--link-scripts] PREFIX

Made by envfreeze, to be read and run without it: it needs Python 3.10 and py-rattler (see tool.txt).
Each line of packages.txt is an address, or the name of a file in packages/ beside it, with the digest
of the archive after a #. A file that lies in packages/ is not downloaded.
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description="Links conda packages into an environment.")
    parser.add_argument("--link-scripts", action="store_true", help="run the scripts that packages bring")
    parser.add_argument("prefix", type=Path)
    options = parser.parse_args()
    options.prefix.parent.mkdir(parents=True, exist_ok=True)
    # Beside the environment, so that files are linked into it and not copied.
    work = Path(tempfile.mkdtemp(prefix=".conda-", dir=options.prefix.parent))
    try:
        wanted = list(read((HERE / "packages.txt").read_text(encoding="utf-8")))
        archives = [fetch(url, digest, work) for url, digest in wanted]
        asyncio.run(link(archives, options.prefix, work / "cache", options.link_scripts))
        name_origins(options.prefix, [url for url, _ in wanted])
        compile_modules(options.prefix)
    except (OSError, ValueError) as error:
        sys.exit(f"conda packages: {error}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def read(text):
    for line in text.splitlines():
        if line and not line.startswith(("#", "@")):
            url, _, digest = line.partition("#")
            yield url, digest


def fetch(url, digest, work):
    """Path of the archive, whose content was checked."""
    name = url.rpartition("/")[2]
    path = HERE / "packages" / name
    if not path.is_file():
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url} is missing beside the Dockerfile")
        print("downloading", name, flush=True)
        path = work / name
        download(url, path)
    algorithm, wanted = ("sha256", digest[7:]) if digest.startswith("sha256:") else ("md5", digest)
    found = hashlib.new(algorithm)
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            found.update(chunk)
    if not wanted or found.hexdigest() != wanted:
        raise ValueError(f"{name} does not have the content that the lock records")
    return path


def download(url, path):
    try:
        with urllib.request.urlopen(url) as answer, path.open("wb") as stream:  # noqa: S310 - http only
            shutil.copyfileobj(answer, stream)
    except OSError as error:
        hint = "download it by other means into .envfreeze/build/conda/packages/"
        raise ValueError(f"{url} cannot be downloaded ({error}); {hint}") from error


async def link(archives, prefix, cache, link_scripts):
    from rattler import install
    from rattler.repo_data import RepoDataRecord

    records = [await RepoDataRecord.from_package_archive(path) for path in archives]
    try:
        await install(
            records, prefix, cache_dir=cache, show_progress=False, execute_link_scripts=link_scripts
        )
    except Exception as error:
        raise ValueError(f"they cannot be linked: {error}") from error


def name_origins(prefix, urls):
    """Let the records of the environment say where packages really came from, not where they lay just now."""
    origins = {url.rpartition("/")[2]: url for url in urls if "://" in url}
    for path in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        url = origins.get(record.get("fn"))
        if url:
            record["url"], record["channel"] = url, url.rsplit("/", 2)[0]
            path.write_text(json.dumps(record, indent=2), encoding="utf-8")


def compile_modules(prefix):
    """Bytecode is made once, here, as a run cannot write it; a failure only costs time then."""
    python = prefix / "bin" / "python"
    if python.exists():
        question = "import site; print(site.getsitepackages()[0])"
        said = subprocess.run([python, "-c", question], capture_output=True, text=True, check=False)
        if folder := said.stdout.strip():
            subprocess.run(
                [python, "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", folder],
                capture_output=True,
                check=False,
            )


if __name__ == "__main__":
    main()
