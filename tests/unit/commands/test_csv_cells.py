"""Exported CSV: no cell is a formula, every cell comes back."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepsweep.csv_cells import neutralise, restore, written_here
from prepsweep.schema import COLUMNS

START = "=+-@\t\r\n＝＋－＠"
CELLS = st.text(st.one_of(st.sampled_from(START + "'"), st.characters(exclude_categories=("Cs",))), max_size=8)


@given(st.lists(st.none() | CELLS))
def test_every_cell_comes_back_and_none_begins_like_a_formula(cells: list[str | None]) -> None:
    written = neutralise(pa.array(cells, pa.string()))
    assert not any(cell and cell[0] in START for cell in written.to_pylist())
    assert restore(written).to_pylist() == cells


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("'=1+1", "''=1+1"), ("''-", "'''-"), ("\r\nx", "'\r\nx"), ("\n", "'\n"), ("＝1", "'＝1")],
)
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe(cell: str, written: str) -> None:
    assert neutralise(pa.array([cell])).to_pylist() == [written]


@pytest.mark.parametrize("cell", ["", "'tis", "a=b", "1-2", "x\n=1", "'", " =1", "你好", "👍"])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert neutralise(pa.array([cell])).to_pylist() == [cell]
    assert restore(pa.array([cell])).to_pylist() == [cell]


def test_only_an_export_may_be_restored() -> None:
    assert written_here(list(COLUMNS))
    assert written_here([*COLUMNS, "group"])
    assert not written_here(["text", "label"])
    assert not written_here(["label", *COLUMNS])
