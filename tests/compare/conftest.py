from __future__ import annotations

from collections.abc import Callable

import pytest

from envfreeze.compare import Options
from envfreeze.compare._contents import Judgement, compare_contents

Judge = Callable[..., Judgement]


@pytest.fixture
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Compares two contents as an output of the given name; without suffixes on disk, as in the store."""

    def judged(one: str | bytes, two: str | bytes, name: str, **settings: object) -> Judgement:
        paths = [tmp_path_factory.getbasetemp() / side for side in ("original", "replay")]
        for path, content in zip(paths, (one, two), strict=True):
            path.unlink(missing_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return compare_contents(paths[0], paths[1], Options(**settings), name)

    return judged
