"""The archives of a recipe's conda packages on this machine, each checked against the lock's digest.

What was downloaded once is kept under ``${XDG_CACHE_HOME:-~/.cache}/envfreeze/conda/``, by its digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from envfreeze import files
from envfreeze.errors import EnvironmentFailure, InputError
from envfreeze.probes._index import Index
from envfreeze.probes.pip import of_this_machine
from envfreeze.progress import Progress
from envfreeze.recipe.context import write_conda
from envfreeze.records.recipe import CondaFile, CondaRecipe
from envfreeze.store import Store

WORKERS = 4
"""Downloads at the same time."""


def fetch(conda: CondaRecipe, store: Store, folder: Path, *, progress: Progress) -> None:
    """Fill ``folder`` with all that links the environment, so that no network is needed for it any more.

    Raises:
        InputError: an archive has another content than recorded, or is missing from the store.
        EnvironmentFailure: a channel cannot be reached, or refuses.
        OSError: the disk failed.
    """
    write_conda(conda, store, folder)
    (folder / "packages").mkdir(exist_ok=True)
    index = Index(of_this_machine())

    def bring(package: CondaFile) -> None:
        source = _cached(package) or _download(package, index, progress)
        try:
            os.link(source, folder / "packages" / package.file)
        except OSError:
            shutil.copyfile(source, folder / "packages" / package.file)

    files.in_parallel(bring, (package for package in conda.packages if package.url), workers=WORKERS)


def _place(package: CondaFile) -> Path:
    return files.user_cache() / "conda" / (package.sha256 or package.md5) / package.file


def _cached(package: CondaFile) -> Path | None:
    path = _place(package)
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, _algorithm(package)).hexdigest()
    return path if found == (package.sha256 or package.md5) else None


def _algorithm(package: CondaFile) -> str:
    return "sha256" if package.sha256 else "md5"


def _download(package: CondaFile, index: Index, progress: Progress) -> Path:
    from httpx2 import HTTPError

    progress.detail(f"downloading {package.file}")
    target = _place(package)
    digest = hashlib.new(_algorithm(package))
    try:
        with index.client.stream("GET", package.url) as answer, files.replacing(target) as stream:
            if answer.status_code != 200:
                raise EnvironmentFailure(
                    f"{package.url} answers {answer.status_code} instead of the package.",
                    hint="Give credentials of a private channel in ~/.netrc; a removed package has to be "
                    "frozen again.",
                )
            for chunk in answer.iter_bytes(files.CHUNK):
                files.stop_if_told()
                digest.update(chunk)
                stream.write(chunk)
            if digest.hexdigest() != (package.sha256 or package.md5):
                raise InputError(
                    f"{package.file} does not have the content that the lock records.",
                    hint="The file of the channel was changed, or the lock; compare with a copy you trust.",
                )
    except HTTPError as error:
        raise EnvironmentFailure(
            f"{package.url} cannot be downloaded: {error}.", hint="Check the network and the proxy."
        ) from error
    return target
