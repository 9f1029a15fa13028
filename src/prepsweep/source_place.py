"""Where a source row stands in the user's files, looked up when somebody asks: no column of it travels with the rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.schema import UNSPLIT
from prepsweep.sources.csv_layout import Layout
from prepsweep.sources.files import GivenFile, given_files, open_text
from prepsweep.stages import source_of
from prepsweep.walk import Walk

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}


def place_of(walked: Walk, uid: str) -> str:
    """`file:line` of a source row (row number for Parquet), or what can be said in its stead.

    A source gives the rows of each file in the order of the file, so a row's number among those of its split is its
    number in the file. That holds only for the bytes that were read then: where the source's key has changed, no line
    is named.
    """
    source = walked.steps[0]
    table = table_of(source.after.dataset)
    split = table.column("split")[pc.index(table.column("uid"), pa.scalar(uid)).as_py()].as_py()
    of_split = table.filter(pc.equal(table.column("split"), split))
    row: int = pc.index(of_split.column("uid"), pa.scalar(uid)).as_py()
    spec = source_of(walked.cfg).spec
    numbered = f"row {row + 1}" + (f" of {split}" if split != UNSPLIT else "")
    if "path" not in spec:
        return f"{spec.get('name', source.name)}, {numbered}"
    try:
        changed = source_of(walked.cfg).key(None) != source.after.key
    except Refused:
        changed = True
    if changed:
        return f"{spec['path']}, {numbered} (the file, or the code that reads it, has changed since: no line can be named)"
    return _place_in_file(source.name, _file_of(spec, split), row, spec)


def _file_of(spec: Any, split: str) -> GivenFile:
    files = given_files(**{name: spec[name] for name in ("path", "dev_path", "test_path")})
    return next(file for file in files if file.split == split)


def _place_in_file(kind: str, file: GivenFile, row: int, spec: Any) -> str:
    if kind != "csv":
        # One object a line in JSON lines, without blank lines; Parquet has rows only.
        return f"{file.path}:{row + 1}"
    layout = Layout(open_text(file), _DELIMITERS.get(spec["delimiter"], spec["delimiter"]))
    _, body = layout.header()
    return f"{file.path}:{layout.line_of_row(body, row)}"
