"""``check.py`` of a bundle decides claims as envfreeze does."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from envfreeze.bundle.claims import tree
from envfreeze.claims._evaluate import evaluate
from envfreeze.claims.read import loads
from envfreeze.compare.sides import Side
from envfreeze.resources import resource

FILES = {
    "metrics.json": '{"accuracy": 0.9375, "forest": {"f1": [0.5, 0.75]}, "flag": true,'
    ' "nan": NaN, "big": 1e400}',
    "table.csv": "method,f1,n\nours,0.91,100\nbase,0.89,100\n",
    "curve.tsv": "epoch\tloss\n0\t1.5\n1\t0.25\n",
    "log.txt": "step 1 loss: 0.5\nstep 2 loss: 0.25\ntest accuracy = 93.5%\nfinal loss: nan\n",
    "lines.jsonl": '{"loss": 3}\n{"loss": 2.5}\n',
}
CLAIMS = [
    "metrics.json:accuracy >= 0.93", "metrics.json:accuracy > 0.9375", "metrics.json:forest.f1[-1] == 0.75",
    "metrics.json:forest.f1[5] == 0.75", "metrics.json:flag > 0", "metrics.json:nan > 0",
    "metrics.json:big > 0",
    "not metrics.json:nan > 0", "table.csv: method=ours.f1 > method=base.f1 by 0.02",
    "table.csv: method=ours.f1 > method=base.f1 by 0.021", "table.csv: method=none.f1 > 0",
    "table.csv: f1 == 0.89", "table.csv: n == 100", "curve.tsv: loss <= 0.25", "curve.tsv: loss in (0, 0.25]",
    "curve.tsv: loss in [0, 0.25)", "log.txt: loss < 1", 'log.txt: "test accuracy" ~= 0.93 within 1%',
    "lines.jsonl: loss == 2.5", "gone.json: x > 0", "gone.json: x > 0 or metrics.json:accuracy > 0",
    "gone.json: x > 0 and metrics.json:accuracy > 1", "max(metrics.json:accuracy, 2) == 2",
    "abs(metrics.json:accuracy - 1) < 0.1", "metrics.json:accuracy / 0 > 1",
    "metrics.json:accuracy * 2 - 1 == 0.875",
    "-metrics.json:accuracy < 0", "<stdout>: score == 4",
]  # fmt: skip


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", resource("templates/bundle/check.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("claim", CLAIMS)
def test_both_say_the_same(claim: str, check: ModuleType, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name, text in FILES.items():
        (project / name).write_text(text)
    (tmp_path / "stdout").write_text("score 3\nscore: 4\n")
    (parsed,) = loads(json.dumps({"claims": [{"id": "c", "holds": claim}]}).encode())
    side = Side(
        label="x", files={name: project / name for name in FILES}, stdout=tmp_path / "stdout", exit_status=0
    )
    ours = evaluate(parsed.expression, side).holds
    theirs = check.decided(json.loads(json.dumps(tree(parsed.expression))), str(tmp_path), [])
    assert theirs is ours


def test_python_3_6_reads_it() -> None:
    import ast

    ast.parse(resource("templates/bundle/check.py").read_text(), feature_version=(3, 6))
