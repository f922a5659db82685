"""Metrics are found where a person would look for them, and nowhere else."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import pytest

from envfreeze.compare.sides import Side
from envfreeze.errors import InputError
from envfreeze.metrics import NotFound
from envfreeze.metrics._find import find, look_up, named, of_file
from envfreeze.metrics._selector import SelectorError, parse, text_of

from ..compare import encoders

DIGITS = {"logistic regression": {"accuracy": 0.97}, "forest": {"accuracy": 0.95, "log_loss": 0.4}, "seed": 7}


def metrics(folder: Path, name: str, content: str | bytes) -> dict[str, float | None]:
    path = folder / "content"  # as in the store, whose files have no suffix
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return {metric.name.partition(":")[2]: metric.value for metric in of_file(path, name)}


def test_numbers_at_the_leaves_of_json_without_settings_and_clocks(tmp_path: Path) -> None:
    content = {
        **DIGITS,
        "losses": [0.9, 0.5, 0.25],
        "fit_seconds": 12.5,
        "folds": [{"f1": 0.5, "fold": "a"}, {"f1": 0.75}],
        "confusion": [[1, 2], [3, 4]],
        "converged": True,
        "gap": float("nan"),
    }
    assert metrics(tmp_path, "metrics.json", json.dumps(content)) == {
        '"logistic regression".accuracy': 0.97,
        "forest.accuracy": 0.95,
        "forest.log_loss": 0.4,
        "losses[-1]": 0.25,
        "folds[0].f1": 0.5,
        "folds[1].f1": 0.75,
        "gap": None,
    }


def test_the_last_record_of_json_lines(tmp_path: Path) -> None:
    lines = '{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n'
    assert metrics(tmp_path, "log.jsonl", lines) == {"loss": 1.5}


def test_the_last_row_of_a_curve(tmp_path: Path) -> None:
    assert metrics(tmp_path, "log.csv", "epoch,loss,acc\n1,0.9,0.5\n2,0.4,0.8\n") == {
        "[-1].loss": 0.4,
        "[-1].acc": 0.8,
    }


def test_every_cell_of_a_short_table_of_results(tmp_path: Path) -> None:
    table = "method;f1;time\nbase;0.81;3\nour method;0.83;5\n"
    assert metrics(tmp_path, "table2.csv", table) == {
        "method=base.f1": 0.81,
        'method="our method".f1': 0.83,
    }


def test_predictions_are_data(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number % 10},{number % 9}\n" for number in range(100))
    assert metrics(tmp_path, "predictions.csv", "index,label,predicted\n" + rows) == {}


def test_the_last_number_of_each_name_in_a_log(tmp_path: Path) -> None:
    log = "epoch 1: loss=0.9 acc: 50%\nepoch 2: loss=0.4, acc: 80 %\nval loss = 1e-3\nat 12:30:01 pid: 77\n"
    found = metrics(tmp_path, "train.log", log + "final acc: 81.5%\nversion: 1.2.3\n")
    assert found == {"acc": 80.0, '"final acc"': 0.815, "loss": 0.4, '"val loss"': 0.001}


def test_a_hostile_log_costs_no_time(tmp_path: Path) -> None:
    started = time.monotonic()
    metrics(tmp_path, "a.log", ("a-" * 2000 + "\n" + "a " * 2000 + "\n" + "a." * 2000 + "\n") * 200)
    assert time.monotonic() - started < 5


DAMAGED = ["[" * 100_000, "{", "", "\0\1\2", '{"a": 1e999}', '{"a": ' + "9" * 5000 + "}"]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_contents_hold_no_finite_metric(content: str, tmp_path: Path) -> None:
    assert set(metrics(tmp_path, "metrics.json", content).values()) <= {None}


def scalar(value: bytes, *, axes: bytes = b"") -> bytes:
    """A summary's value that holds a tensor, as ``tf.summary.scalar`` and torch's ``new_style`` write it."""
    return encoders.field(1, encoders.field(1, "val/f1") + encoders.field(8, axes + value))


def event(step: int, summary: bytes) -> bytes:
    return encoders.record(encoders.field(2, step) + encoders.field(5, summary))


TENSORS = {
    "float_val": encoders.field(1, 1) + encoders.field(5, struct.pack("<f", 0.625)),
    "double_val": encoders.field(1, 2) + encoders.field(6, struct.pack("<d", 0.625)),
    "tensor_content": encoders.field(1, 1)
    + encoders.field(2, b"")
    + encoders.field(4, struct.pack("<f", 0.625)),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_the_last_value_of_each_scalar_of_tensorboard(kind: str, tmp_path: Path) -> None:
    content = encoders.events([(0, 2.0), (1, 0.5)], "train/loss") + event(1, scalar(TENSORS[kind]))
    found = metrics(tmp_path, "events.out.tfevents.1700000000.host", content)
    assert found == {"train/loss": 0.5, "val/f1": 0.625}


def test_what_tensorboard_shows_beside_scalars_is_no_metric(tmp_path: Path) -> None:
    axes = encoders.field(2, encoders.field(2, encoders.field(1, 2)))
    histogram = encoders.field(1, encoders.field(1, "h") + encoders.field(5, b""))
    content = encoders.events([(0, 2.0)], "loss") + event(0, histogram)
    content += event(0, scalar(encoders.field(1, 1) + encoders.field(5, struct.pack("<2f", 1, 2)), axes=axes))
    path = tmp_path / "events.out.tfevents.1.h"
    path.write_bytes(content)
    assert metrics(tmp_path, path.name, content) == {"loss": 2.0}
    outputs = Side(label="the original", files={"runs/" + path.name: path})
    assert look_up(outputs, named(f"runs/{path.name}:loss")) == 2.0
    with pytest.raises(NotFound, match="there is no scalar val/f1; there are loss"):
        look_up(outputs, named(f"runs/{path.name}:val/f1"))


def test_damaged_event_files_hold_no_metric(tmp_path: Path) -> None:
    content = encoders.events([(0, 2.0)], "loss")
    assert metrics(tmp_path, "a.tfevents", content[:-1]) == {}
    assert metrics(tmp_path, "a.tfevents", content[:-8] + b"12345678") == {}


def side(folder: Path, **contents: str) -> Side:
    files = {}
    for name, content in contents.items():
        path = folder / name
        path.write_text(content)
        files[name.replace("_", ".")] = path
    return Side(label="the original", files=files)


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ("m.json:forest.accuracy", 0.95),
        ('m.json:"logistic regression".accuracy', 0.97),
        ("t.csv:method=ours.f1", 0.83),
        ("t.csv:[0].f1", 0.81),
        ("t.csv:[-2].f1", 0.81),
        ("t.csv:f1", 0.83),
        ("l.txt:test_acc", 0.9),
        ("l.txt:test_acc[0]", 0.7),
        (r"l.txt:reached ([0-9.]+) in", 12.5),
    ],
)
def test_named_metrics(wanted: str, value: float, tmp_path: Path) -> None:
    outputs = side(
        tmp_path,
        m_json=json.dumps(DIGITS),
        t_csv="method,f1\nbase,0.81\nours,0.83\n",
        l_txt="test_acc=0.7\ntest_acc=0.9\nreached 12.5 in time\n",
    )
    assert look_up(outputs, named(wanted)) == value
    assert [metric.value for metric in find(outputs, [named(wanted)])[0]] == [value]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("m.json:forest.recall", "there is no forest.recall; there are accuracy, log_loss"),
        ("n.json:a", "there is no output n.json in the original"),
        ("sub/m.json:a", "there is m.json"),
        ("m.json:forest", "forest is no number"),
        ("t.csv:method=theirs.f1", "no rows have method=theirs"),
        ("t.csv:method=ours.f2", "there is no column f2; there are method, f1"),
        ("t.csv:[7].f1", "the table has 2"),
        (r"t.csv:x([0-9]+)", "nothing matches"),
    ],
)
def test_what_is_not_there_is_said(wanted: str, words: str, tmp_path: Path) -> None:
    outputs = side(tmp_path, m_json=json.dumps(DIGITS), t_csv="method,f1\nbase,0.81\nours,0.83\n")
    with pytest.raises(NotFound) as raised:
        look_up(outputs, named(wanted))
    assert words in str(raised.value)
    assert len(find(outputs, [named(wanted)])[1]) == 1


@pytest.mark.parametrize(
    "text", ["accuracy", "a.json:", "a.json:x..y", "a.txt:(a)(b)", "a.txt:(", "a.txt:a b"]
)
def test_a_wrong_name_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="--metric"):
        named(text)


@pytest.mark.parametrize("text", ["a.b[0].c", 'method="a b",lr="0.1".f1', '"x.y"[-1]', "[3].f1", "val/loss"])
def test_selectors_are_written_as_they_are_read(text: str) -> None:
    assert text_of(parse(text)) == text


@pytest.mark.parametrize("text", ["", ".", "a.", "a[", "a b", 'a."', "=x"])
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(SelectorError):
        parse(text)


def test_an_expression_that_takes_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from envfreeze.metrics import _expression

    monkeypatch.setattr(_expression, "SECONDS", 1.0)
    outputs = side(tmp_path, l_txt="a" * 60 + "!\n")
    started = time.monotonic()
    with pytest.raises(NotFound, match="took longer"):
        look_up(outputs, named(r"l.txt:((?:a|a)+)$"))
    assert time.monotonic() - started < 30
