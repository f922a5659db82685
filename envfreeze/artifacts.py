"""The paper's artifact: pack, verify, unpack, and several experiments in one.

The command line and ``import envfreeze`` both call these; what they are made of lies in ``envfreeze.bundle``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import InputError
from envfreeze.progress import Progress, Silent
from envfreeze.records import lockfile

if TYPE_CHECKING:
    from envfreeze.bundle.checklists import Answers
    from envfreeze.bundle.minimal import Minimal
    from envfreeze.bundle.pack import Packed
    from envfreeze.records.artifact import Bundle, Verification


def pack(
    lock_path: Path | str = lockfile.NAME,
    output: Path | str | None = None,
    *,
    wheels: bool = False,
    image: bool = False,
    data: Path | str | None = None,
    tapes: bool = False,
    minimal: tuple[str, ...] = (),
    checklists: Iterable[str] = (),
    sign: Path | str | None = None,
    anonymous: bool = False,
    identities: Iterable[str] = (),
    allow: Iterable[str] = (),
    progress: Progress | None = None,
) -> Packed:
    """Pack the artifact that the lock's folder holds into one file.

    Args:
        lock_path: a lockfile, or the folder that it lies in; ``artifact.yaml`` there may list several.
        output: the bundle; by default ``<folder>.envfreeze.zip`` in the current folder.
        wheels: all packages travel along.
        image: the image travels along; needs Docker.
        data: a folder with the data that was recorded by digest only, which then travels along.
        tapes: recorded randomness travels along.
        minimal: a command that shows within minutes that the one experiment works.
        checklists: venues whose checklists are filled in (see ``envfreeze.bundle.checklists``).
        sign: a private key of ssh-keygen or minisign, which signs the bundle's digests.
        anonymous: for double-blind review: nothing in it says who made it.
        identities: what says so beside what is found: names, e-mails, institutions.
        allow: ``FINGERPRINT=REASON`` of what looks like a secret and is none.

    Raises:
        InputError: a lock, or the content that it refers to, is missing or damaged.
        EnvironmentFailure: packages cannot be downloaded, or the engine failed.
        OSError: the bundle cannot be written.
    """
    from envfreeze.bundle import pack as packing
    from envfreeze.bundle.options import Options
    from envfreeze.recipe import recipe_of
    from envfreeze.secrets import parse_allowed

    path = lockfile.locate(Path(lock_path).absolute())
    default = Path("anonymous.envfreeze.zip") if anonymous else packing.default_name(path)
    target = Path(output) if output is not None else default
    if target.is_dir():
        raise InputError(f"{target} is a folder, where the bundle has to be written.")
    options = Options(
        wheels=wheels,
        image=image,
        data=None if data is None else str(data),
        tapes=tapes,
        minimal=minimal,
        checklists=tuple(checklists),
        sign=None if sign is None else str(sign),
        anonymous=anonymous,
        identities=tuple(identities),
        allowed=parse_allowed(allow),
    )
    return packing.pack(path, target, options, recipe_of=recipe_of, progress=progress or Silent())


def verify(
    bundle: Path | str,
    *,
    signers: Path | str | None = None,
    anonymous_for: Iterable[str] = (),
    engine: str | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check every content of a bundle and its signature, and say what is needed from elsewhere.

    Args:
        signers: whose keys count: ``allowed_signers`` of ssh-keygen(1), or a public key of minisign.
        anonymous_for: names and the like that nothing in it may tell.
        engine: only what this one needs is asked: ``docker`` (for all that use images) or ``local``.

    Raises:
        InputError: it is no bundle, or built to do harm; ``signers`` cannot be read; a name is too short.
    """
    from envfreeze.bundle.needs import CONTAINERS, LOCAL
    from envfreeze.bundle.verify import verify as verified

    return verified(
        Path(bundle),
        engines=(CONTAINERS, LOCAL) if engine is None else (LOCAL if engine == LOCAL else CONTAINERS,),
        signers=None if signers is None else Path(signers),
        anonymous_for=tuple(anonymous_for),
        progress=progress or Silent(),
    )


def unpack(
    bundle: Path | str, folder: Path | str | None = None, *, progress: Progress | None = None
) -> tuple[Path, Bundle]:
    """Unpack a bundle into a new folder; by default one of its name in the current folder.

    Raises:
        InputError: the bundle is damaged or hostile, or the folder is there already.
        EnvironmentFailure: the disk has no room for it.
        OSError: the folder cannot be written.
    """
    from envfreeze.bundle.layout import SUFFIX
    from envfreeze.bundle.unpack import unpack as unpacked

    path = Path(bundle)
    target = Path(folder) if folder is not None else Path(path.name.removesuffix(SUFFIX).removesuffix(".zip"))
    if target.name == path.name and folder is None:
        target = Path(f"{path.name}.unpacked")
    return target, unpacked(path, target, progress=progress or Silent())


def locks_of(bundle: Path, *, progress: Progress | None = None) -> tuple[Path, dict[str, Path]]:
    """The lock of each experiment of a bundle, unpacked once into this user's cache.

    Returns:
        The folder that it was unpacked to, and the path of each lock by the experiment's name.

    Raises:
        InputError: the bundle is damaged or hostile.
    """
    from envfreeze.files import sha256, user_cache

    folder = user_cache() / "bundles" / sha256(bundle)[:32]
    if not folder.is_dir():
        unpack(bundle, folder, progress=progress)
    return folder, locks_in(folder)


def locks_in(folder: Path) -> dict[str, Path]:
    """The lock of each experiment of an unpacked bundle, by the experiment's name.

    Raises:
        InputError: its bundle.json is damaged.
    """
    from envfreeze.bundle.layout import MANIFEST
    from envfreeze.bundle.reading import parse_manifest

    try:
        content = parse_manifest((folder / MANIFEST).read_bytes(), str(folder / MANIFEST))
    except OSError as error:
        raise InputError(f"{folder / MANIFEST} cannot be read: {error.strerror}.") from None
    return {
        experiment.name: folder / "experiments" / experiment.name / lockfile.NAME
        for experiment in content.experiments
    }


def minimal_of(lock_path: Path | str) -> Minimal:
    """The short run of a lock: what its bundle or its ``artifact.yaml`` says, else what can be derived.

    Raises:
        InputError: there is none.
    """
    from envfreeze.bundle import artifact
    from envfreeze.bundle.layout import MANIFEST
    from envfreeze.bundle.minimal import Minimal, minimal
    from envfreeze.bundle.reading import parse_manifest
    from envfreeze.records.artifact import Experiment
    from envfreeze.store import Store

    path = lockfile.locate(Path(lock_path).absolute())
    store = Store(path.parent)
    found = Minimal()
    if store.bundle is not None:
        content = parse_manifest((store.bundle / MANIFEST).read_bytes(), str(store.bundle / MANIFEST))
        for experiment in content.experiments:
            if experiment.name == path.parent.name:
                found = Minimal(command=experiment.minimal, origin=experiment.minimal_origin)
    else:
        listed = artifact.experiments(artifact.read(path.parent), path)
        mine = next((one for one in listed if one.lock == path.name), Experiment(name="main"))
        found = minimal(mine, lockfile.read(path), store)
    if not found.command:
        raise InputError(
            f"{path} has no short run: its author names none, and none can be derived from its parameters.",
            hint='Authors name one: envfreeze pack --minimal "python train.py --epochs 1"',
        )
    return found


def checklist(name: str, lock_path: Path | str = lockfile.NAME) -> Answers:
    """A venue's checklist, answered from the locks of the artifact.

    Raises:
        InputError: there is no such checklist, or a lock is unusable.
    """
    from envfreeze.bundle.checklists import answered, find
    from envfreeze.bundle.checklists._facts import facts, gaps, gather

    wanted = find(name)
    artifact, frozen = gather(lockfile.locate(Path(lock_path).absolute()))
    return answered(wanted, facts(artifact, frozen), gaps(frozen))


def write_readme(lock_path: Path | str = lockfile.NAME, *, progress: Progress | None = None) -> Path:
    """Write the generated README of the bundle into the project as ``ARTIFACT.md``, for the author to edit.

    Raises:
        InputError: it is there already, or the locks are unusable.
        OSError: it cannot be written.
    """
    import tempfile

    from envfreeze.bundle.texts import README, readme
    from envfreeze.files import write

    path = lockfile.locate(Path(lock_path).absolute())
    target = path.parent / README
    if target.exists():
        raise InputError(f"{target} is there already, and is yours.", hint="Move it away to get a new one.")
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(path, Path(folder) / "x.zip", progress=progress)
    write(target, readme(packed.bundle).encode())
    return target


def add_experiment(
    lock_path: Path | str,
    name: str,
    *,
    title: str = "",
    expected_time: str = "",
    claims: str = "",
    minimal: tuple[str, ...] = (),
) -> Path:
    """Take a lock into the artifact as an experiment; returns the path of its lockfile.

    Raises:
        InputError: the lock records no run, or the name is none, or is taken.
    """
    from envfreeze.bundle import artifact
    from envfreeze.records.artifact import Experiment

    try:
        experiment = Experiment(
            name=name, title=title, expected_time=expected_time, claims=claims, minimal=minimal
        )
    except ValueError as error:
        raise InputError(f"{error}.") from None
    return artifact.add(lockfile.locate(Path(lock_path).absolute()), experiment)
