"""Predictions for a file of any size: read, predicted and written part by part, in the order of its rows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prepsweep.errors import Refused
from prepsweep.predict.model import Predictor
from prepsweep.predict.rows_in import Given, kind_of, opened
from prepsweep.predict.rows_out import Writer
from prepsweep.progress import bar
from prepsweep.publish import publish_file

STDOUT = "-"


@dataclass
class Counts:
    """How many rows there were, and how many of their texts were cut."""

    n_rows: int = 0
    n_cut: int = 0


def out_of(file: Path, out: str | None) -> Path | None:
    """Where the predictions go: beside the file unless `out` says otherwise; None for standard output."""
    if out == STDOUT:
        return None
    kind = kind_of(file)
    stem = file.name.removesuffix(".gz").rpartition(".")[0]
    path = file.with_name(f"{stem}.predictions.{kind}") if out is None else Path(out)
    kind_of(path)
    if path.suffix in (".gz", ".tsv"):
        raise Refused("--out", f"cannot write {path.suffix}", "name a file .csv, .jsonl or .parquet")
    if not path.parent.is_dir():
        raise Refused("--out", f"there is no folder {path.parent}", "make it, or name another file")
    if path.is_dir() or (path.exists() and file.exists() and path.samefile(file)):
        raise Refused("--out", f"{path} is {'a folder' if path.is_dir() else 'FILE itself'}", "name another file")
    return path


def predict_file(predictor: Predictor, given: Given, out: Path | None) -> Counts:
    """Write every row of the file with its predictions to `out`, which is there whole or not at all."""
    counts = Counts()
    if out is None:
        kind = kind_of(given.path)
        _write(predictor, given, sys.stdout.buffer, "jsonl" if kind == "parquet" else kind, counts)
        sys.stdout.buffer.flush()
    else:
        publish_file(out, lambda file: _write(predictor, given, file, kind_of(out), counts))
    return counts


def _write(predictor: Predictor, given: Given, file: IO[bytes], kind: str, counts: Counts) -> None:
    writer = Writer(file, kind)
    with opened(given.path) as rows, bar("predicting", total=rows.total) as tell:
        for part in rows.parts:
            texts = given.texts(part, before=counts.n_rows)
            if not len(texts):
                continue
            predicted, cut = predictor.predictions(texts)
            writer.write(part, predicted)
            counts.n_rows, counts.n_cut = counts.n_rows + len(texts), counts.n_cut + int(cut.sum())
            tell(rows.done())
    if not counts.n_rows:
        raise Refused(str(given.path), "the file has no rows", "name a file with rows")
    writer.close()
