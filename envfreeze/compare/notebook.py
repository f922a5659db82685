"""Jupyter notebooks (https://nbformat.readthedocs.io): cells and their outputs, each by its kind.

No results are: the numbers of execution, the times in ``metadata.execution``, and the random names of cells.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from envfreeze.compare import Comparator, Finding, NotThisKind, Options, Sample
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import Blob, Value, add_trees
from envfreeze.compare.json_ import MAX_SIZE, load


def recognises(sample: Sample) -> bool:
    """JSON that names cells or the format, by its suffix or its start."""
    start = sample.head.lstrip()[:1] == b"{"
    named = sample.suffix == ".ipynb" or (b'"nbformat"' in sample.head and b'"cells"' in sample.head)
    return start and named and sample.size <= 4 * MAX_SIZE


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """Cell by cell.

    Raises:
        NotThisKind: not JSON, or not a notebook of format 4.
    """
    tally = Tally(options)
    one, two = _Notebook(load(original)), _Notebook(load(replay))
    for name in one.asides:
        differing = sum(a != b for a, b in zip(one.asides[name], two.asides[name], strict=False))
        if differing:
            tally.aside(name, differing)
    add_trees(one.value, two.value, tally, root="$")
    return tally.finding("the same cells and outputs; order of keys or white space differ")


class _Notebook:
    """A notebook whose outputs can be compared, and what was taken out of it."""

    def __init__(self, value: Value) -> None:
        if not isinstance(value, dict) or not isinstance(value.get("cells"), list) or "nbformat" not in value:
            raise NotThisKind("no notebook of format 4")
        self.value = value
        self.asides: dict[str, list[Any]] = {
            "number of execution": [],
            "name of a cell": [],
            "execution times": [],
        }
        for cell in value["cells"]:
            if isinstance(cell, dict):
                self._cell(cell)

    def _cell(self, cell: dict[str, Value]) -> None:
        self.asides["name of a cell"].append(cell.pop("id", None))
        self._number(cell)
        metadata = cell.get("metadata")
        times = metadata.pop("execution", None) if isinstance(metadata, dict) else None
        self.asides["execution times"].append(times)
        cell["source"] = _joined(cell.get("source"))
        for output in cell.get("outputs") or ():
            if isinstance(output, dict):
                self._output(output)

    def _number(self, owner: dict[str, Value]) -> None:
        if "execution_count" in owner:
            self.asides["number of execution"].append(owner["execution_count"])
            owner["execution_count"] = None

    def _output(self, output: dict[str, Value]) -> None:
        self._number(output)
        if "text" in output:
            output["text"] = _as_text(output["text"])
        data = output.get("data")
        if isinstance(data, dict):
            for mime, content in data.items():
                data[mime] = _content(mime, content)


def _joined(value: Value) -> Value:
    """Multi-line texts may be lists of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _as_text(value: Value) -> Value:
    text = _joined(value)
    return Blob(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else text


def _content(mime: str, content: Value) -> Value:
    text = _joined(content)
    if not isinstance(text, str):
        return text
    if mime.startswith("image/") and mime != "image/svg+xml":
        try:
            return Blob(base64.b64decode(text.replace("\n", ""), validate=True))
        except (binascii.Error, ValueError):
            return text
    return _as_text(text)


COMPARATOR = Comparator(name="notebook", priority=61, recognises=recognises, compare=compare)
