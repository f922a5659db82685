"""Operations whose bits no library promises are named where they may matter."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
from rich.console import Console

from envfreeze import workflow
from envfreeze.determinism import libraries
from envfreeze.determinism._not_promised import doubts, not_promised
from envfreeze.records.comparison import Comparison
from envfreeze.records.environment import Gpu, Rocm
from envfreeze.records.verdict import Verdict
from envfreeze.report._lock import print_lock

from ._every_source import environment_of
from .test_agent_tapes import OWN
from .test_rules import lock
from .test_tapes import freeze

DIFFERENT, SAME = Comparison(verdict=Verdict.DIFFERENT), Comparison(verdict=Verdict.IDENTICAL)


def shown(recorded: object) -> str:
    text = io.StringIO()
    print_lock(recorded, Console(file=text, width=200))  # type: ignore[arg-type]
    return text.getvalue()


def test_operations_are_named_for_the_libraries_of_a_run_on_a_gpu() -> None:
    on_gpu = lock("torch", "numpy", gpu=True)
    assert [name for name, _ in not_promised(on_gpu)] == ["torch"]
    assert "grid_sample" in shown(on_gpu) and "use_deterministic_algorithms.html" in shown(on_gpu)
    amd = msgspec.structs.replace(lock("torch"), rocm=Rocm(gpus=(Gpu(model="MI300X"),)))
    assert [name for name, _ in not_promised(amd)] == ["torch"]


def test_without_a_gpu_nothing_is_said() -> None:
    assert not_promised(lock("torch")) == () and "grid_sample" not in shown(lock("torch"))
    assert doubts(lock("torch"), (), DIFFERENT) == ()


def test_a_replay_that_differs_on_a_gpu_says_what_may_have_made_it() -> None:
    on_gpu = lock("torch", gpu=True)
    (note,) = doubts(on_gpu, (), DIFFERENT)
    assert note.startswith("torch promises no bits on a GPU for: ") and "profile strict" in note
    assert doubts(on_gpu, (), SAME) == ()
    assert doubts(on_gpu, ("cumsum_cuda_kernel …",), SAME) == ("a library warned: cumsum_cuda_kernel …",)


def test_each_list_of_operations_has_a_source() -> None:
    lists = [library for library in libraries() if library.nondeterministic]
    assert {"torch", "tensorflow"} <= {library.name for library in lists}
    assert [item.name for item in lists if "(https://" not in " ".join(item.nondeterministic)] == []


STAND_IN = """
import types, warnings
__version__, backends = "2.9.0", types.SimpleNamespace()
def get_num_threads():
    return 1
"""
WARNS = """
import torch, warnings
warnings.warn("cumsum_cuda_kernel does not have a deterministic implementation", stacklevel=1)
warnings.warn("something else", stacklevel=1)
"""


def test_what_pytorch_warns_of_is_in_the_lock_and_in_the_record(project: Path, tmp_path: Path) -> None:
    """In the profile recorded too, where nothing asked it to warn but the program itself."""
    (project / "torch").mkdir()
    (project / "torch/__init__.py").write_text(STAND_IN)
    (project / "main.py").write_text(WARNS)
    recorded = freeze(project, environment_of(OWN, tmp_path / "venv"), "python", "main.py")
    text = "cumsum_cuda_kernel does not have a deterministic implementation"
    assert recorded.run is not None and recorded.run.warned == (text,)
    assert text in shown(recorded)
    run = workflow.replay(project, engine="local")
    assert run.warned == (text,) and f"a library warned: {text}" in run.notes
