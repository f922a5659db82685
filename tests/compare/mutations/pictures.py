"""Pictures, and documents with pages or pictures: PNG, TIFF, JPEG, notebooks, PDF."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np

from .. import encoders
from ._experiment import ARRAY, BASE, DATES, LOST, METRIC, ROWS, TABLE, TEXT, Experiment, known, weights
from .documents import as_log


def as_png(found: Experiment, *, level: int = 6, text: str = "", kind: str = "PNG", **settings: Any) -> bytes:
    import PIL.Image
    import PIL.PngImagePlugin

    pixels = np.zeros((16, 24, 3), "u1")
    pixels[:4, :6, 0] = np.nan_to_num(found.weights[:4, :6].astype("f8") * 50, posinf=255).astype("i8") & 255
    pixels[8, : len(found.rows), 1] = [int(np.nan_to_num(loss) * 200) for _, loss in found.rows]
    pixels[10, :3, 2] = found.counts * 40
    picture, stream = PIL.Image.fromarray(pixels), io.BytesIO()
    if kind == "PNG":
        information = PIL.PngImagePlugin.PngInfo()
        if text:
            information.add_text("Creation Time", text)
        settings |= {"pnginfo": information, "compress_level": level}
    picture.save(stream, kind, **settings)
    return stream.getvalue()


PIXELS = {
    key: ARRAY[key]
    for key in (
        "a weight of zero",
        "weights swapped",
        "a row of weights lost",
        "a count changed",
        "NaN for a weight",
    )
} | {"a loss changed much": BASE._replace(rows=(*ROWS[:4], (4, 0.1), *ROWS[5:]))}
PIXELS["a row of weights lost"] = weights(lambda w: np.vstack([w[:-1], np.zeros((1, 6), "f4")]))
known(
    "png",
    ".png",
    as_png,
    PIXELS,
    benign={
        **{f"level {n}": {"level": n} for n in (0, 1, 3, 9)},
        **{f"text {date}": {"text": date} for date in DATES},
    },
)
known(
    "tiff",
    ".tiff",
    lambda found, **settings: as_png(found, kind="TIFF", **settings),
    PIXELS,
    benign={
        **{f"compression {n}": {"compression": n} for n in ("tiff_lzw", "tiff_deflate", "packbits")},
        **{f"date {date}": {"tiffinfo": {306: date}} for date in DATES},
    },
)
known(
    "jpeg",
    ".jpg",
    lambda found, **settings: as_png(found, kind="JPEG", quality=100, subsampling=0, **settings),
    PIXELS,
    benign={
        **{f"comment {date}": {"comment": date} for date in DATES},
        "optimised": {"optimize": True},
        "progressive": {"progressive": True},
    },
)


def as_notebook(
    found: Experiment,
    *,
    count: int = 1,
    identifier: str = "aa",
    time: str = "",
    lines: bool = False,
    text: str = "",
) -> bytes:
    source = f"model = '{found.name}'\nprint(1)\n"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": as_log(found).decode().splitlines(True)},
        {
            "output_type": "execute_result",
            "execution_count": count,
            "metadata": {},
            "data": {
                "text/plain": repr(found.metric),
                "image/png": base64.b64encode(as_png(found, text=text)).decode(),
            },
        },
    ]
    cell = {
        "cell_type": "code",
        "id": identifier,
        "execution_count": count,
        "metadata": {"execution": {"iopub.status.busy": time}} if time else {},
        "source": source.splitlines(True) if lines else source,
        "outputs": outputs if found.extra else outputs[:1],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


known(
    "notebook",
    ".ipynb",
    as_notebook,
    PIXELS,
    TEXT,
    METRIC,
    TABLE,
    LOST,
    benign={
        **{f"count {n}": {"count": n} for n in (2, 3, 99)},
        **{f"cell {n}": {"identifier": n} for n in ("b", "c1")},
        **{f"time {date}": {"time": date} for date in DATES},
        "lines": {"lines": True},
        **{f"text {date}": {"text": date} for date in DATES[:2]},
    },
)


def as_pdf(found: Experiment, **settings: Any) -> bytes:
    lines = [f"{step} {loss}" for step, loss in found.rows] + [found.name, str(found.metric), *found.labels]
    return encoders.pdf(lines, **settings)


known(
    "pdf",
    ".pdf",
    as_pdf,
    TEXT,
    METRIC,
    TABLE,
    benign={
        **{f"date {n}": {"date": n} for n in ("D:20240229123001Z", "D:20251231235959+01'00'", "D:20310704")},
        **{f"id {n}": {"identifier": n} for n in ("01", "ff", "c0ffee")},
        "packed": {"packed": True},
        "order": {"order": -1},
        "tag of a font": lambda: tuple(as_pdf(BASE, tag=tag) for tag in ("ABCDEF+", "QWERTY+")),
        "all": {"packed": True, "order": -1, "identifier": "aa", "date": "D:20250101"},
    },
)
