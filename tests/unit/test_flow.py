"""What is recorded of the rows after a stage."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest

from prepsweep.cache import Cache
from prepsweep.flow import _compute, _content
from prepsweep.lineage import ContractBroken, Result, dataset_of
from prepsweep.stages import Stage


def test_rows_that_have_no_split_yet_are_recorded_as_all_beside_those_of_a_file_that_has_one() -> None:
    rows = pa.table({"text": ["a", "b", "c"], "split": ["", "dev", ""]})
    content = _content(rows)
    assert set(content) == {"all", "dev"}
    assert content["all"] == _content(rows.filter(pa.array([True, False, True])))["all"]
    assert content["dev"] == _content(rows.slice(1, 1))["dev"]


def test_a_source_of_which_two_rows_have_one_uid_is_refused(tmp_path: Path) -> None:
    class Doubled:
        name, group, where = "doubled", "data", "data"

        def __call__(self) -> Result:
            return Result(dataset_of(pa.table({"uid": ["a", "b", "a"], "text": ["one", "two", "three"]})))

    with pytest.raises(ContractBroken, match="data: made two rows with one uid"):
        _compute(cast(Stage, Doubled()), None, Cache(tmp_path), "key", [])
