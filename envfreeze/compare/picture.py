"""Pictures (PNG, JPEG, TIFF, GIF, BMP, WebP): pixels first; what is written beside them is no result.

Two pictures with other pixels are different, unless a tolerance was set: then channel values within
``atol`` of each
other are close. How much they look alike is said in words: peak signal-to-noise ratio, and the mean
structural
similarity of Wang et al. 2004 (https://doi.org/10.1109/TIP.2003.819861) with windows of 8 × 8 pixels.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._limits import IN_MEMORY, missing
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Blob, Number, Value, add_trees
from envfreeze.errors import EnvironmentFailure
from envfreeze.records.comparison import Difference
from envfreeze.records.verdict import Verdict

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM")
FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")
MAX_PIXELS = 1 << 26
"""Of one frame: 8,192 × 8,192."""
MAX_FRAMES = 1000
_MEANING = ("icc_profile", "transparency", "gamma", "srgb", "chromaticity", "duration", "loop", "dpi")
"""What Pillow reads beside the pixels that changes how a picture looks."""
_WINDOW = 8


def recognises(sample: Sample) -> bool:
    """By the first bytes."""
    return sample.head.startswith(MAGICS) or (sample.head[:4] == b"RIFF" and sample.head[8:12] == b"WEBP")


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By pixels, frame by frame.

    Raises:
        NotThisKind: Pillow or numpy is not installed, the picture is damaged, or it is too large.
    """
    try:
        import numpy  # noqa: F401 - asked for here, so that the sentence names it
        import PIL.Image
    except ImportError as error:
        raise missing(error.name or "Pillow") from None
    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    for path in (original, replay):
        _check_end(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with (
                PIL.Image.open(original, formats=FORMATS) as one,
                PIL.Image.open(replay, formats=FORMATS) as two,
            ):
                return _compare(one, two, options)
    except Exception as error:  # of many types: Pillow's readers raise what they meet
        if isinstance(error, NotThisKind | EnvironmentFailure):
            raise
        raise NotThisKind(f"damaged or too large ({type(error).__name__}: {error})") from None


_ENDS = {b"\x89PNG": b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd8\xff": b"\xff\xd9", b"GIF8": b";"}
"""The last bytes of a file that starts so."""


def _check_end(path: Path) -> None:
    """Refuse what was cut off at the end, which Pillow reads all the same."""
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(-min(16, path.stat().st_size), 2)
        end = stream.read()
    if any(start.startswith(magic) and not end.endswith(last) for magic, last in _ENDS.items()):
        raise NotThisKind("it is cut off, or something follows the picture")
    if start == b"\x89PNG":
        _check_chunks(path)


def _check_chunks(path: Path) -> None:
    """Each chunk of a PNG has a checksum (https://www.w3.org/TR/png-3/#5Chunk-layout), which Pillow may
    pass over."""
    with path.open("rb") as stream:
        stream.seek(8)
        while head := stream.read(8):
            length, kind = struct.unpack(">I4s", head.ljust(8, b"\0"))
            if length > IN_MEMORY:
                raise NotThisKind("a chunk is too long")
            data, check = stream.read(length), stream.read(4)
            if len(data) < length or check != struct.pack(">I", zlib.crc32(kind + data)):
                raise NotThisKind("a chunk has a wrong checksum")


def _compare(one: Any, two: Any, options: Options) -> Finding:
    tally = Tally(options)
    for what, first, second in (
        ("size", f"{one.width} × {one.height}", f"{two.width} × {two.height}"),
        ("colours", one.mode, two.mode),
        ("format", str(one.format), str(two.format)),
        ("frames", str(_frames(one)), str(_frames(two))),
    ):
        if first != second:
            tally.differ(what, first, second)
    if tally.differing:
        return tally.finding("")
    add_trees(_meaning(one), _meaning(two), tally, root="display")
    for frame in range(_frames(one)):
        one.seek(frame)
        two.seek(frame)
        where = f"frame {frame + 1}" if _frames(one) > 1 else "pixels"
        add_pixels(where, _values(one), _values(two), tally)
    if _beside(one) != _beside(two):
        tally.aside("text beside the pixels")
    return tally.finding("the same pixels; compression differs")


def _frames(picture: Any) -> int:
    count = int(getattr(picture, "n_frames", 1))
    if count > MAX_FRAMES:
        raise NotThisKind(f"it has more than {MAX_FRAMES} frames")
    return count


def _meaning(picture: Any) -> Value:
    found: dict[str, Value] = {}
    for name in _MEANING:
        value = picture.info.get(name)
        if isinstance(value, bytes):
            found[name] = Blob(value)
        elif value is not None:
            found[name] = Number(str(value)) if isinstance(value, int | float) else str(value)
    found["orientation"] = str(picture.getexif().get(0x0112, 1))
    return found


def _beside(picture: Any) -> str:
    texts = {str(key): str(value) for key, value in picture.info.items() if key not in _MEANING}
    return str((sorted(texts.items()), sorted(map(str, picture.getexif().items()))))


def _values(picture: Any) -> Array:
    """Channel values as numbers, height × width × channels; palettes are looked up."""
    import numpy

    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")
    values = numpy.asarray(picture)
    return values.reshape(*values.shape[:2], -1)


def add_pixels(where: str, one: Array, two: Array, tally: Tally) -> None:
    """Compare channel values, height × width × channels, of two pictures of one size into a tally."""
    import numpy

    changed = (one != two).any(axis=2)
    count = int(changed.sum())
    if not count:
        return
    rows, columns = numpy.nonzero(changed)
    region = f"columns {columns.min()}–{columns.max()}, rows {rows.min()}–{rows.max()}"
    first, second = one.astype(numpy.float64), two.astype(numpy.float64)
    apart = numpy.abs(first - second)
    peak = 255.0 if one.dtype == numpy.uint8 else float(max(first.max(), second.max(), 1.0))
    ratio = 10 * numpy.log10(peak**2 / max(float((apart**2).mean()), 1e-300))
    likeness = _similarity(first.mean(axis=2), second.mean(axis=2), peak)
    share = 100 * count / changed.size
    words = (
        f"{count} of {changed.size} pixels differ ({share:.2g} %), within {region}; "
        f"by {apart.max():g} at most; PSNR {ratio:.1f} dB, SSIM {likeness:.4f}"
    )
    row, column = int(rows[0]), int(columns[0])
    difference = Difference(
        where=f"{where}, column {column}, row {row}",
        original=str(one[row, column].tolist()),
        replay=str(two[row, column].tolist()),
        note=region,
    )
    allowed = tally.options.atol or 0.0
    verdict = Verdict.CLOSE if apart.max() <= allowed else Verdict.DIFFERENT
    if verdict is Verdict.CLOSE:
        words += f"; within atol {allowed:g}"
    tally.include("", Finding(verdict=verdict, reason=f"{where}: {words}", differences=(difference,)))


def _similarity(one: Array, two: Array, peak: float) -> float:
    """Mean SSIM over windows that touch; smaller pictures are one window."""
    import numpy

    height, width = (max(length - length % _WINDOW, min(length, _WINDOW)) for length in one.shape)
    size = min(height, _WINDOW), min(width, _WINDOW)
    blocks = [
        side[:height, :width].reshape(height // size[0], size[0], width // size[1], size[1]).swapaxes(1, 2)
        for side in (one, two)
    ]
    means = [block.mean(axis=(2, 3)) for block in blocks]
    variances = [block.var(axis=(2, 3)) for block in blocks]
    covariance = (blocks[0] * blocks[1]).mean(axis=(2, 3)) - means[0] * means[1]
    small, medium = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    top = (2 * means[0] * means[1] + small) * (2 * covariance + medium)
    bottom = (means[0] ** 2 + means[1] ** 2 + small) * (variances[0] + variances[1] + medium)
    return float(numpy.mean(top / bottom))


COMPARATOR = Comparator(name="picture", priority=78, recognises=recognises, compare=compare, isolated=True)
