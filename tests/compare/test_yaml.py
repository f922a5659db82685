from __future__ import annotations

import pytest

CONFIG = """\
# a comment
model: forest
depth: 3
rate: 0.001
flags: [1, 2, 3]
deep: {on_gpu: true, none: null}
created: 2024-01-01 10:00:00
answer: yes
code: 012
"""

HARMFUL = [
    ("depth: 3", "depth: 4"),
    ("depth: 3", "depth: '3'"),
    ("depth: 3", "depth: true"),
    ("rate: 0.001", "rate: 0.002"),
    ("rate: 0.001", "rate: null"),
    ("[1, 2, 3]", "[1, 3, 2]"),
    ("on_gpu: true", "on_gpu: false"),
    ("none: null", "none: 'null'"),
    ("model: forest\n", ""),
    ("answer: yes", "answer: no"),
    ("answer: yes", "answer: true"),
    ("answer: yes", "answer: 'yes'"),
    ("code: 012", "code: 12"),
    ("2024-01-01 10:00:00", "'2024-01-01 10:00:00'"),
    ("model: forest", "model: forest\n---\nmodel: forest"),
    ("model: forest", "model: !!python/object:os.system forest"),
]


@pytest.mark.parametrize(("before", "after"), HARMFUL)
def test_harmful_changes_are_different(judge, before: str, after: str) -> None:
    assert before in CONFIG
    assert judge(CONFIG, CONFIG.replace(before, after), "c.yaml").finding.verdict == "different"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# a comment", "# another"),
        ("model: forest\ndepth: 3", "depth: 3\nmodel: forest"),
        ("[1, 2, 3]", "\n  - 1\n  - 2\n  - 3"),
        ("rate: 0.001", "rate: 0.0010"),
        ("2024-01-01 10:00:00", "2025-02-01 10:00:00"),
        ("model: forest", 'model: "forest"'),
    ],
)
def test_benign_changes_are_equivalent(judge, before: str, after: str) -> None:
    found = judge(CONFIG, CONFIG.replace(before, after), "c.yaml")
    assert found.finding.verdict == "equivalent"
    assert found.comparator == "yaml"


def test_an_alias_bomb_is_noticed_soon(judge) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "\n".join(lines)
    found = judge(bomb, bomb.replace("[x,", "[y,"), "bomb.yaml")
    assert found.finding.verdict == "different"
    assert found.comparator == "text"


def test_a_mapping_that_holds_itself_does_not_hang(judge) -> None:
    found = judge("a: &a\n  b: *a\n  c: 1\n", "a: &a\n  b: *a\n  c: 2\n", "self.yaml")
    assert found.finding.verdict == "different"


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_deep_nesting_does_not_crash(judge, depth: int) -> None:
    one, two = "[" * depth + "1" + "]" * depth, "[" * depth + "2" + "]" * depth
    assert judge(one, two, "deep.yaml").finding.verdict == "different"


def test_a_key_written_twice_is_compared_as_text(judge) -> None:
    assert judge("a: 1\na: 2\n", "a: 3\na: 2\n", "x.yaml").finding.verdict == "different"
