"""Labels from several annotators a row: the consensus, how good each annotator is, how far they agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.annotate.agreement import LEVELS
from prepsweep.annotate.ballots import Ballots, quality
from prepsweep.annotate.consensus import best_of, learned_from, proposed
from prepsweep.annotate.crowd_agreement import agreement
from prepsweep.annotate.crowd_votes import ballots_of_columns, ballots_of_file
from prepsweep.annotate.label_models import LABEL_MODELS, probabilities
from prepsweep.annotate.origins import check_on_abstain, check_rows_asked, gold_of
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, table_of

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "annotate.crowd"
# `generative` takes silence for speech, and an annotator is silent on what they were not asked.
CONSENSUS = tuple(name for name in LABEL_MODELS if name != "generative")
_SHOWN = 20


def crowd(
    dataset: Dataset,
    *,
    column: str | None,
    annotators_column: str | None,
    annotations_file: str | None,
    key_column: str,
    consensus: str,
    level: str,
    order: list[str] | None,
    soft: bool,
    rows: str,
    on_abstain: str,
) -> Result:
    """The consensus of several annotators on each row: `majority`, `dawid_skene` or `mace`; a tie leaves a row without a label.

    Their labels are a list a row in `column` (brought along by `data.carry_columns`), with their names in a list of the
    same length in `annotators_column` (without it the place in the list is the name), or the lines of `annotations_file`,
    a CSV file with the columns `key`, `annotator` and `label`, `key` being what `key_column` holds: the text, or an id.
    The facts tell Cohen's and Fleiss' kappa and Krippendorff's alpha with intervals over rows that are drawn anew
    (`agreement.py`); `ordinal` and `interval` need the classes in `order`, or numbers. An annotator's `accuracy` is by gold labels,
    `agrees` by the consensus, which they had a share in.
    """
    check(column=column, annotations_file=annotations_file, consensus=consensus, level=level, rows=rows, on_abstain=on_abstain)
    table = table_of(dataset)
    if annotations_file is not None:
        given, n_repeated = ballots_of_file(table, Path(annotations_file), key_column=key_column)
    else:
        given, n_repeated = ballots_of_columns(table, str(column), annotators_column)
    # In the order of the uids, so that sums of floats do not depend on that of the rows.
    ranks = np.argsort(np.argsort(table["uid"].to_numpy(zero_copy_only=False)))
    ballots = _reordered(given, ranks, learned_from(dataset))
    p = probabilities(consensus, ballots)[ranks]
    result = proposed(dataset, p, ballots.classes, soft=soft, origin="crowd", rows=rows, on_abstain=on_abstain)
    facts = {
        "n_annotators": len(ballots.names),
        "n_repeated": n_repeated,
        "agreement": agreement(ballots, level=level, order=order),
        "annotators": _annotators(given, p, table),
    }
    return Result(result.rows, dict(result.facts) | facts, result.evidence)


def check(*, column: str | None, annotations_file: str | None, consensus: str, level: str, rows: str, on_abstain: str, **_: object) -> None:
    """Refuse no labels, labels in two places, and an unknown consensus or level."""
    if (column is None) == (annotations_file is None):
        what = "no labels are named" if column is None else "labels are named in two places"
        raise Refused(_WHERE, what, f"set {_WHERE}.column (and data.carry_columns), or {_WHERE}.annotations_file")
    for name, value, known in (("consensus", consensus, CONSENSUS), ("level", level, LEVELS)):
        if value not in known:
            raise Refused(f"{_WHERE}.{name}", f"no {name} {value!r}", nearest(str(value), known))
    check_rows_asked(rows, _WHERE)
    check_on_abstain(on_abstain, _WHERE)


def _reordered(ballots: Ballots, ranks: Any, weights: Any) -> Ballots:
    rows = ranks[ballots.rows]
    order = np.lexsort((ballots.voters, rows))
    return Ballots(rows[order], ballots.voters[order], ballots.codes[order], weights[np.argsort(ranks)], ballots.names, ballots.classes)


def _annotators(ballots: Ballots, p: Any, table: pa.Table) -> dict[str, dict[str, Any]]:
    """The annotators with most labels: how many, how often with the consensus, how often right where a gold label is known."""
    best = best_of(p)[0]
    known: Sequence[str] = ballots.classes
    consensus = pc.take(pa.array(known, pa.string()), pa.array(best, mask=best < 0))
    by_consensus = quality(ballots, pa.chunked_array([consensus]))
    by_gold = quality(ballots, gold_of(table))
    n_labels = np.bincount(ballots.voters, minlength=len(ballots.names))
    most = sorted(range(len(ballots.names)), key=lambda place: (-n_labels[place], ballots.names[place]))[:_SHOWN]
    return {
        name: {"n_labels": int(n_labels[place]), "agrees": by_consensus[name]["accuracy"], "accuracy": by_gold[name]["accuracy"]}
        for place, name in ((place, ballots.names[place]) for place in most)
    }
