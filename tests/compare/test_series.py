"""Training curves: the first step at which they part is named."""

from __future__ import annotations

import json

import pytest


def curve(kind: str, change: float) -> str:
    rows = [(step, 0.9 - step / 100 + (change if step >= 12 else 0)) for step in range(20)]
    if kind == "log.txt":
        return "".join(f"Epoch {step}/20 - loss: {loss:.4f}\n" for step, loss in rows)
    if kind == "log.jsonl":
        return "".join(json.dumps({"epoch": step, "loss": loss}) + "\n" for step, loss in rows)
    return "epoch,loss\n" + "".join(f"{step},{loss}\n" for step, loss in rows)


@pytest.mark.parametrize("kind", ["log.txt", "log.jsonl", "log.csv"])
def test_the_first_step_is_named_and_listed_once(judge, kind: str) -> None:
    finding = judge(curve(kind, 0), curve(kind, 0.0001), kind).finding
    assert finding.verdict == "different"
    assert finding.reason.startswith("loss at epoch 12 parts: 0.78")
    assert "everything before is identical; 7 more differences" in finding.reason
    assert [difference.where for difference in finding.differences] == ["loss at epoch 12"]


@pytest.mark.parametrize("kind", ["log.jsonl", "log.csv"])
def test_within_tolerance_it_is_close(judge, kind: str) -> None:
    assert judge(curve(kind, 0), curve(kind, 1e-14), kind).finding.verdict == "close"


def test_jsonl_lost_record_and_order_of_keys(judge) -> None:
    one = '{"a": 1, "b": 2}\n{"a": 2, "b": 3}\n'
    assert judge(one, '{"b": 2, "a": 1}\n{"a":2,"b":3}\n', "x").finding.verdict == "equivalent"
    assert judge(one, '{"a": 1, "b": 2}\n', "x").finding.verdict == "different"
    found = judge(one, '{"a": 1, "b": 2}\n{"a": 2, "b": 4}\n', "x")
    assert (found.comparator, found.finding.reason) == ("jsonl", "line 2.b 3 → 4")
