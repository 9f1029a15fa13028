"""The same verdicts for predictions that prepsweep did not make: plain data frames in and out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.compare.baselines import refuse_unknown
from prepsweep.compare.contrasts import contrasts
from prepsweep.compare.measures import MEASURES, default_delta, score
from prepsweep.compare.records import NOT_AN_ARM, Run, Study
from prepsweep.compare.tested import Tested
from prepsweep.errors import Refused, nearest

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("run", "seed", "uid", "label", "prediction")


def compare_frame(
    frame: pd.DataFrame, *, metric: str = "macro_f1", delta: float | None = None, baselines: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row for each choice against its baseline, from one row for each run and test row.

    `frame` has the columns `run`, `seed`, `uid`, `label`, `prediction`, and one more for each factor, whose value is the
    run's choice: `compare_frame(predictions, baselines={"augment": "none"})`. Runs with equal seeds are paired. Classes
    are all values of `label` and `prediction`; for `sample_f1` both are lists in JSON, for `micro_f1` tags in JSON, for
    `mse` numbers. Effects and intervals are scores (0.01 is a point), of `mse` minus squared errors; `delta` is 0.01, of
    `mse` 1% of the mean over all runs, unless it is given; p is after Holm.
    """
    import pandas as pd

    factors = [str(name) for name in frame.columns if name not in _COLUMNS]
    _refuse(frame, factors, metric, delta)
    classes = sorted({str(value) for name in ("label", "prediction") for value in frame[name].unique()})
    runs = [_run(str(name), rows, factors, classes) for name, rows in frame.groupby("run", sort=True)]
    try:
        for run in runs:
            score(run, metric)
    except (ValueError, TypeError) as error:
        raise Refused("compare_frame", f"a label or prediction is not what {metric} is of: {error}", "choose another metric") from error
    delta, study = default_delta(runs, metric) if delta is None else delta, Study(runs, [])
    refuse_unknown(study, baselines or {})
    found = contrasts(study, metric=metric, delta=delta, baselines=baselines or {})
    rows = []
    for one in found:
        low, high = one.effect.interval()
        named = {"factor": one.factor, "choice": one.choice, "baseline": one.baseline, "n_seeds": one.effect.n_seeds, "paired": one.paired}
        named |= {"effect": one.effect.estimate, "low": low, "high": high, "p": one.p_adjusted, "p_better": one.p_better}
        rows.append({**named, "verdict": str(one.verdict)})
    columns = ["factor", "choice", "baseline", "n_seeds", "paired", "effect", "low", "high", "p", "p_better", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _refuse(frame: pd.DataFrame, factors: Sequence[str], metric: str, delta: float | None) -> None:
    where = "compare_frame"
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise Refused(where, f"no column {', '.join(missing)}", f"needed are {', '.join(_COLUMNS)} and one column for each factor")
    if not factors or any(name.startswith(NOT_AN_ARM) for name in factors):
        raise Refused(where, f"no factor in the columns {', '.join(factors) or '(none)'}", "name one that is no seed, study or place")
    if metric not in MEASURES:
        raise Refused(where, f"no metric {metric!r}", nearest(metric, MEASURES))
    if delta is not None and not 0 < delta < math.inf:
        raise Refused(where, f"delta must be a number above 0, got {delta:g}", "try delta=0.01")
    if not len(frame) or frame[[*_COLUMNS, *factors]].isna().any(axis=None):
        raise Refused(where, "a value is missing, or all are", "give each row all values; write 'none' where a run does without")
    twice = frame.duplicated(["run", "uid"])
    if twice.any():
        run, uid = frame.loc[twice.idxmax(), ["run", "uid"]]
        raise Refused(where, f"run {run} has uid {uid} twice", "give each test row of a run once")
    per_run = frame.groupby("run")[["seed", *factors]].nunique().max(axis=1)
    if per_run.max() > 1:
        raise Refused(where, f"run {per_run.idxmax()} has several seeds or choices", "give each run one seed and one choice of each factor")


def _run(name: str, rows: pd.DataFrame, factors: Sequence[str], classes: list[str]) -> Run:
    import pandas as pd

    first, rows = rows.iloc[0], rows.assign(uid=rows["uid"].astype(str)).sort_values("uid")
    labels, predictions = (
        np.asarray(pd.Categorical(rows[column].astype(str), categories=classes).codes, dtype=np.int64) for column in ("label", "prediction")
    )
    record = {
        "choices": {},
        "overrides": [f"{factor}={first[factor]}" for factor in factors],
        "seeds": dict.fromkeys(("split", "data", "model"), first["seed"]),
        "data": {"classes": classes, "stages": []},
        "cost": {"prepare_seconds": 0.0, "train_seconds": 0.0},
    }
    return Run(Path(name), record, Tested(pa.array(rows["uid"], pa.string()), labels, predictions, lengths=None, names=classes))
