"""Show the rows after a stage, or what left in it and why, without training."""

from __future__ import annotations

import json
import sys

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from rich.table import Table
from rich.text import Text

from prepsweep.commands import Arguments, console, positive
from prepsweep.csv_cells import neutralise
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import table_of
from prepsweep.visible import cut
from prepsweep.walk import Step, Walk, walk

_SHOWN = 20
_TEXT_CHARACTERS = 200
_UID_DIGITS = 10
_PLAIN = {"split": "", "origin": "source", "weight": 1.0}
_ROWS_AT_ONCE = 10_000


def main(argv: list[str]) -> int:
    """Print rows as a table for people (20 of them), or as JSON lines or CSV for programs (all of them)."""
    arguments = Arguments("rows", "The rows of a configuration or of a finished run, after a stage or at the end.")
    arguments.add_argument("targets", nargs="*", metavar="RUN_DIR | OVERRIDE", help="a run's folder, or overrides as for train")
    arguments.add_argument("--stage", help="after this stage, such as augment.synonym; the source is data")
    arguments.add_argument("--dropped", action="store_true", help="the rows that left in it, or in any stage, with their reasons")
    arguments.add_argument("--reason", help="only rows that left for this reason")
    arguments.add_argument("--evidence", action="store_true", help="what the stage found: pairs, suggestions")
    arguments.add_argument("--limit", type=positive, metavar="N", help=f"at most N rows ({_SHOWN} in a table)")
    arguments.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    asked = arguments.parse(argv)
    walked = walk(asked.targets, until=asked.stage)
    steps = walked.of(walked.steps[-1].where) if asked.stage else walked.steps
    if asked.evidence:
        table = _evidence(steps)
    elif asked.dropped or asked.reason:
        table = _dropped(steps, asked.reason)
    else:
        table = _rows(walked, steps if asked.stage else [])
    limit = asked.limit or (_SHOWN if asked.format == "table" else len(table))
    {"table": _print_table, "jsonl": _print_jsonl, "csv": _print_csv}[asked.format](table.slice(0, limit), len(table))
    return 0


def _rows(walked: Walk, steps: list[Step]) -> pa.Table:
    parts = [step.after for step in steps] or walked.prepared()
    return pa.concat_tables([table_of(rows.dataset) for rows in parts], promote_options="default")


def _dropped(steps: list[Step], reason: str | None) -> pa.Table:
    left = [(step.where, table_of(step.left)) for step in steps]
    named = [table.append_column("stage", pa.repeat(pa.scalar(where), len(table))) for where, table in left]
    rows = pa.concat_tables(named, promote_options="default")
    if reason is None:
        return rows
    reasons = pc.unique(rows.column("dropped")).to_pylist()
    if reason not in reasons:
        raise Refused("--reason", f"no row left as {reason!r}", nearest(reason, reasons) if reasons else "no row left at all")
    return rows.filter(pc.equal(rows.column("dropped"), reason))


def _evidence(steps: list[Step]) -> pa.Table:
    found = [(step.where, evidence) for step in steps if (evidence := step.after.entry.evidence) is not None]
    if not found:
        raise Refused("--evidence", f"{' and '.join(dict.fromkeys(step.where for step in steps))} kept none", "name another --stage")
    if len({where for where, _ in found}) > 1:
        raise Refused("--evidence", f"{len(found)} stages kept some", "add --stage=" + " or ".join(where for where, _ in found))
    return pa.concat_tables([evidence for _, evidence in found])


def _print_table(table: pa.Table, n_rows: int) -> None:
    """Columns that say something (a weight that is 1 everywhere does not), each text in one line and cut."""
    columns = [name for name in table.column_names if _says_something(name, table.column(name))]
    shown = Table(box=None, pad_edge=False)
    for name in columns:
        shown.add_column(cut(name, 40), ratio=1 if name == "text" else None, overflow="fold")
    for row in table.select(columns).to_pylist():
        shown.add_row(*(Text(_cell(name, value)) for name, value in row.items()))
    out = console()
    if columns:
        out.print(shown)
    out.print(f"{len(table):,} of {n_rows:,} rows" + ("; --limit N shows more" if len(table) < n_rows else ""))


def _says_something(name: str, column: pa.ChunkedArray) -> bool:
    if pa.types.is_nested(column.type):
        return bool(column.null_count < len(column))
    return pc.unique(column).to_pylist() not in ([None], [_PLAIN.get(name)])


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    # A uid is shown as far as `prepsweep why` needs it.
    return str(value)[:_UID_DIGITS] if name.endswith("uid") else cut(str(value), _TEXT_CHARACTERS)


def _print_jsonl(table: pa.Table, _: int) -> None:
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
        sys.stdout.buffer.write(lines.encode())
    sys.stdout.buffer.flush()


def _print_csv(table: pa.Table, _: int) -> None:
    """Values in quotes, so that null and an empty text differ; no cell can be taken for a formula (`csv_cells`)."""
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            raise Refused("--format", f"the column {field.name!r} holds lists, which CSV cannot", "use --format=jsonl")
        if pa.types.is_string(field.type):
            table = table.set_column(place, field.name, neutralise(table.column(place)))
    csv.write_csv(table, sys.stdout.buffer, csv.WriteOptions(quoting_style="all_valid"))
    sys.stdout.buffer.flush()
