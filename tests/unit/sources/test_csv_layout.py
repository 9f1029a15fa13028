"""Records and cells whose ends lie where a search for them stops looking near by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prepsweep.errors import Refused
from prepsweep.sources import csv_layout
from prepsweep.sources.csv_layout import Layout
from prepsweep.sources.files import TextFile


def layout(data: bytes) -> Layout:
    return Layout(TextFile(Path("rows.csv"), data, 0, len(data)), ",")


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("length", range(1, 9))
def test_line_ends_about_the_limit_of_a_cell(length: int, line_end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_layout, "MAX_CELL_BYTES", 6)
    data = b"x" * length + line_end + b"a,b" + line_end
    if length <= 6:
        assert list(layout(data).records(0)) == [(0, 1), (length + len(line_end), 2)]
    else:
        with pytest.raises(Refused, match=re.escape(f"a cell of {length} bytes, over 6")):
            list(layout(data).records(0))


@pytest.mark.parametrize("after", [b"", b",b\n", b"\n,b", b"\r,\n"])
def test_a_long_cell_ends_at_the_first_of_its_ends(after: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_layout, "MAX_CELL_BYTES", 3)
    with pytest.raises(Refused, match="a cell of 40 bytes, over 3"):
        layout(b"x" * 40 + after).record(0)


def test_a_row_longer_than_a_cell_may_be_has_cells_that_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_layout, "MAX_CELL_BYTES", 3)
    assert list(layout(b"abc,def,ghi\r\njkl,m\n").records(0)) == [(0, 3), (13, 2)]
