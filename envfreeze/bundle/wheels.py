"""All packages of a lock taken into its store, so that no index is needed any more."""

from __future__ import annotations

import msgspec

from envfreeze.progress import Progress
from envfreeze.records.lock import Lock
from envfreeze.records.recipe import Recipe
from envfreeze.store import Store


def vendored(lock: Lock, recipe: Recipe, store: Store, *, progress: Progress) -> Lock:
    """The lock with every package's file in the store.

    Raises:
        InputError: an index does not have a file with the recorded digest.
        EnvironmentFailure: an index cannot be reached, or refuses.
    """
    from envfreeze.engines._docker_wheels import download
    from envfreeze.probes.pip import of_this_machine

    progress.step("collecting the packages")
    found = {
        path.parent.name: path for path in download(recipe, of_this_machine(), progress=progress).values()
    }
    packages = []
    for package in lock.packages:
        path = found.get(package.sha256 or "")
        if path is not None and not package.vendored:
            store.add_file(path)
            package = msgspec.structs.replace(package, vendored=True, file=path.name)
        packages.append(package)
    return msgspec.structs.replace(lock, packages=tuple(packages))
