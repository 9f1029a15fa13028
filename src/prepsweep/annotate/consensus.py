"""From votes to proposed labels: the label model, the soft labels, and what the record tells about both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.annotate.ballots import Ballots, Floats, quality
from prepsweep.annotate.label_models import probabilities
from prepsweep.annotate.origins import asked_of, gold_of, propose
from prepsweep.annotate.soft_labels import encoded
from prepsweep.lineage import Result, table_of

if TYPE_CHECKING:
    from datasets import Dataset

_MAX_EVIDENCE = 10_000
_SAME = 1e-9


def learned_from(dataset: Dataset) -> Floats:
    """Weights of the rows for a label model, (n_rows,): 0 for those of a given dev or test file, which nothing may be learned from."""
    held = pc.is_in(table_of(dataset)["split"], pa.array(["dev", "test"]))
    return np.asarray(pc.invert(held).to_numpy(), dtype=np.float64)


def labelled(dataset: Dataset, ballots: Ballots, *, label_model: str, **options: Any) -> Result:
    """The rows with the labels that `label_model` makes of the votes; the facts are a line for each voter and the sums.

    A row without a vote has no label, nor has one whose most probable classes are equally so.
    """
    voters = {"voters": quality(ballots, gold_of(table_of(dataset)))}
    result = proposed(dataset, probabilities(label_model, ballots), ballots.classes, **options)
    return Result(result.rows, voters | dict(result.facts), result.evidence)


def proposed(dataset: Dataset, p: Floats, classes: Sequence[str], *, soft: bool, origin: str, on_abstain: str, rows: str = "all") -> Result:
    """The `rows` asked with their most probable class proposed, `p` (n_rows, n_classes) being NaN where there is none.

    The evidence is the rows with a label, the least sure first: where people should look.
    """
    table = table_of(dataset)
    asked = asked_of(table, rows)
    p = np.where(asked.to_numpy()[:, None], p, np.nan)
    best, sure = best_of(p)
    labels = pa.array(classes, pa.string()).take(pa.array(best, mask=best < 0))
    told = encoded(p, classes) if soft else None
    kept = propose(dataset, labels, origin=origin, on_abstain=on_abstain, soft=told, asked=asked)
    gold = gold_of(table)
    judged = pc.and_(pc.is_valid(gold), pc.is_valid(labels))
    n_judged, n_right = pc.sum(judged).as_py() or 0, pc.sum(pc.equal(gold, labels)).as_py() or 0
    n_ties = int((~np.isnan(p[:, 0]) & (best < 0)).sum()) if p.shape[1] else 0
    facts = {
        "n_labelled": int((best >= 0).sum()),
        "n_abstained": int((best < 0).sum()) - int((~asked.to_numpy()).sum()),
        "n_ties": n_ties,
        "accuracy": round(n_right / n_judged, 4) if n_judged else None,
        "n_gold": n_judged,
    }
    found = pa.table({"uid": table["uid"], "gold": gold, "proposed": labels, "confidence": pa.array(sure.round(4))})
    found = found.filter(pc.is_valid(labels)).sort_by([("confidence", "ascending"), ("uid", "ascending")])
    return Result(kept, facts, found.slice(0, _MAX_EVIDENCE))


def best_of(p: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The most probable class of each row, -1 for none or for a tie, and its probability."""
    if p.shape[1] == 0:
        return np.full(len(p), -1), np.zeros(len(p))
    known = np.nan_to_num(p)
    best, sure = known.argmax(axis=1), known.max(axis=1)
    n_best = (known > sure[:, None] - _SAME).sum(axis=1)
    return np.where((sure > 0) & (n_best == 1), best, -1), sure
