"""What is varied reaches the command."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from envfreeze.errors import InputError
from envfreeze.factors import chosen, factors
from envfreeze.factors.seed import apply, detected
from envfreeze.records.observation import Parameter
from envfreeze.records.run import Job

from ..records.test_lockfile import sample


def job(*command: str) -> Job:
    return Job(command=command, directory="/p", project="/p")


@pytest.mark.parametrize(
    ("command", "passed", "made"),
    [
        ("python t.py --seed 7 --lr 1", "--seed", "python t.py --seed 3 --lr 1"),
        ("python t.py --seed=7", "--seed", "python t.py --seed=3"),
        ("python t.py --random-state 7", "--random-state", "python t.py --random-state 3"),
        ("python t.py trainer.seed=7 lr=1", "trainer.seed=", "python t.py trainer.seed=3 lr=1"),
        ("python t.py --seeds-file x --run-seed", "", "python t.py --seeds-file x --run-seed"),
    ],
)
def test_the_seed_takes_the_place_of_the_recorded_one(command: str, passed: str, made: str) -> None:
    words = tuple(command.split())
    lock = sample()
    lock = replace(lock, run=replace(lock.run, parameters=(), environment={}))
    assert detected(lock, words) == passed
    changed = apply(job(*words), "3", passed)
    assert changed.command == tuple(made.split())
    assert changed.environment["ENVFREEZE_SEED"] == "3"


def test_an_option_that_was_left_at_its_default_is_known_from_the_recorded_parameters() -> None:
    lock = sample()
    default = Parameter(owner="argparse t.py", name="seed", value="7", source="default")
    lock = replace(lock, run=replace(lock.run, parameters=(default,), environment={}))
    assert detected(lock, ("python", "t.py")) == "--seed"
    assert apply(job("python", "t.py"), "3", "--seed").command == ("python", "t.py", "--seed", "3")
    with_variable = replace(lock, run=replace(lock.run, environment={"SEED": "1"}))
    assert detected(with_variable, ("python", "t.py")) == "SEED"
    assert apply(job("python"), "3", "SEED").environment["SEED"] == "3"


def test_what_cannot_take_a_seed_or_be_varied_is_one_sentence() -> None:
    with pytest.raises(InputError, match="neither an option"):
        apply(job("python"), "3", "rm -rf /")
    with pytest.raises(InputError, match="no factor 'moon'"):
        chosen("seed,moon")
    with pytest.raises(InputError, match="nothing is to be varied"):
        chosen(" , ")


def test_threads_double_up_to_the_recorded_cores() -> None:
    lock = sample()
    lock = replace(lock, cpu=replace(lock.cpu, usable_cores=6))
    factor = factors()["threads"]
    assert [factor.value(lock, number) for number in range(5)] == ["1", "2", "4", "1", "2"]
    assert factor.apply(job("python"), "2", "").environment["OMP_NUM_THREADS"] == "2"
    assert factors()["hash-seed"].apply(job("python"), "2", "").environment == {"PYTHONHASHSEED": "2"}
