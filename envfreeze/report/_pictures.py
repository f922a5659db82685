"""Image outputs made small enough to be embedded, side by side with where they differ."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.records.report import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_SIDE = 640
"""Pixels; larger pictures are scaled down."""
MAX_PIXELS = 50_000_000
"""Pictures that say they have more are not opened (a small file can ask for gigabytes)."""
MAX_EMBEDDED = 160 << 10
"""Bytes of one embedded picture; what would be larger is embedded as JPEG."""
_FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM", b"RIFF")


def pictures(original: Path, replay: Path) -> tuple[Picture, ...]:
    """The original, the replay's picture and their difference, each at most ``MAX_SIDE`` pixels wide.

    Empty when one of them is no picture, is too large to be opened safely, or Pillow is not installed. Never
    raises for what is in the files.
    """
    if not (_looks_like_one(original) and _looks_like_one(replay)):
        return ()
    try:
        from PIL import Image as images
    except ImportError:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", images.DecompressionBombWarning)
            first, second = _opened(original), _opened(replay)
            if first is None or second is None:
                return ()
            found = [_picture("original", first), _picture("replay", second)]
            if first.size == second.size:
                found.append(
                    _picture("difference, in black where they are equal", _difference(first, second))
                )
            return tuple(found)
    except Exception:
        return ()  # a damaged picture; the table of outputs says how it was compared


def _looks_like_one(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(8).startswith(_MAGIC)
    except OSError:
        return False


def _opened(path: Path) -> Image | None:
    from PIL import Image as images

    with images.open(path, formats=_FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            return None
        return image.convert("RGB")


def _difference(first: Image, second: Image) -> Image:
    """Where the pixels differ, stretched to full brightness so that an eye finds a change of one level."""
    from PIL import ImageChops

    changed = ImageChops.difference(first, second)
    largest = max(int(extreme[1]) for extreme in changed.getextrema())  # type: ignore[index]
    factor = 255 / largest if largest else 1
    return changed.point([min(255, round(level % 256 * factor)) for level in range(256 * 3)])


def _picture(caption: str, image: Image) -> Picture:
    width, height = image.size
    small = image.copy()
    small.thumbnail((MAX_SIDE, MAX_SIDE))
    data, kind = _encoded(small, "PNG"), "png"
    if len(data) > MAX_EMBEDDED:
        data, kind = _encoded(small, "JPEG"), "jpeg"
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Picture(caption=f"{caption}, {width} × {height}", data=url, width=small.width, height=small.height)


def _encoded(image: Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, optimize=True, **({"quality": 82} if kind == "JPEG" else {}))
    return buffer.getvalue()
