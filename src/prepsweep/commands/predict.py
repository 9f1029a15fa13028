"""Predict the rows of a file with a model that was trained here, its texts prepared as in training."""

from __future__ import annotations

import sys
from pathlib import Path

from prepsweep.commands import Arguments, positive
from prepsweep.errors import Refused


def main(argv: list[str]) -> int:
    """Write the rows with `prediction` and `p_<class>` beside the file, and say how many and where."""
    arguments = Arguments("predict", "Predictions for the rows of a CSV, JSON lines or Parquet file.")
    arguments.add_argument("model", type=Path, metavar="MODEL", help="a run's folder, its model/, or a folder that transformers saved")
    arguments.add_argument("file", type=Path, metavar="FILE", help="rows: .csv, .tsv, .jsonl or .parquet; .csv.gz, .jsonl.gz")
    arguments.add_argument("--out", metavar="OUT", help="where to, in the format of its name (FILE.predictions.csv); - for standard output")
    arguments.add_argument("--text-column", default="text", metavar="NAME", help="the column with the texts, or lists of tokens (text)")
    arguments.add_argument("--pair-column", metavar="NAME", help="the column with the second texts of pairs")
    arguments.add_argument("--batch-size", type=positive, default=32, metavar="N", help="texts of full length at once (32)")
    arguments.add_argument("--device", default="auto", help="auto (the accelerator that is there), cpu, cuda, cuda:1, mps")
    arguments.add_argument("--precision", choices=("32-true", "bf16-mixed", "16-mixed"), help="arithmetic, if not that of the test")
    asked = arguments.parse(argv)

    from prepsweep.predict.files import out_of, predict_file
    from prepsweep.predict.model import Predictor, model_folder
    from prepsweep.predict.rows_in import Given, opened

    out, folder = out_of(asked.file, asked.out), model_folder(asked.model)
    with opened(asked.file):
        pass
    predictor = Predictor.of(folder, device=asked.device, precision=asked.precision, batch_size=asked.batch_size)
    _check_pairs(asked.pair_column, predictor.preparation.pairs)
    is_tags = predictor.kind == "tags"
    given = Given(asked.file, asked.text_column, asked.pair_column, is_tags, frozenset(predictor.columns))
    counts = predict_file(predictor, given, out)
    cut = f", {counts.n_cut:,} texts cut to {predictor.preparation.max_length} tokens" if counts.n_cut else ""
    said = f"{counts.n_rows:,} rows{cut}, on {predictor.device} in {predictor.precision}"
    print(f"{said}: {out}" if out else said, file=sys.stdout if out else sys.stderr)
    return 0


def _check_pairs(column: str | None, pairs: bool | None) -> None:
    if pairs and column is None:
        raise Refused("--pair-column", "is not set, and the model reads pairs of texts", "add --pair-column NAME")
    if pairs is False and column is not None:
        raise Refused("--pair-column", "the model was trained on single texts", "leave it out")
