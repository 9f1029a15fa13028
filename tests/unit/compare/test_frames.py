"""`compare_frame`: verdicts for any predictions, the same as from records."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from prepsweep.compare import compare_frame
from prepsweep.errors import Refused

from .made_study import Rows, only_contrast, two_arms


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    study = two_arms(tmp_path, Rows(300), n_seeds=4, p_none=0.6, p_eda=0.8)
    parts = []
    for run in study.runs:
        rows = pq.read_table(run.run_dir / "predictions.parquet", columns=["uid", "label", "prediction"]).to_pandas()
        parts.append(rows.assign(run=run.run_dir.name, seed=run.record["seeds"]["data"], augment=run.record["choices"]["augment"]))
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs["contrast"] = only_contrast(study)
    return frame


def test_a_frame_and_the_records_say_the_same(frame: pd.DataFrame) -> None:
    contrast = frame.attrs["contrast"]
    for given in (frame, frame.sample(frac=1, random_state=0)):
        (row,) = compare_frame(given).to_dict("records")
        assert (row["factor"], row["choice"], row["baseline"], row["n_seeds"], row["paired"]) == ("augment", "eda", "none", 4, True)
        assert (row["low"], row["high"]) == pytest.approx(contrast.effect.interval())
        assert (row["effect"], row["p"], row["verdict"]) == (
            pytest.approx(contrast.effect.estimate),
            pytest.approx(contrast.p_adjusted),
            "helps",
        )
    (row,) = compare_frame(frame, baselines={"augment": "eda"}, metric="accuracy").to_dict("records")
    assert (row["choice"], row["verdict"]) == ("none", "hurts")


def test_one_seed_gives_no_rows_but_the_columns(frame: pd.DataFrame) -> None:
    found = compare_frame(frame[frame["seed"] == 0])
    assert (len(found), "verdict" in found.columns) == (0, True)


def test_frames_that_cannot_be_compared_are_refused_in_one_line(frame: pd.DataFrame) -> None:
    for given, options, message in (
        (frame.drop(columns="uid"), {}, "no column uid"),
        (frame.drop(columns="augment"), {}, "no factor in the columns"),
        (frame.rename(columns={"augment": "study"}), {}, "no factor in the columns study"),
        (frame, {"metric": "macro_f2"}, "macro_f1"),
        (frame, {"delta": 0}, "must be a number above 0"),
        (frame.iloc[:0], {}, "a value is missing"),
        (frame.assign(label=frame["label"].where(frame.index > 0)), {}, "a value is missing"),
        (pd.concat([frame, frame.iloc[:1]]), {}, "twice"),
        (frame.assign(seed=range(len(frame))), {}, "several seeds or choices"),
        (frame, {"baselines": {"augment": "eeda"}}, "was not run"),
        (frame, {"baselines": {"agument": "none"}}, "did you mean 'augment'"),
        (frame.iloc[1:], {}, "was tested on other rows"),
    ):
        with pytest.raises(Refused, match=message) as refused:
            compare_frame(given, **options)
        assert "\n" not in str(refused.value)
