"""Tables of the report: what the page shows and what its CSV holds are the same cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pyarrow as pa

from prepsweep.compare.measures import with_minus
from prepsweep.csv_cells import neutralise

Cell = str | float | None
_BOM = "\ufeff"  # Without it Excel takes UTF-8 for the code page of the machine.


@dataclass(frozen=True)
class Column:
    """A column; `form` is how its numbers are written, as in `format(number, form)`, and empty for text."""

    name: str
    form: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption; `n_more` rows are left out of the page, and are in report.json."""

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    n_more: int = 0

    def shown(self, row: Sequence[Cell]) -> list[str]:
        """The cells of a row as text: nothing known is a middle dot."""
        return [written(cell, column.form) for cell, column in zip(row, self.columns, strict=True)]

    @property
    def csv_uri(self) -> str:
        """The table as CSV in a `data:` address: exact numbers, texts that no spreadsheet takes for a formula."""
        return f"data:text/csv;charset=utf-8,{quote(_BOM + self.csv(), safe='')}"

    def csv(self) -> str:
        """The rows with a header; a number is written whole, a text guarded as `csv_cells` says."""
        lines = [_guarded([column.name for column in self.columns]), *map(_guarded, self.rows)]
        out = io.StringIO()
        csv.writer(out).writerows(lines)
        return out.getvalue()


def first_rows(rows: Sequence[Sequence[Cell]], most: int) -> tuple[Sequence[Sequence[Cell]], int]:
    """At most `most` rows, and how many are left."""
    return rows[:most], max(0, len(rows) - most)


def written(cell: Cell, form: str) -> str:
    """A cell as the page and the pull request show it, with a true minus sign."""
    if cell is None:
        return "·"
    if not form:
        return str(cell)
    return with_minus(format(cell, form))


def _guarded(cells: Sequence[Cell]) -> list[Cell]:
    texts = [cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else None for cell in cells]
    guarded = neutralise(pa.array(texts, pa.string())).to_pylist()
    return [cell if safe is None else safe for cell, safe in zip(cells, guarded, strict=True)]
