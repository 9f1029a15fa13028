"""What is recorded of the rows after a stage."""

from __future__ import annotations

import pyarrow as pa

from prepsweep.flow import _content


def test_rows_that_have_no_split_yet_are_recorded_as_all_beside_those_of_a_file_that_has_one() -> None:
    rows = pa.table({"text": ["a", "b", "c"], "split": ["", "dev", ""]})
    content = _content(rows)
    assert set(content) == {"all", "dev"}
    assert content["all"] == _content(rows.filter(pa.array([True, False, True])))["all"]
    assert content["dev"] == _content(rows.slice(1, 1))["dev"]
