"""Facts of a stage that are tables (what each labelling function did, whence the labels of each split are), for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def is_table(fact: Any) -> bool:
    """Whether a fact is rows by name, each of them values by name."""
    return isinstance(fact, Mapping) and bool(fact) and all(isinstance(row, Mapping) for row in fact.values())


def fact_tables(facts: Mapping[str, Any]) -> Iterator[Table | Text]:
    """The name and the rows of each fact that is a table."""
    from rich.table import Table
    from rich.text import Text

    for name, rows in facts.items():
        if not is_table(rows):
            continue
        # Not as the title: that would be wrapped to the width of the table.
        yield Text(f"\n{name.replace('_', ' ')}", style="bold")
        table = Table(box=None, pad_edge=False)
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        table.add_column("")
        for column in columns:
            table.add_column(Text(column.replace("_", " ")), justify="right")
        for row_name, row in rows.items():
            table.add_row(Text(str(row_name)), *(_shown(row.get(column)) for column in columns))
        yield table


def _shown(value: Any) -> str:
    if value is None:
        return "·"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
