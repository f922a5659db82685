"""XML by elements, attributes and texts; SVG pictures too.

No results are: comments, white space between elements, the order of attributes, and in SVG the random
identifiers that programs give to clip paths and glyphs.
"""

from __future__ import annotations

import re
from pathlib import Path

from envfreeze.compare import Comparator, Finding, Options, Sample
from envfreeze.compare._limits import whole
from envfreeze.compare._tally import Tally
from envfreeze.compare._tree import add_trees
from envfreeze.compare._xml import Element, read, tree

_START = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*<(?:\?xml\s|!--|!DOCTYPE\s+(?!html)|[A-Za-z_][\w:.-]*[\s/>])", re.I
)
_HTML = re.compile(rb"<(?:!doctype\s+html|html)[\s>]", re.I)
_SVG = "http://www.w3.org/2000/svg svg"
_RANDOM = re.compile(r"(?:[A-Za-z]{1,12}[_-]?)?[0-9a-f]{8,40}")
"""An identifier as matplotlib makes them, one letter and ten digits of a salted hash: ``m3f4e5a6b7c``,
``pc0ffee…``
(https://matplotlib.org/stable/users/explain/customizing.html, ``svg.hashsalt``)."""
_REFERENCE = re.compile(r"#([\w-]+)")


def recognises(sample: Sample) -> bool:
    """A declaration or an element at the start; not HTML, which is seldom well formed."""
    return _START.match(sample.head) is not None and _HTML.search(sample.head[:1024]) is None


def compare(original: Path, replay: Path, options: Options) -> Finding:
    """By value.

    Raises:
        NotThisKind: not well formed, too large, or it defines entities.
    """
    tally = Tally(options)
    one, two = (read(whole(path)) for path in (original, replay))
    if one.tag == two.tag == _SVG:
        names = [_rename(root) for root in (one, two)]
        if names[0] != names[1]:
            tally.aside("random identifiers", len(set(names[0]) ^ set(names[1])) or 1)
    add_trees(tree(one), tree(two), tally, root=one.tag.rpartition(" ")[2])
    return tally.finding("the same elements, attributes and texts; comments or white space differ")


def _rename(root: Element) -> list[str]:
    """Give random identifiers the number in which they are defined, and return them in that order."""
    elements, pending = [], [root]
    while pending:
        element = pending.pop()
        elements.append(element)
        pending += [item for item in reversed(element.items) if isinstance(item, Element)]
    found: dict[str, str] = {}
    for element in elements:
        name = element.attributes.get("id", "")
        if _RANDOM.fullmatch(name) and re.search(r"\d", name):
            found.setdefault(name, f"identifier {len(found) + 1}")
    for element in elements:
        for key, value in element.attributes.items():
            if key == "id":
                element.attributes[key] = found.get(value, value)
            elif "#" in value:
                element.attributes[key] = _REFERENCE.sub(
                    lambda match: "#" + found.get(match[1], match[1]), value
                )
    return list(found)


COMPARATOR = Comparator(name="xml", priority=45, recognises=recognises, compare=compare)
