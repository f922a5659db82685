"""What all records share: immutable, keyword-only, unknown fields refused, defaults left out when written."""

from __future__ import annotations

from typing import Annotated

import msgspec

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 digest, lower-case hex")]
Bytes = Annotated[int, msgspec.Meta(ge=0, description="size in bytes")]
Seconds = Annotated[float, msgspec.Meta(ge=0, description="duration in seconds")]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all records. Two records with the same content are equal and are written as the same bytes."""
