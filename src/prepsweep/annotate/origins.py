"""Where a label comes from, and the one rule on which label a row has: dev and test keep the gold one wherever it exists.

A stage of annotate calls `propose`. A row that came with a label keeps it, with the proposal beside it: the split is
then the same with and without annotate, and no score is taken on labels that were made here. A row that came without
one takes the proposal. After the split the pipeline calls `adopt`, and the rows of train take theirs.

| column            | type   | meaning |
|-------------------|--------|---------|
| `label_origin`    | string | where `label` comes from: one of `ORIGINS`; null while there is none |
| `proposed_label`  | string | the last label that annotate proposed; null where all abstained |
| `proposed_origin` | string | where that comes from, or `abstained` where the row shall leave train for the lack of one |
| `soft_label`      | string | probabilities of the classes behind the proposal (`soft_labels.py`); null for a hard label |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, dataset_of, drop, table_of, with_column
from prepsweep.schema import UNLABELLED

if TYPE_CHECKING:
    from datasets import Dataset

ORIGINS = ("gold", "rule", "crowd", "model", "llm", "reviewed")
# Origins on which a score can be taken: a person looked at the row.
CHECKED = ("gold", "reviewed")
LABEL_ORIGIN, PROPOSED, PROPOSED_ORIGIN, SOFT_LABEL = "label_origin", "proposed_label", "proposed_origin", "soft_label"
ABSTAINED = "abstained"
# What becomes of a row on which a stage abstains and for which none before it had a label.
ON_ABSTAIN = ("drop", "keep")
# Which rows a stage is to label.
ROWS = ("all", "unlabelled", "abstained")


def propose(
    dataset: Dataset,
    labels: Sequence[str | None] | pa.Array,
    *,
    origin: str,
    on_abstain: str,
    soft: pa.Array | None = None,
    asked: pa.ChunkedArray | None = None,
) -> Dataset:
    """`dataset` with a proposed label for each row, null where the stage abstains; a later proposal replaces an earlier one.

    Rows that were not `asked` are as they were. With `on_abstain=drop` a row without any proposal leaves as `abstained`:
    at once where it has no label, else out of train, after the split. With `keep` it stays for the next stage, and a
    label that it came with stays too.
    """
    assert origin in ORIGINS
    nothing = pa.nulls(len(dataset), pa.string())
    table, everybody = table_of(dataset), pa.array([True] * len(dataset), pa.bool_())
    among = everybody if asked is None else asked
    given = pc.if_else(among, pa.array(labels, pa.string()), pa.scalar(None, pa.string()))
    before = {name: table[name] if name in table.column_names else nothing for name in (PROPOSED, PROPOSED_ORIGIN, SOFT_LABEL)}
    new, is_gold = pc.is_valid(given), pc.equal(_origins(table), "gold").fill_null(False)
    proposed = pc.coalesce(given, before[PROPOSED])
    lacking = pc.and_(pc.is_null(proposed), among)
    told = pc.if_else(new, origin, before[PROPOSED_ORIGIN])
    rows = with_columns(
        dataset,
        {
            "label": pc.if_else(is_gold, table["label"], proposed.fill_null(UNLABELLED)),
            LABEL_ORIGIN: pc.if_else(is_gold, "gold", told),
            PROPOSED: proposed,
            PROPOSED_ORIGIN: pc.if_else(lacking, ABSTAINED, told) if on_abstain == "drop" else told,
            SOFT_LABEL: pc.if_else(new, nothing if soft is None else soft, before[SOFT_LABEL]),
        },
    )
    return drop(rows, ABSTAINED, pc.and_not(lacking, is_gold)) if on_abstain == "drop" else rows


def adopt(dataset: Dataset) -> Result:
    """Rows of train take the label that was proposed for them, and leave as `abstained` where that was asked for the lack of one.

    Rows of dev and test keep what they have; their soft labels go, since no score is taken on them. The facts count the
    origins of the labels by split.
    """
    table = table_of(dataset)
    train, proposed = pc.equal(table["split"], "train"), table[PROPOSED]
    takes = pc.and_(train, pc.is_valid(proposed))
    rows = with_columns(
        dataset,
        {
            "label": pc.if_else(takes, proposed, table["label"]),
            LABEL_ORIGIN: pc.if_else(takes, table[PROPOSED_ORIGIN], table[LABEL_ORIGIN]),
            SOFT_LABEL: pc.if_else(takes, table[SOFT_LABEL], pa.scalar(None, pa.string())),
        },
    )
    lacking = pc.and_(train, pc.and_(pc.is_null(proposed), pc.equal(table[PROPOSED_ORIGIN], ABSTAINED).fill_null(False)))
    kept = drop(rows, ABSTAINED, lacking)
    return Result(kept, {"label_origins": origins_by_split(table_of(kept))})


def origins_by_split(table: pa.Table) -> dict[str, dict[str, int]]:
    """`{split: {origin: rows}}` of the rows that stay."""
    there = table.filter(pc.is_null(table["dropped"])).select(["split", LABEL_ORIGIN])
    counted = there.group_by(["split", LABEL_ORIGIN]).aggregate([([], "count_all")]).to_pylist()
    found: dict[str, dict[str, int]] = {}
    for row in sorted(counted, key=lambda row: (row["split"], str(row[LABEL_ORIGIN]))):
        found.setdefault(row["split"], {})[str(row[LABEL_ORIGIN])] = row["count_all"]
    return found


def gold_of(table: pa.Table) -> pa.ChunkedArray:
    """The gold labels by which a stage may judge itself: null where there is none, and for rows of a given test file."""
    known = pc.and_(pc.equal(_origins(table), "gold").fill_null(False), pc.not_equal(table["split"], "test"))
    return pc.if_else(known, table["label"], pa.scalar(None, pa.string()))


def asked_of(table: pa.Table, rows: str) -> pa.ChunkedArray:
    """Which rows a stage is to label: `all`; those without any label so far (`unlabelled`); those without a proposal (`abstained`)."""
    nobody = pc.is_null(table[PROPOSED]) if PROPOSED in table.column_names else pa.chunked_array([pa.array([True] * len(table))])
    unlabelled = pc.equal(table["label"], UNLABELLED)
    return {"all": pc.or_(nobody, pc.invert(nobody)), "unlabelled": pc.and_(nobody, unlabelled), "abstained": nobody}[rows]


def check_on_abstain(value: str, where: str) -> None:
    """Refuse what is neither `drop` nor `keep`."""
    _check_word(value, ON_ABSTAIN, f"{where}.on_abstain")


def check_rows_asked(value: str, where: str) -> None:
    """Refuse what is none of `ROWS`."""
    _check_word(value, ROWS, f"{where}.rows")


def _check_word(value: str, known: Sequence[str], where: str) -> None:
    if value not in known:
        raise Refused(where, f"must be one of {', '.join(known)}, got {value!r}", nearest(str(value), known))


def with_columns(dataset: Dataset, columns: dict[str, pa.Array | pa.ChunkedArray]) -> Dataset:
    """`dataset` with text columns put in or replaced."""
    table = table_of(with_column(dataset, "label", columns["label"]))
    for name, values in columns.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, values.cast(pa.string()))
        else:
            table = table.append_column(name, values.cast(pa.string()))
    return dataset_of(table)


def _origins(table: pa.Table) -> pa.ChunkedArray:
    """Where each label comes from; before the first stage of annotate a label that is there is gold."""
    if LABEL_ORIGIN in table.column_names:
        return table[LABEL_ORIGIN]
    return pc.if_else(pc.equal(table["label"], UNLABELLED), pa.scalar(None, pa.string()), "gold")
