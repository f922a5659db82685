"""The environment of a run: each record is one section of the lock, filled by the probe of the same name."""

from __future__ import annotations

from typing import Literal

from envfreeze.records.base import Bytes, Record, Sha256
from envfreeze.records.files import FileEntry


class Interpreter(Record):
    """The Python that the command really ran, never the one that envfreeze is installed in."""

    implementation: str
    """``platform.python_implementation()``, for example ``CPython``."""
    version: str
    """Full version, for example ``3.11.7``."""
    abi: str = ""
    """``SOABI``, for example ``cpython-311-x86_64-linux-gnu``."""
    platform: str = ""
    """``sysconfig.get_platform()``, for example ``linux-x86_64``."""
    tags: tuple[str, ...] = ()
    """The most specific wheel tags it accepts (PEP 425), best first; at most three."""
    libc: str = ""
    """C library and version, for example ``glibc 2.36`` or ``musl 1.2``."""
    compiler: str = ""
    """``platform.python_compiler()``."""
    build: str = ""
    """``platform.python_build()``: revision and date."""
    flags: tuple[str, ...] = ()
    """How it was configured (``CONFIG_ARGS``), host paths left out."""
    kind: Literal["system", "venv", "conda", "pyenv", "uv", "other"] = "other"
    executable: str = ""
    """Absolute path on the machine of the freeze."""
    prefix: str = ""
    base_prefix: str = ""
    system_site_packages: bool = False


PackageSource = Literal["index", "find-links", "url", "vcs", "local", "editable", "conda", "unknown"]


class Package(Record):
    """One installed distribution, and the file that installs the same again."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    source: PackageSource = "unknown"
    file: str | None = None
    """File name of the wheel or source distribution."""
    sha256: Sha256 | None = None
    """Digest of ``file``."""
    url: str | None = None
    """Where ``file`` is downloaded from, without credentials."""
    index: str | None = None
    """Which index offers it, without credentials; None for the default index (PyPI)."""
    vendored: bool = False
    """True when ``file`` lies in the store because no index has it."""
    proof: Literal["proved", "modified", "unproved"] | None = None
    """Whether ``file`` is what is installed, by RECORD (PEP 376, PEP 427); None when it was not asked."""
    modified: tuple[str, ...] = ()
    """Files that somebody edited or removed after the installation: the first twenty, and how many more.

    Edited ones are kept as they are: ``file`` then is a wheel made of them, and ``url`` the unedited one.
    """
    patch: Sha256 | None = None
    """Stored difference between the files of the wheel at ``url`` and the installed ones, for people."""
    installer: str | None = None
    """INSTALLER (PEP 376), for example ``pip``."""
    direct_url: str | None = None
    """``url`` of direct_url.json (PEP 610) without credentials; with ``@commit`` for version control."""
    license: str = ""
    """As its metadata say it: an SPDX expression (PEP 639), or the author's words."""


class PipConfiguration(Record):
    """Where packages come from, merged as pip and uv do from their files and variables; no credentials."""

    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    no_index: bool = False
    files: tuple[str, ...] = ()
    """The configuration files that were read."""


class CondaPackage(Record):
    """One package of a conda environment, from ``conda-meta/*.json``."""

    name: str
    version: str
    build: str
    channel: str = ""
    url: str = ""
    """Where its archive is downloaded from, without credentials; where it lay when it is vendored."""
    md5: str = ""
    """Digest of the archive, as is ``sha256``."""
    sha256: str = ""
    vendored: bool = False
    """True when the archive lies in the store, as its channel is a folder of one machine."""
    proof: Literal["proved", "modified", "unproved"] | None = None
    """Whether the installed files are the archive's, by the record's digests; None when it was not asked."""
    modified: tuple[str, ...] = ()
    """Files that somebody edited or removed after the installation: the first twenty, and how many more."""


class CondaEnvironment(Record):
    """The conda environment that the interpreter lives in."""

    name: str
    prefix: str
    """Empty when it was read from a file, and is installed nowhere."""
    packages: tuple[CondaPackage, ...] = ()


class SystemPackage(Record):
    """A package of the operating system that owns a shared library which the run loaded."""

    name: str
    version: str
    manager: Literal["dpkg", "rpm", "apk"]
    libraries: tuple[str, ...] = ()
    installed: str = ""
    """When it was unpacked here, UTC, for example ``20240131T101500Z``; the archive had this version then."""


class System(Record):
    """The operating system below the interpreter."""

    distribution: str = ""
    """``ID`` and ``VERSION_ID`` of os-release(5), for example ``debian 12``."""
    kernel: str = ""
    """Kernel release, for example ``6.1.0``."""
    architecture: str = ""
    """``uname -m``."""
    memory: Bytes = 0
    packages: tuple[SystemPackage, ...] = ()
    unowned: tuple[str, ...] = ()
    """Loaded libraries that belong to no package of the system, nor to a Python distribution."""
    files: tuple[FileEntry, ...] = ()
    """Content of the unowned libraries, and of fonts, time zones, locales and dictionaries that were read.

    Paths are absolute; links through which the loader finds a library are among them.
    """
    library_path: tuple[str, ...] = ()
    """Folders of ``files`` that the loader was told of (``LD_LIBRARY_PATH``, ld.so.conf), in order."""
    time_zone: str = ""
    """The machine's own zone, for example ``Europe/Berlin``, where no variable ``TZ`` said another."""


class NumericalLibrary(Record):
    """A numerical library as it was in force in the run: the kernel it picked decides the bits it returns."""

    name: str
    """For example ``openblas``, ``mkl``, ``openmp``, ``torch``."""
    version: str = ""
    kernels: str = ""
    """Instruction set or core type it picked, for example ``SkylakeX`` or ``AVX2``."""
    threads: int = 0
    library: str = ""
    """File name of the shared library."""


class Cpu(Record):
    """The processor, and what the numerical libraries made of it."""

    vendor: str = ""
    model: str = ""
    physical_cores: int = 0
    logical_cores: int = 0
    usable_cores: int = 0
    """Cores that the run was allowed to use (affinity and control groups)."""
    features: tuple[str, ...] = ()
    """Instruction-set flags that numerical libraries choose kernels by, sorted."""
    libraries: tuple[NumericalLibrary, ...] = ()


class Gpu(Record):
    """One GPU, as NVML reports it."""

    model: str
    memory: Bytes = 0
    compute_capability: str = ""
    mig: Literal["enabled", "disabled", ""] = ""
    """Whether it is divided (Multi-Instance GPU; AMD's compute partitions); empty where it cannot be."""
    instances: tuple[str, ...] = ()
    """Profiles of its MIG devices, for example ``3g.40gb``: compute slices and memory; ``CPX`` with AMD."""


class GpuLibrary(Record):
    """A library of CUDA or ROCm as the run loaded it."""

    name: str
    """For example ``cublasLt`` or ``MIOpen``."""
    version: str = ""
    """By its file's name, else by the package that it came with."""
    origin: Literal["wheel", "conda", "system", "other"] = "other"
    """Where it lay: among Python's packages, in a conda environment, in a folder of the system."""
    package: str = ""
    """The package that brought it, for example ``nvidia-cublas-cu12 12.4.5.8``."""
    path: str = ""
    """Absolute, on the machine of the freeze."""


class Cuda(Record):
    """GPUs and the CUDA stack: what the driver offers, what the packages bring, and what the run loaded."""

    gpus: tuple[Gpu, ...] = ()
    used: bool | None = None
    """Whether the run asked the driver for a GPU; None when nothing was run."""
    devices: tuple[str, ...] = ()
    """Files below ``/dev`` that the run had mapped at its end: which GPUs it used."""
    driver: str = ""
    driver_api: str = ""
    """Highest CUDA version that the driver supports."""
    toolkit: str = ""
    """Release of the toolkit that libraries of the system belong to: ``12.4.1``, or its series ``12.4``."""
    runtime: str = ""
    """As loaded, else as installed, else as a framework was built with; as ``cudnn`` and ``nccl``."""
    cudnn: str = ""
    nccl: str = ""
    libraries: tuple[GpuLibrary, ...] = ()
    evidence: tuple[str, ...] = ()
    """Where each version was read, for example ``nvidia-cudnn-cu12 9.1.0.70``."""


class Rocm(Record):
    """AMD GPUs and the ROCm stack."""

    gpus: tuple[Gpu, ...] = ()
    """``compute_capability`` is the architecture here, for example ``gfx90a``."""
    used: bool | None = None
    """Whether the run asked the driver for a GPU; None when nothing was run."""
    devices: tuple[str, ...] = ()
    driver: str = ""
    """Version of AMD's own driver package; empty for the kernel's driver."""
    runtime: str = ""
    """Version of HIP."""
    miopen: str = ""
    rocblas: str = ""
    rccl: str = ""
    libraries: tuple[GpuLibrary, ...] = ()
    evidence: tuple[str, ...] = ()
    """Where each version was read."""


class Submodule(Record):
    """One repository inside of another (git-submodule(1))."""

    path: str
    """Relative to the repository around it all."""
    commit: str | None = None
    """What is checked out; None when nothing is."""
    dirty: bool = False
    """True when it is not the commit that the repository around it names, or has changes of its own."""
    diff: Sha256 | None = None
    """Stored ``git diff HEAD`` of its own changes."""


class Git(Record):
    """The state of version control at the freeze."""

    commit: str
    branch: str | None = None
    remote: str | None = None
    """URL of the remote, without credentials."""
    dirty: bool = False
    diff: Sha256 | None = None
    """Stored ``git diff HEAD`` when dirty."""
    submodules: tuple[Submodule, ...] = ()
