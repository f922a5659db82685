from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.environment import (
    Cpu,
    Git,
    Interpreter,
    NumericalLibrary,
    Package,
    System,
    SystemPackage,
)
from envfreeze.records.files import Gap, StreamEntry
from envfreeze.records.lock import Lock
from envfreeze.records.observation import Observation, ProcessEntry
from envfreeze.records.run import Image, Run
from envfreeze.records.verdict import Verdict, worst
from envfreeze.report._files import as_tree
from envfreeze.report.terminal import print_comparison, print_lock, print_run, sentence

DIGEST = "0" * 64


def output(path: str, verdict: str, reason: str = "", **more: object) -> OutputComparison:
    return OutputComparison(path=path, verdict=Verdict(verdict), reason=reason, **more)


def comparison(*outputs: OutputComparison) -> Comparison:
    return Comparison(verdict=worst([item.verdict for item in outputs if item.counts]), outputs=outputs)


def printed(function: object, *arguments: object, encoding: str = "utf-8", **settings: object) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=80, highlight=False)
    function(*arguments, console, **settings)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


SAME = [output(f"f{number}", "identical") for number in range(5)]
MOVED = output("metrics.json", "different", "$.accuracy 0.9722 → 0.9694")


def test_sentence_of_success() -> None:
    assert sentence(comparison(*SAME), Verdict.EQUIVALENT) == "Reproduced: 5 outputs identical, bit for bit."


def test_sentence_of_a_difference_names_what_moved() -> None:
    found = sentence(comparison(MOVED, *SAME), Verdict.EQUIVALENT)
    assert found == "Not reproduced: metrics.json: $.accuracy 0.9722 → 0.9694"


def test_sentence_counts_the_others() -> None:
    found = sentence(comparison(MOVED, output("x", "missing", "gone"), *SAME), Verdict.EQUIVALENT)
    assert found.endswith("(and 1 more output)")


def test_sentence_of_a_mixture() -> None:
    found = sentence(comparison(output("m", "equivalent", "date"), *SAME), Verdict.EQUIVALENT)
    assert found.startswith("Reproduced: 6 outputs, 5 identical")
    assert "1 equivalent" in found


@pytest.mark.parametrize("verdict", ["close", "uncompared", "extra", "missing", "different"])
def test_success_is_only_claimed_when_all_that_counts_is_good_enough(verdict: str) -> None:
    found = sentence(comparison(output("m", verdict, "why"), *SAME), Verdict.EQUIVALENT)
    assert not found.startswith("Reproduced")
    assert "m" in found
    assert "why" in found


def test_close_is_enough_when_asked_for() -> None:
    found = comparison(output("m", "close", "3 numbers"), *SAME)
    assert sentence(found, Verdict.CLOSE).startswith("Reproduced")
    assert sentence(found, Verdict.EQUIVALENT) == "Not reproduced at level equivalent: m is close: 3 numbers"


def test_nothing_compared_is_no_success() -> None:
    assert sentence(comparison(), Verdict.SAME_CONCLUSION).startswith("Nothing was compared")
    only_errors = comparison(output("<stderr>", "identical", counts=False))
    assert sentence(only_errors, Verdict.SAME_CONCLUSION).startswith("Nothing was compared")


def test_a_failure_that_repeats_is_said() -> None:
    found = sentence(comparison(output("<exit status>", "identical", "1 in both"), *SAME), Verdict.IDENTICAL)
    assert "failed both times (exit status 1)" in found


def test_standard_error_does_not_spoil_the_sentence() -> None:
    found = comparison(output("<stderr>", "different", "line 1", counts=False), *SAME)
    assert sentence(found, Verdict.IDENTICAL).startswith("Reproduced")
    assert "does not count" in printed(print_comparison, found)


def test_table_shows_each_verdict_as_a_word() -> None:
    every = [output(f"p-{verdict.value}", verdict.value, f"because {verdict.value}") for verdict in Verdict]
    text = printed(print_comparison, comparison(*every))
    for verdict in Verdict:
        assert f"p-{verdict.value}" in text
    assert all(len(line) <= 80 for line in text.splitlines()[:-1])


def test_many_identical_outputs_share_a_line() -> None:
    many = [output(f"file{number:03}", "identical") for number in range(100)]
    text = printed(print_comparison, comparison(MOVED, *many))
    assert "100 outputs" in text
    assert len(text.splitlines()) < 10


HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;owned\x07\r\u202egnp.exe \udce9 [/nonsense]"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_hostile_text_is_shown_and_not_obeyed(encoding: str) -> None:
    found = comparison(output(HOSTILE, "different", HOSTILE, set_aside=(HOSTILE,)), *SAME)
    text = printed(print_comparison, found, encoding=encoding)
    assert not any(char in text for char in "\x1b\x07\r\u202e")
    assert "[bold red]x[/]" in text
    assert "\\x1b" in text
    lock = msgspec.structs.replace(
        LOCK, gaps=(Gap(what=HOSTILE, why=HOSTILE),), packages=(hostile_package(),)
    )
    text = printed(print_lock, lock, encoding=encoding)
    assert not any(char in text for char in "\x1b\x07\r\u202e")


def hostile_package() -> Package:
    return Package(name=HOSTILE, version=HOSTILE, source="index", index=HOSTILE)


def test_quiet_is_one_line() -> None:
    assert printed(print_comparison, comparison(MOVED, *SAME), quiet=True).count("\n") == 1


RUN = Run(
    id="1",
    lock=DIGEST,
    engine="local",
    image=Image(engine="local", reference="x", environment_id=DIGEST),
    command=("python", "train it.py"),
    directory="/p",
    started="",
    exit_status=0,
    duration=65.2,
    stdout=StreamEntry(sha256=DIGEST),
    stderr=StreamEntry(sha256=DIGEST),
    not_isolated=("kernel", "libc"),
    folder="/p/.envfreeze/runs/1",
    comparison=comparison(MOVED),
)


def test_run_says_what_was_not_isolated_and_where_it_lies() -> None:
    text = printed(print_run, RUN)
    assert "$ python 'train it.py'" in text
    assert "1 min 05 s" in text
    assert "not isolated: kernel, libc" in text
    assert "/p/.envfreeze/runs/1" in text
    assert "Not reproduced: metrics.json" in text
    assert printed(print_run, RUN, quiet=True).count("\n") == 1


LOCK = Lock(
    envfreeze_lock=1,
    run=Observation(
        command=("python", "train.py"),
        directory="/p",
        project="/p",
        exit_status=2,
        environment={"OMP_NUM_THREADS": "2"},
        stdout=StreamEntry(sha256=DIGEST),
        stderr=StreamEntry(sha256=DIGEST),
    ),
    interpreter=Interpreter(implementation="CPython", version="3.11.7", kind="venv"),
    packages=(
        Package(name="numpy", version="2.4.6", source="index", sha256=DIGEST),
        Package(name="mine", version="1.0+cpu", source="local", vendored=True),
    ),
    system=System(packages=(SystemPackage(name="libc6", version="2.36", manager="dpkg"),)),
    cpu=Cpu(model="Some CPU", libraries=(NumericalLibrary(name="openblas", kernels="Haswell", threads=2),)),
    git=Git(commit="abc", dirty=True),
    gaps=(Gap(what="GPU driver", why="nvidia-smi is not installed"),),
)


def test_lock_shows_every_section_and_gaps_first() -> None:
    text = printed(print_lock, LOCK)
    for word in (
        "python train.py",
        "2 (failed)",
        "$OMP_NUM_THREADS",
        "CPython 3.11.7",
        "numpy",
        "1.0+cpu",
        "kept in .envfreeze, without a digest",
        "libc6 2.36",
        "Haswell kernels, 2 threads",
        "abc with uncommitted changes",
    ):
        assert word in text, word
    assert text.startswith("Not captured: 1 thing\n  GPU driver: nvidia-smi is not installed")
    assert all(len(line) <= 80 for line in text.splitlines())


def test_smallest_lock() -> None:
    interpreter = Interpreter(implementation="CPython", version="3.11.7")
    text = printed(print_lock, Lock(envfreeze_lock=1, interpreter=interpreter))
    assert "Nothing is missing" in text


def test_programs_with_the_files_that_each_read_and_wrote() -> None:
    many = tuple(f"part-{number}" for number in range(10))
    entries = (
        ProcessEntry(pid=1, program="/bin/sh", command=("sh", "run.sh"), read=("run.sh",)),
        ProcessEntry(
            pid=2, parent=1, program="/bin/cat", command=("cat",), read=many, wrote=("all",), unnamed=3
        ),
    )
    assert list(as_tree(entries)) == ["sh run.sh", "  cat"]
    assert list(as_tree(entries, files=True)) == [
        "sh run.sh",
        "  read run.sh",
        "  cat",
        f"    read {', '.join(many[:8])}, and 2 more",
        "    wrote all",
        "    and 3 more files, which the record does not name here",
    ]
