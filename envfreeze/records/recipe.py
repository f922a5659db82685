"""A build recipe: the Dockerfile and what lies beside it."""

from __future__ import annotations

from envfreeze.records.base import Record, Sha256


class BaseImage(Record):
    """The image that the Dockerfile starts from."""

    reference: str
    """For example ``python:3.11.7-slim-bookworm``."""
    digest: str | None = None
    """``sha256:…`` of the registry, when it could be resolved."""
    why: str = ""
    """Why this one, in words, for the Dockerfile's comment."""


class VendoredWheel(Record):
    """A wheel that no index has; it travels in the build context."""

    file: str
    sha256: Sha256


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
    labels: dict[str, str] = {}
    environment_id: Sha256
    """Digest over base image, requirements and wheels: the same id needs no second build."""
    build_tools: tuple[str, ...] = ()
    """Packages that have to be built from source, so that a compiler is needed."""
