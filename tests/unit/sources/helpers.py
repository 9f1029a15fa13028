"""What the tests of the readers share: default arguments, and proof that a refusal writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from prepsweep.errors import Refused


def arguments(**given: object) -> dict[str, Any]:
    """The arguments of a file source, as its YAML has them, with `given` in their place."""
    empty = dict.fromkeys(("dev_path", "test_path", "text_pair_column", "group_column", "time_column", "classes", "labels"))
    return {**empty, "text_column": "text", "label_column": "label", "carry_columns": [], "unlabelled": False, **given}


def contents() -> dict[Path, bytes]:
    """Every file below the working directory, which is the test's own."""
    return {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()}


@contextmanager
def refusal(where: str, what: str, fix: str) -> Iterator[None]:
    """Refused at exactly `where`, with these words, in one line, and no file made or changed."""
    before = contents()
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.where == where
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert len(str(caught.value).splitlines()) == 1
    assert contents() == before
