"""A replay with other numbers is excused by the sweep of its lock, or is not, with the reason."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from envfreeze.compare import Options
from envfreeze.compare.outputs import compare_sets
from envfreeze.compare.sides import Side
from envfreeze.records.comparison import Comparison
from envfreeze.records.metrics import Metric
from envfreeze.records.sweep import Sweep, SweepRun
from envfreeze.records.verdict import Verdict
from envfreeze.sweeps.judge import for_comparison, with_sweep
from envfreeze.sweeps.width import width

from ..records.test_lockfile import sample


def run(number: int, **changed: object) -> SweepRun:
    draw = random.Random(number)
    values = {"accuracy": 0.9 + draw.gauss(0, 0.01), "loss": 1 + draw.gauss(0, 0.1), "trees": 40.0}
    metrics = tuple(Metric(path="metrics.json", selector=name, value=value) for name, value in values.items())
    outputs = {"metrics.json": f"m{number}", "model.bin": f"b{number}", "config.txt": "same"}
    record = SweepRun(number=number, values={"seed": str(number)}, metrics=metrics, outputs=outputs)
    return replace(record, **changed)


def sweep(count: int = 12, **changed: object) -> Sweep:
    runs = tuple(run(number) for number in range(count))
    made = Sweep(id="a", lock="0" * 64, engine="local", command=("c",), factors=("seed",), runs=runs)
    return replace(made, **changed)


def side(
    folder: Path, *, model: str = "m", config: str = "c", exit_status: int = 0, **values: object
) -> Side:
    folder.mkdir(parents=True)
    metrics = {"accuracy": 0.9, "loss": 1.0, "trees": 40} | values
    contents = {"metrics.json": json.dumps(metrics), "model.bin": f"\0{model}", "config.txt": config}
    for name, content in contents.items():
        (folder / name).write_text(content)
    return Side(label="replay", files={name: folder / name for name in contents}, exit_status=exit_status)


def judged(folder: Path, replay: Side, of: Sweep) -> Comparison:
    return with_sweep(compare_sets(side(folder / "original"), replay, Options()), of, replay)


def test_other_numbers_within_the_seeds_are_indistinguishable(tmp_path: Path) -> None:
    found = judged(tmp_path, side(tmp_path / "replay", model="n", accuracy=0.905, loss=1.05), sweep())
    assert found.verdict is Verdict.INDISTINGUISHABLE
    lifted = {item.path for item in found.outputs if item.verdict is Verdict.INDISTINGUISHABLE}
    assert lifted == {"metrics.json", "model.bin"}
    assert "3 metrics lie where 12 seeds put them" in found.outputs[0].reason
    assert "α = 0.05" in found.outputs[0].reason


def test_equal_outputs_stay_identical(tmp_path: Path) -> None:
    assert judged(tmp_path, side(tmp_path / "replay"), sweep()).verdict is Verdict.IDENTICAL


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"accuracy": 0.8}, "metrics.json:accuracy = 0.8 lies outside of 0.8"),
        ({"accuracy": 0.905, "trees": 41}, "metrics.json:trees = 41, and 40 in all 12 runs"),
        ({"accuracy": float("nan")}, "metrics.json:accuracy is not a number in the replay"),
        ({"accuracy": 0.905, "f1": 0.5}, "metrics.json:f1 is in the replay and in no run of the sweep"),
    ],
)
def test_numbers_outside_of_the_seeds_stay_different(
    changed: dict[str, object], words: str, tmp_path: Path
) -> None:
    found = judged(tmp_path, side(tmp_path / "replay", model="n", **changed), sweep())
    assert found.verdict is Verdict.DIFFERENT
    assert not any(item.verdict is Verdict.INDISTINGUISHABLE for item in found.outputs)
    assert words in found.outputs[0].reason


def test_an_output_that_no_seed_changes_is_not_excused(tmp_path: Path) -> None:
    found = judged(tmp_path, side(tmp_path / "replay", config="d", accuracy=0.905), sweep())
    assert found.verdict is Verdict.DIFFERENT
    config = next(item for item in found.outputs if item.path == "config.txt")
    assert "it was the same in all 12 runs of the sweep" in config.reason


def test_neither_a_lost_output_nor_another_exit_status_is_excused(tmp_path: Path) -> None:
    failed = judged(tmp_path / "a", side(tmp_path / "b", exit_status=1, accuracy=0.905), sweep())
    assert failed.verdict is Verdict.DIFFERENT
    replay = side(tmp_path / "c", accuracy=0.905)
    del replay.files["model.bin"]
    assert judged(tmp_path / "d", replay, sweep()).verdict is Verdict.MISSING


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (sweep(9), "the sweep has 9 runs, and 10 are needed"),
        (sweep(factors=("threads",)), "varied threads and no seeds"),
        (sweep(runs=(*sweep().runs, run(12, failed=True))), "1 of the sweep's 13 runs failed"),
        (sweep(runs=(*sweep().runs, run(12, metrics=()))), "only 12 of 13 runs have it"),
        (sweep(runs=tuple(replace(run(3), number=number) for number in range(12))), "the seed reaches none"),
    ],
)
def test_a_sweep_that_says_too_little_excuses_nothing(of: Sweep, words: str, tmp_path: Path) -> None:
    values = {metric.selector: metric.value for metric in run(3).metrics}
    found = judged(tmp_path, side(tmp_path / "replay", **values), of)
    assert found.verdict is Verdict.DIFFERENT
    assert words in found.outputs[0].reason


def test_the_sweep_with_the_most_seeds_is_taken_and_one_of_seeds_alone_before_others() -> None:
    mixed = sweep(30, factors=("seed", "threads"))
    assert for_comparison([sweep(10), mixed, sweep(20)]) == sweep(20)
    assert for_comparison([mixed]) == mixed
    assert for_comparison([]) is None


def test_runs_at_a_time_stay_within_cores_and_memory() -> None:
    lock = sample()
    lock = replace(lock, run=replace(lock.run, cpu=20.0, duration=10.0, peak_memory=4 << 30))
    assert width(lock, 16, cores=8, memory=64 << 30).jobs == 4
    assert width(lock, 16, cores=8, memory=12 << 30).jobs == 2
    assert width(lock, 16, cores=8, memory=1 << 30).jobs == 1, "one run is always tried"
    assert width(lock, 3, cores=64, memory=640 << 30).jobs == 3


def test_a_strangers_sweep_with_a_wrong_name_excuses_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, side(tmp_path / "replay", accuracy=0.905), sweep(named=("no name",)))
    assert found.verdict is Verdict.DIFFERENT
    assert "--metric 'no name'" in found.outputs[0].reason
