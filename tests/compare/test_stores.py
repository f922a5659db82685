"""Outputs that are several files are one output of the comparison."""

from __future__ import annotations

import io
import json
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from envfreeze.compare import Options, PathRule
from envfreeze.compare.outputs import compare_sets
from envfreeze.compare.sides import Side, side_of_folder
from envfreeze.records.comparison import OutputComparison
from envfreeze.records.verdict import Verdict

from .mutations._experiment import ARRAY, BASE, Experiment
from .mutations.arrays import zarr_files
from .mutations.models import saved_model_files

HARMED = ARRAY["a bit in an array"]


def laid(folder: Path, files: dict[str, bytes]) -> Side:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return side_of_folder(folder)


def outputs(
    tmp_path: Path, one: dict[str, bytes], two: dict[str, bytes], **settings: object
) -> list[OutputComparison]:
    """What differs."""
    sides = laid(tmp_path / "one", one), laid(tmp_path / "two", two)
    compared = compare_sets(*sides, Options(**settings))
    return [output for output in compared.outputs if output.verdict is not Verdict.IDENTICAL]


def zarr(found: Experiment = BASE, root: str = "out/data.zarr/", **settings: object) -> dict[str, bytes]:
    return {root + key: data for key, data in zarr_files(found, **settings).items()}


@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_folder_is_one_output(version: int, tmp_path: Path) -> None:
    log = {"out/log.txt": b"loss: 0.5\n"}
    (found,) = outputs(tmp_path, zarr(version=version) | log, zarr(HARMED, version=version) | log)
    assert (found.path, found.comparator, found.verdict) == ("out/data.zarr", "zarr", "different")
    assert found.reason.startswith("deep/w: 1 of 24 elements differ")
    assert "1 of " in found.reason and "files differ" in found.reason


def test_other_chunks_are_no_result(tmp_path: Path) -> None:
    (found,) = outputs(tmp_path, zarr(), zarr(chunks=(4, 6), packed=False))
    assert found.verdict is Verdict.EQUIVALENT
    assert found.set_aside == ("compression: 1 place", "shape of chunks: 1 place")


def test_a_lost_chunk_is_the_fill_value(tmp_path: Path) -> None:
    two = zarr()
    del two["out/data.zarr/deep/w/c/0/1"]
    (found,) = outputs(tmp_path, zarr(), two)
    assert found.verdict is Verdict.DIFFERENT
    assert "6 of 24 elements differ" in found.reason


def test_the_whole_side_may_be_the_store(tmp_path: Path) -> None:
    (found,) = outputs(tmp_path, zarr(root=""), zarr(HARMED, root=""))
    assert (found.path, found.comparator) == (".", "zarr")


def test_what_lies_in_a_store_and_is_none_of_it_is_compared_alone(tmp_path: Path) -> None:
    extra = {"out/data.zarr/notes.txt": b"a\n", "out/data.zarr/deep/w/thumb.txt": b"a\n"}
    other = dict.fromkeys(extra, b"b\n")
    found = outputs(tmp_path, zarr() | extra, zarr() | other)
    assert {output.path for output in found} == set(extra)


def test_without_the_library_files_are_compared_one_by_one(tmp_path: Path, monkeypatch) -> None:
    one, two = zarr(), zarr(HARMED)
    monkeypatch.setitem(sys.modules, "zarr", None)
    monkeypatch.setattr("envfreeze.compare._worker.inside", True)
    (found,) = outputs(tmp_path, one, two)
    assert (found.path, found.verdict) == ("out/data.zarr/deep/w/c/0/0", "different")
    assert "zarr is not installed beside envfreeze" in found.reason


def test_an_ignored_file_leaves_the_others_to_be_compared_one_by_one(tmp_path: Path) -> None:
    rule = PathRule(pattern="out/data.zarr/**", ignore="scratch")
    found = outputs(tmp_path, zarr(), zarr(HARMED), rules=(rule,))
    assert all(output.verdict is Verdict.UNCOMPARED for output in found)


def test_a_tolerance_for_the_folder_holds_for_its_store(tmp_path: Path) -> None:
    nudged = BASE._replace(weights=BASE.weights * 1.001)
    rule = PathRule(pattern="out/**", rtol=0.01)
    (found,) = outputs(tmp_path, zarr(), zarr(nudged), rules=(rule,))
    assert found.verdict is Verdict.CLOSE


CHANGES = {
    "pickle": {"filters": [{"id": "pickle", "protocol": 5}], "dtype": "|O"},
    "unknown": {"compressor": {"id": "evil"}},
    "huge": {"shape": [1 << 40, 1 << 20]},
    "chunk of no size": {"chunks": [0, 3]},
    "negative": {"shape": [-4, 6]},
    "huge chunk": {"chunks": [1 << 40, 1 << 20]},
    "no dtype": {"dtype": "|V99999999999"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_metadata_that_asks_for_too_much_is_not_followed(change: str, tmp_path: Path) -> None:
    sides = []
    for found in (BASE, HARMED):
        files = zarr(found, version=2)
        name = "out/data.zarr/deep/w/.zarray"
        files[name] = json.dumps(json.loads(files[name]) | CHANGES[change]).encode()
        sides.append(files)
    (found,) = outputs(tmp_path, *sides)
    assert found.verdict is Verdict.DIFFERENT
    assert (found.comparator, "not compared as zarr" in found.reason) == ("bytes", True)


def test_consolidated_metadata_that_lies_is_not_believed(tmp_path: Path) -> None:
    two = zarr(version=2, consolidated=True)
    two["out/data.zarr/.zmetadata"] = two["out/data.zarr/.zmetadata"].replace(b"0.9312", b"0.9999")
    found = outputs(tmp_path, zarr(version=2, consolidated=True), two)
    assert [output.verdict for output in found] == [Verdict.DIFFERENT]


def test_the_variables_of_a_saved_model_are_one_output(tmp_path: Path) -> None:
    one, two = (saved_model_files(found) for found in (BASE, HARMED))
    (found,) = outputs(tmp_path, one, two)
    assert (found.path, found.comparator) == ("m/variables/variables", "checkpoint")
    assert found.reason.startswith("w: 1 of 24 elements differ")


def real_saved_model(number: int) -> dict[str, bytes]:
    """Written by TensorFlow 2.21; before the second, three other functions were traced."""
    data = (Path(__file__).parent / "data" / f"saved_model_{number}.tar.xz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data))) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isreg()}


def test_two_runs_of_tensorflow_write_equivalent_models(tmp_path: Path) -> None:
    found = {output.path: output for output in outputs(tmp_path, real_saved_model(1), real_saved_model(2))}
    assert {path: output.comparator for path, output in found.items()} == {
        "sm/saved_model.pb": "saved_model",
        "sm/fingerprint.pb": "fingerprint",
    }
    assert {output.verdict for output in found.values()} == {Verdict.EQUIVALENT}


def test_a_changed_constant_of_tensorflow_is_different(tmp_path: Path) -> None:
    two = real_saved_model(1)
    values = b"\x00\x00\x80\x3f\x00\x00\x00\x40"  # 1.0 and 2.0
    assert values in two["sm/saved_model.pb"]
    two["sm/saved_model.pb"] = two["sm/saved_model.pb"].replace(values, values[:4] + values[:4])
    (found,) = outputs(tmp_path, real_saved_model(1), two)
    assert (found.comparator, found.verdict) == ("saved_model", "different")
    assert "2.0 → 1.0" in found.reason


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_checkpoint_is_never_equivalent(part: str, tmp_path: Path) -> None:
    one = saved_model_files(BASE)
    name = f"m/variables/variables.{part}"
    for number, place in enumerate(range(0, len(one[name]), 7)):
        changed = bytearray(one[name])
        changed[place] ^= 1
        found = outputs(tmp_path / str(number), one, one | {name: bytes(changed)})
        assert [output.verdict for output in found] == [Verdict.DIFFERENT], (place, found)


def test_a_change_of_a_shard_with_its_checksum_names_the_variable(tmp_path: Path) -> None:
    two = saved_model_files(BASE._replace(labels=("cat", "dog", "burd")))
    (found,) = outputs(tmp_path, saved_model_files(BASE), two)
    assert "labels" in found.reason and "bird → burd" in found.reason


def test_names_that_leave_their_store_are_put_nowhere(judge, tmp_path: Path) -> None:
    def archive(last: bytes) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as opened:
            for name in (".zgroup", "../0", "a/../../.zarray"):
                entry = tarfile.TarInfo(name)
                entry.size = len(last)
                opened.addfile(entry, io.BytesIO(last))
        return stream.getvalue()

    assert judge(archive(b"1"), archive(b"2"), "x.tar").finding.verdict == "different"


def test_the_command_line_is_not_slower_for_it() -> None:
    code = "import sys, envfreeze.compare.outputs; sys.exit('zarr' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("version", [2, 3])
def test_a_chunk_that_says_it_is_a_terabyte_is_not_unpacked(version: int, tmp_path: Path) -> None:
    """The head of a Zstandard frame (RFC 8878, 3.1.1.1) with a content size of 2^40 bytes."""
    name = "out/data.zarr/deep/w/" + ("0.0" if version == 2 else "c/0/0")
    sides = []
    for last in (b"1", b"2"):
        files = zarr(version=version)
        files[name] = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + last * 9
        sides.append(files)
    (found,) = outputs(tmp_path, *sides)
    assert found.verdict is Verdict.DIFFERENT
    assert "not compared as zarr" in found.reason
