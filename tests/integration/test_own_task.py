"""A task that a study brings along: one file, with a score of its own that the best model is kept by."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.monitors import monitored
from prepsweep.training import train
from tests.conftest import compose
from tests.records import record_of

OWN = """
from prepsweep.tasks.text_classification import TextClassification, check


class Agreement(TextClassification):
    monitor = "kappa"

    def scores(self, logits, labels):
        from sklearn.metrics import cohen_kappa_score

        found = super().scores(logits, labels)
        kept = {name: found[name] for name in ("loss", "per_class")}
        return kept | {"kappa": float(cohen_kappa_score(labels, logits.argmax(axis=1)))}

    def report(self, test):
        return f"kappa {test['kappa']:.3f}"
"""


def test_a_task_of_ones_own_keeps_the_best_of_its_own_score(
    tmp_path: Path, reviews_csv: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ownpackage").mkdir()
    (tmp_path / "ownpackage" / "agreement.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("prepsweep.targets.TRUSTED_PACKAGES", ("ownpackage",))
    options = ("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "trainer=cpu", "logger=csv", "budget=steps")
    cfg = compose(*options, "budget.steps=4", "task._target_=ownpackage.agreement.Agreement")
    best = train(cfg, run_dir=tmp_path / "run", choices={"task": "agreement"})
    record = record_of(tmp_path / "run")
    metrics = record["metrics"]
    assert metrics["monitor"] == "kappa"
    assert best == metrics["val"]["kappa"] == max(look["kappa"] for look in metrics["val_curve"])
    assert monitored(record, "test") == ("kappa", metrics["test"]["kappa"])
