"""Nothing that harms is called identical or equivalent, nothing benign different, in any format."""

from __future__ import annotations

import pytest

from .mutations import BASE, DAMAGE, FORMATS, damaged

HARMFUL = [(name, change) for name, kind in FORMATS.items() for change in (*kind.harmful, *DAMAGE)]
BENIGN = [(name, change) for name, kind in FORMATS.items() for change in kind.benign]


def test_there_are_enough_of_them() -> None:
    assert len(HARMFUL) >= 300
    assert len(BENIGN) >= 300


@pytest.mark.parametrize(("name", "change"), HARMFUL)
def test_harm_is_never_equivalent(judge, name: str, change: str) -> None:
    kind = FORMATS[name]
    one = kind.build(BASE)
    two = damaged(one)[change] if change in DAMAGE else kind.build(kind.harmful[change])
    finding = judge(one, two, f"x{kind.suffix}").finding
    assert finding.verdict == "different", finding.reason
    assert finding.reason


@pytest.mark.parametrize(("name", "change"), BENIGN)
def test_what_is_no_result_is_never_different(judge, name: str, change: str) -> None:
    kind = FORMATS[name]
    judged = judge(*kind.benign[change](), f"x{kind.suffix}")
    assert judged.finding.verdict in ("identical", "equivalent"), judged.finding.reason


@pytest.mark.parametrize("name", FORMATS)
def test_the_comparator_of_the_format_is_found(judge, name: str) -> None:
    """A change is judged by what knows the format, not by bytes."""
    kind = FORMATS[name]
    change = next(iter(kind.harmful.values()))
    found = judge(kind.build(BASE), kind.build(change), f"x{kind.suffix}")
    assert found.comparator not in ("bytes", ""), found.finding.reason
