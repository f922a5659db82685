"""What all records share: immutable, keyword-only, unknown fields refused, defaults left out when written."""

from __future__ import annotations

from typing import Annotated, Any, dataclass_transform

import msgspec

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 digest, lower-case hex")]
Bytes = Annotated[int, msgspec.Meta(ge=0, description="size in bytes")]
Seconds = Annotated[float, msgspec.Meta(ge=0, description="duration in seconds")]


class _RecordMeta(msgspec.StructMeta):
    """Makes every subclass keyword-only; msgspec inherits its other settings, but not this one."""

    def __new__(cls, *arguments: Any, **settings: Any) -> Any:
        settings.setdefault("kw_only", True)
        return super().__new__(cls, *arguments, **settings)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(
    msgspec.Struct, metaclass=_RecordMeta, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Base of all records. Two records with the same content are equal and are written as the same bytes."""
