"""Texts and what holds trees of plain values: JSON, YAML, TOML, INI, JSON Lines, logs, XML, SVG."""

from __future__ import annotations

import json
from typing import Any

from ._experiment import (
    BASE,
    DATED,
    DATES,
    LOST,
    METRIC,
    NOT_TYPES,
    REORDERED,
    TABLE,
    TEXT,
    TREE,
    Experiment,
    known,
    values,
)


def as_json(found: Experiment, *, indent: int | None = None, **settings: Any) -> bytes:
    return json.dumps(values(found, **settings), indent=indent).encode()


known(
    "json",
    ".json",
    as_json,
    NOT_TYPES,
    *TREE[1:],
    benign={
        **DATED,
        **REORDERED,
        **{f"indent {n}": {"indent": n} for n in (0, 1, 2, 4)},
        **{f"elapsed {n}": {"elapsed": n} for n in (0.1, 2, 99.9)},
    },
)


def as_yaml(found: Experiment, *, flow: bool | None = False, width: int = 80, **settings: Any) -> bytes:
    import yaml

    tree = values(found, **settings)
    return yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False, width=width).encode()


known(
    "yaml",
    ".yaml",
    as_yaml,
    NOT_TYPES,
    *TREE[1:],
    benign={**DATED, **REORDERED, "flow": {"flow": True}, "mixed": {"flow": None}, "wide": {"width": 999}},
)


def as_toml(found: Experiment, **settings: Any) -> bytes:
    import tomli_w

    return tomli_w.dumps(values(found, **settings)).encode()


known(
    "toml",
    ".toml",
    as_toml,
    NOT_TYPES,
    *TREE[1:],
    benign={**DATED, **REORDERED, "comment": lambda: (as_toml(BASE), b"# by hand\n" + as_toml(BASE))},
)


def as_ini(found: Experiment, *, space: str = " ", reverse: bool = False) -> bytes:
    pairs = [("name", found.name), ("labels", ",".join(found.labels)), ("accuracy", repr(found.metric))]
    pairs += [("extra", "1")] if found.extra else []
    body = "".join(f"{key}{space}={space}{value}\n" for key, value in pairs[:: -1 if reverse else 1])
    return f"[run]\n{body}".encode()


known(
    "ini",
    ".ini",
    as_ini,
    TEXT,
    METRIC,
    LOST,
    benign={
        **REORDERED,
        "space": {"space": ""},
        "comment": lambda: (as_ini(BASE), b"; by hand\n" + as_ini(BASE)),
    },
)


def as_jsonl(found: Experiment, *, reverse: bool = False, space: str = " ") -> bytes:
    rows = [{"step": step, "loss": loss, "name": found.name} for step, loss in found.rows]
    rows.append({"accuracy": found.metric, "labels": list(found.labels)})
    dumped = (
        json.dumps(dict(reversed(row.items())) if reverse else row, separators=("," + space, ":" + space))
        for row in rows
    )
    return "".join(line + "\n" for line in dumped).encode()


known("jsonl", ".jsonl", as_jsonl, TEXT, METRIC, TABLE, benign={**REORDERED, "space": {"space": ""}})


def as_log(
    found: Experiment,
    *,
    date: str = "2024-01-01",
    took: str = "1.5 s",
    at: str = "7f00aa00bb00",
    ends: str = "\n",
) -> bytes:
    lines = [f"{date} 12:00:{step:02d} INFO epoch {step} loss: {loss}" for step, loss in found.rows]
    lines += [f"model {found.name} at <object at 0x{at}>", f"classes: {' '.join(found.labels)}"]
    lines += [f"elapsed: {took}", f"accuracy = {found.metric}"]
    return (ends.join(lines) + ends).encode()


known(
    "log",
    ".txt",
    as_log,
    TEXT,
    METRIC,
    TABLE,
    benign={
        **{f"date {date[:10]}": {"date": date[:10]} for date in DATES[1:]},
        **{f"took {text}": {"took": text} for text in ("0.1 s", "2 min", "0:01:30", "900 ms")},
        **{f"address {text}": {"at": text} for text in ("7f11aa22bb33", "55d0c0ffee00", "7ffc12345678")},
        "line ends": {"ends": "\r\n"},
        "trailing space": {"ends": "  \n"},
    },
)


def as_xml(
    found: Experiment, *, indent: str = "", reverse: bool = False, comment: str = "", date: str = DATES[0]
) -> bytes:
    attributes = [f'name="{found.name}"', f'accuracy="{found.metric}"'][:: -1 if reverse else 1]
    parts = [f"<label>{label}</label>" for label in found.labels] + ["<extra/>"] * found.extra
    parts += [f'<row step="{step}">{loss}</row>' for step, loss in found.rows] + [
        f"<created>{date}</created>"
    ]
    body = indent.join(["", *parts, ""])
    return f"<?xml version='1.0'?>\n{comment}<run {' '.join(attributes)}>{body}</run>".encode()


known(
    "xml",
    ".xml",
    as_xml,
    TEXT,
    METRIC,
    TABLE,
    LOST,
    benign={
        **DATED,
        "order of attributes": {"reverse": True},
        "comment": {"comment": "<!-- by hand -->"},
        **{f"indent {len(text)}": {"indent": text} for text in ("\n", "\n  ", "\n\t   ")},
    },
)


def as_svg(found: Experiment, *, salt: int = 0, date: str = DATES[0], indent: str = "\n") -> bytes:
    identifiers = [f"p{(salt + 1) * 7919 * (n + 1):010x}" for n in range(2)]
    points = " ".join(f"{step},{loss}" for step, loss in found.rows)
    weights = "".join(
        f'<rect x="{x}" width="{value}"/>{indent}' for x, value in enumerate(found.weights.ravel())
    )
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/">',
        f"<metadata><dc:date>{date}</dc:date></metadata>",
        *(f'<clipPath id="{name}"><rect width="{n}"/></clipPath>' for n, name in enumerate(identifiers)),
        f'<g clip-path="url(#{identifiers[0]})"><polyline points="{points}"/></g>',
        f'<g clip-path="url(#{identifiers[1]})">{weights}</g>',
        *(f"<text>{label}</text>" for label in (*found.labels, found.name, found.metric)),
        "</svg>",
    ]
    return indent.join(parts).encode()


known(
    "svg",
    ".svg",
    as_svg,
    {key: value for key, value in NOT_TYPES.items() if "count" not in key and "shape" not in key},
    TEXT,
    METRIC,
    TABLE,
    benign={**DATED, **{f"salt {n}": {"salt": n} for n in range(1, 7)}, "indent": {"indent": "\n    "}},
)
