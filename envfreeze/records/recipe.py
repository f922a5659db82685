"""A build recipe: the Dockerfile and what lies beside it."""

from __future__ import annotations

from envfreeze.records.base import Record, Sha256
from envfreeze.records.files import FileEntry


class CudaImage(Record):
    """NVIDIA's image that CUDA libraries of the system are copied from."""

    reference: str
    """For example ``nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04``."""
    digest: str | None = None
    """``sha256:…`` of the registry, when it could be resolved."""
    why: str = ""
    """Which libraries of it the run loaded, in words."""


class BaseImage(Record):
    """The image that the Dockerfile starts from."""

    reference: str
    """For example ``python:3.11.7-slim-bookworm``."""
    digest: str | None = None
    """``sha256:…`` of the registry, when it could be resolved."""
    why: str = ""
    """Why this one, in words, for the Dockerfile's comment."""
    cuda: CudaImage | None = None
    """None when the packages bring CUDA, or the run loaded none."""


class VendoredWheel(Record):
    """A wheel that no index has; it travels in the build context."""

    file: str
    sha256: Sha256


class CondaFile(Record):
    """A conda package's archive."""

    file: str
    url: str = ""
    """Where it is downloaded from; empty when it travels in the build context."""
    sha256: Sha256 | None = None
    md5: str = ""
    """Checked when there is no SHA-256, as of old channels."""


class CondaRecipe(Record):
    """The conda environment of a recipe; pip's packages are installed into it afterwards."""

    prefix: str
    """Absolute path in an image."""
    packages: tuple[CondaFile, ...]
    tool: str
    """requirements.txt of what links the packages in an image."""


class Recipe(Record):
    """All that an engine needs to make the environment; equal recipes make equal environments."""

    base: BaseImage
    python: str
    """Full version of the interpreter, for example ``3.11.7``."""
    dockerfile: str
    """Plain Dockerfile: builds with any builder, by hand too."""
    dockerfile_buildkit: str
    """The same steps with cache and secret mounts, for BuildKit."""
    requirements: str
    """requirements.txt with ``--hash`` on every line."""
    wheels: tuple[VendoredWheel, ...] = ()
    files: tuple[FileEntry, ...] = ()
    """Files of the system that the base image lacks, with absolute paths; they are in the build context."""
    labels: dict[str, str] = {}
    environment_id: Sha256
    """Digest over base image, requirements and wheels: the same id needs no second build."""
    conda: CondaRecipe | None = None
    build_tools: tuple[str, ...] = ()
    """Packages that have to be built from source, so that a compiler is needed."""
