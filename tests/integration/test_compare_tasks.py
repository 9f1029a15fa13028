"""What runs of each task record is what `compare` reads of them: two arms, trained and compared from the command line."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from prepsweep.cli import main
from prepsweep.compare.measures import TASKS, score
from prepsweep.compare.records import Run, read_studies
from prepsweep.training import train
from tests.conftest import compose

WORDS = {"joy": "glad", "anger": "furious", "fear": "scared"}
TAGS = {"glad": "B-joy", "furious": "B-anger", "scared": "B-fear", "it": "O"}


def made_row(task: str, number: int) -> dict[str, Any]:
    names = random.Random(number).sample(sorted(WORDS), number % 3)
    words = [f"it{number}", *(WORDS[name] for name in names), "it"]
    if task == "token_classification":
        return {"text": words, "label": [TAGS.get(word, "O") for word in words]}
    return {"text": " ".join(words), "label": names if task == "multi_label" else str(len(names) + number / 1000)}


@pytest.mark.parametrize("task", ["multi_label", "regression", "token_classification"])
def test_trained_runs_are_compared_by_the_score_of_their_task(
    task: str, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [made_row(task, number) for number in range(150)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = [f"task={task}", "data=jsonl", f"data.path={tmp_path / 'rows.jsonl'}", f"model.name={tiny_model}", "trainer=cpu", "logger=none"]
    given += ["budget.epochs=1", "budget.evaluations=2", "seeds.split=0", "clean=none", "split.stratified.test_fraction=0.4"]
    for augment in ("none", "duplicate"):
        for seed in (0, 1):
            cfg = compose(*given, f"augment={augment}", f"seed={seed}")
            choices = {"task": task, "augment": augment}
            train(cfg, run_dir=tmp_path / "runs" / f"{augment}-{seed}", choices=choices, overrides=[f"augment={augment}"])
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "runs")]) == 0
    metric = TASKS[task].metrics[0]
    assert f"What each choice changes ({metric}," in capsys.readouterr().out
    html = (tmp_path / "runs" / "compare" / "report.html").read_text(encoding="utf-8")
    assert 'id="curves"' in html
    assert 'id="confusions"' not in html
    for run in read_studies([tmp_path / "runs"]).runs:
        for name in TASKS[task].metrics:
            bare = Run(run.run_dir, run.record | {"metrics": {"test": {}}})
            assert score(bare, name) == pytest.approx(score(run, name)), "the record and the predictions differ"
