"""What runs record is what compare asks for: lengths, curves and costs, and columns of the data that were not thought of before."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from prepsweep.compare.adequacy import late_gain
from prepsweep.compare.contrasts import contrasts
from prepsweep.compare.costs import costs
from prepsweep.compare.flips import flips
from prepsweep.compare.records import Study, read_studies
from prepsweep.compare.slices import slices
from prepsweep.training import train
from tests.conftest import compose, make_reviews


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Study:
    """Two arms by two seeds on 400 rows with a column that no run was told of."""
    folder = tmp_path_factory.mktemp("study")
    lines = [f'"{text}",{label},{"phone" if row % 2 else "shop"}\n' for row, (text, label) in enumerate(make_reviews(400))]
    (folder / "rows.csv").write_text("text,label,channel\n" + "".join(lines), encoding="utf-8")
    given = [f"data.path={folder / 'rows.csv'}", f"model.name={tiny_model}", "data=csv", "trainer=cpu", "logger=none", "budget.epochs=1"]
    given += ["budget.evaluations=4", "model.batch_size=16", "seeds.split=0", "split.stratified.test_fraction=0.5", "clean=none"]
    for augment in ("none", "duplicate"):
        for seed in (0, 1):
            overrides = [*given, f"augment={augment}", f"seed={seed}"]
            choices = {"augment": augment}
            train(compose(*overrides), run_dir=folder / "runs" / f"{augment}-{seed}", choices=choices, overrides=[f"augment={augment}"])
    return read_studies([folder / "runs"])


def test_slices_and_flips_of_real_runs(study: Study) -> None:
    (contrast,) = contrasts(study, metric="accuracy", delta=0.01, baselines={})
    found = slices(study, contrast, metric="accuracy", by=["length", "channel", "label_origin"])
    n_rows = study.runs[0].record["data"]["splits"]["test"]["rows"]
    assert {one.kind for one in found} == {"length", "channel", "label_origin"}
    assert {one.value for one in found if one.kind == "channel"} == {"phone", "shop"}
    assert {one.value for one in found if one.kind == "label_origin"} == {"gold"}
    assert all(one.value.endswith(" tokens") for one in found if one.kind == "length")
    for kind in ("channel", "label_origin"):
        of_kind = [one for one in found if one.kind == kind]
        assert sum(one.n_rows for one in of_kind) == n_rows
        whole = sum(one.effect.estimate * one.n_rows for one in of_kind) / n_rows
        assert whole == pytest.approx(contrast.effect.estimate)
    assert flips(study, contrast).n_rows == n_rows


def test_costs_and_curves_of_real_runs(study: Study) -> None:
    first, second = costs(study, metric="accuracy", baselines={})
    assert (first.arm, second.arm, first.n_runs) == ("augment=duplicate", "augment=none", 2)
    assert second.gain is None
    assert first.examples_seen == second.examples_seen
    stages = study.runs[-1].record["data"]["stages"]
    assert any(stage["cached"] for stage in stages)
    assert second.prepare_seconds >= sum(stage["seconds"] for stage in stages) > 0
    for run in study.runs:
        assert late_gain(run, "accuracy") is not None
        assert len(run.record["metrics"]["val_curve"]) >= 4


def test_no_text_is_in_the_record(study: Study) -> None:
    texts = {text for text, _ in make_reviews(400)}
    for run in study.runs:
        table = pq.read_table(run.run_dir / "predictions.parquet")
        kept = {str(value) for name in table.column_names for value in table.column(name).to_pylist()}
        assert not kept & texts
        assert not any(text in json.dumps(run.record) for text in texts if len(text) > 20)
