"""A column of the data for test rows, looked up when somebody asks: the records hold nothing of it but the origin of labels."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from prepsweep.compare.records import Run
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.record import PREDICTIONS_FILE
from prepsweep.stages import source_of

LABEL_ORIGIN = "label_origin"


class SourceColumns:
    """Columns of the data of a study, each read once."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], tuple[pa.Array, pa.Array]] = {}

    def of(self, runs: Sequence[Run], name: str, uids: pa.Array) -> pa.Array:
        """Values of the column `name` for the rows with these uids, which are all test rows of `runs`, as text; "" for none.

        `label_origin`, who gave the row its label, is in the predictions. For another column the data is read again as the
        first run's configuration names it, so that it need not be thought of before the study is run. A uid is the hash of
        a row's text and label: a row that has changed since is not taken for the one that was tested, and where one is
        gone the column is refused.
        """
        if name == LABEL_ORIGIN:
            known, values = _recorded(runs)
        else:
            key = (str(runs[0].record["data"]["source"]["content_hash"]), name)
            if key not in self.known:
                self.known[key] = _read(runs[0], name)
            known, values = self.known[key]
        places = pc.index_in(uids, known)
        if places.null_count:
            what = f"{name}: {places.null_count} of {len(uids)} test rows of {runs[0].run_dir} are not in its data any more"
            raise Refused("--by", what, "put their texts and labels back; other columns may change")
        return values.take(places).fill_null("")


def _recorded(runs: Sequence[Run]) -> tuple[pa.Array, pa.Array]:
    files = [run.run_dir / PREDICTIONS_FILE for run in runs]
    for file in files:
        if LABEL_ORIGIN not in pq.read_schema(file).names:
            raise Refused("--by", f"{file} has no column {LABEL_ORIGIN!r}", "run the study anew with this version")
    return _columns(pa.concat_tables([pq.read_table(file, columns=["uid", LABEL_ORIGIN]) for file in files]), LABEL_ORIGIN)


def _read(run: Run, name: str) -> tuple[pa.Array, pa.Array]:
    cfg = OmegaConf.create(run.record["config"])
    if "carry_columns" in cfg.data:
        cfg.data.carry_columns = [name]
    table = table_of(source_of(cfg)().rows)
    if name not in table.column_names:
        raise Refused("--by", f"the data of {run.run_dir} has no column {name!r}", f"choose class, length or {LABEL_ORIGIN}")
    return _columns(table, name)


def _columns(table: pa.Table, name: str) -> tuple[pa.Array, pa.Array]:
    return table.column("uid").combine_chunks(), table.column(name).combine_chunks()
