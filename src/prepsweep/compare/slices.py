"""Where an effect comes from: the contrast of two arms within classes, bands of length and values of a column.

Test rows are the user's own, never made ones, so they cannot be parted by `origin`; and what share of an effect is due
to the train rows of one stage is not in the predictions: two arms that differ in that stage alone say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.measures import MEASURES, f1_of_classes, has_class
from prepsweep.compare.paired_rows import Mask, PairedRows, paired_rows
from prepsweep.compare.pseudovalues import Values
from prepsweep.compare.records import Study
from prepsweep.compare.source_columns import SourceColumns
from prepsweep.compare.statistics import Effect, crossed_effect, holm
from prepsweep.monitors import ONE_CLASS

CLASS, LENGTH = "class", "length"
# Below, the t distribution does not hold for rights and wrongs, and nothing would be found.
FEWEST_ROWS = 30
MOST_VALUES = 20
NO_VALUE = "(none)"
_N_BANDS = 4


@dataclass(frozen=True)
class Slice:
    """A contrast within a part of the test rows.

    `kind` is what the rows are parted by: "class", "length", or the name of a column of the data; `value` the class, the
    band ("9-14 tokens") or the value. `measure` is what the effect is in: "f1" of the class, or the score of the slice's
    rows: "accuracy" where a text has one class, else that of the contrast. `p_adjusted` is Holm's over the slices of one contrast and kind.
    """

    contrast: str
    kind: str
    value: str
    n_rows: int
    measure: str
    effect: Effect
    p_adjusted: float


def slices(study: Study, found: Contrast | Sequence[Contrast], *, metric: str, by: Sequence[str]) -> list[Slice]:
    """The slices of each contrast, in the order of `by` ("class", "length", "label_origin", names of columns of the data).

    Under `macro_f1` a class is measured by its F1, which the rows of other classes that are taken for it lower too;
    under `accuracy` by the share of its rows that are right. A label of many, or a kind of entity, is measured by its F1;
    numbers have no classes. Bands of length are quartiles of the test texts in tokens, as
    read under the baseline; runs recorded without lengths have none. Left out are contrasts that are not paired, parts of
    fewer than 30 rows, and of a column all but its 20 most frequent values.

    Holm's adjustment asks nothing of how the slices depend on each other, and they do depend (a row that one class wins
    another loses), where Benjamini & Hochberg (1995) asks for independence or positive dependence. Each kind is adjusted
    by itself: it is a question of its own.
    """
    columns = SourceColumns()
    made: list[Slice] = []
    for contrast in [found] if isinstance(found, Contrast) else found:
        if not contrast.paired:
            continue
        rows = paired_rows(study, contrast)
        for kind in by:
            family = [_slice(rows, contrast.name, kind, part) for part in _parts(rows, kind, metric, columns)]
            adjusted = holm([one.effect.p_value() for one in family])
            made += [replace(one, p_adjusted=p) for one, p in zip(family, adjusted, strict=True)]
    return made


@dataclass(frozen=True)
class _Part:
    """Some entries of a contrast, and what each adds to the effect there."""

    value: str
    entries: Mask
    n_rows: int
    measure: str
    differences: Values


def _slice(rows: PairedRows, contrast: str, kind: str, part: _Part) -> Slice:
    effect = crossed_effect(rows.differences(part.differences, part.entries))
    return Slice(contrast, kind, part.value, part.n_rows, part.measure, effect, effect.p_value())


def _parts(rows: PairedRows, kind: str, metric: str, columns: SourceColumns) -> Iterator[_Part]:
    if kind == CLASS and rows.task in ("regression", "causal_lm_sft"):
        return
    if kind == CLASS and (metric == "macro_f1" or rows.task != ONE_CLASS):
        yield from _f1_parts(rows)
        return
    measure = "accuracy" if rows.task == ONE_CLASS else metric
    for value, entries in _masks(rows, kind, columns):
        n_rows = _n_rows(rows, entries)
        # Seeds with test rows of their own may have none of a rare value.
        if n_rows >= FEWEST_ROWS and len(np.unique(rows.seeds[entries])) == len(rows.runs):
            yield _Part(value, entries, n_rows, measure, rows.difference(MEASURES[measure].values, entries))


def _f1_parts(rows: PairedRows) -> Iterator[_Part]:
    influence = rows.difference(lambda run: f1_of_classes(run, rows.classes, rows.task))
    there = _has_class(rows)
    for number, name in enumerate(rows.classes):
        n_rows = _n_rows(rows, there[:, number])
        if n_rows >= FEWEST_ROWS:
            yield _Part(name, np.ones(len(there), dtype=np.bool_), n_rows, "f1", influence[:, number])


def _has_class(rows: PairedRows) -> Mask:
    return rows.of_baseline(lambda run: has_class(run, rows.classes, rows.task)) > 0


def _masks(rows: PairedRows, kind: str, columns: SourceColumns) -> Iterator[tuple[str, Mask]]:
    if kind == CLASS:
        yield from zip(rows.classes, _has_class(rows).T, strict=True)
    elif kind == LENGTH:
        yield from _bands(rows.lengths)
    else:
        of_rows = columns.of([pairs[0][0] for pairs in rows.runs], kind, rows.uids)
        counts = sorted(pc.value_counts(of_rows).to_pylist(), key=lambda count: (-count["counts"], count["values"]))[:MOST_VALUES]
        for value in (count["values"] for count in counts):
            yield value or NO_VALUE, pc.equal(of_rows, value).to_numpy(zero_copy_only=False)[rows.rows]


def _bands(lengths: NDArray[np.int64] | None) -> Iterator[tuple[str, Mask]]:
    """Quartiles; fewer bands where many texts have one length, as those have that were cut to `max_length`."""
    if lengths is None:
        return
    edges = np.unique(np.quantile(lengths, np.arange(1, _N_BANDS) / _N_BANDS, method="lower"))
    band = np.searchsorted(edges, lengths, side="left")
    for number in np.unique(band):
        within = lengths[band == number]
        yield f"{within.min()}-{within.max()} tokens", band == number


def _n_rows(rows: PairedRows, entries: Mask) -> int:
    return len(np.unique(rows.rows[entries]))
