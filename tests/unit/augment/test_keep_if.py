"""keep_if: every rejected child leaves with its own reason, and its score is kept."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from prepsweep.augment import keep_if as module
from prepsweep.augment.duplicate import duplicate
from prepsweep.augment.judge import judged_labels
from prepsweep.augment.keep_if import keep_if
from prepsweep.errors import Refused
from prepsweep.identity import content_hash
from prepsweep.lineage import Result, settle, table_of
from tests.conftest import make_reviews, rows_of
from tests.unit.augment.toys import same

OFF = {"min_similarity": None, "max_similarity": None, "min_edit": None, "max_edit": None, "judge": None, "judge_revision": None}
ENCODER = {"revision": None, "max_length": 64, "batch_size": 8, "device": "cpu"}


def run(rows: Dataset, stage: Any, checkpoint: Path | str = "none", **limits: Any) -> Result:
    values: dict[str, Any] = {**OFF, **ENCODER, "checkpoint": str(checkpoint), **limits}
    return keep_if(rows, seed=0, stage=stage, num_proc=1, **values)


def dropped(rows: Dataset, result: Result) -> dict[str, int]:
    counts: dict[str, int] = settle(rows, result.rows, stage="augment.keep_if", group="augment").counts["dropped"]
    return counts


@pytest.fixture(scope="session")
def judge(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that says `fresh` to everything, with the names of our labels."""
    folder = tmp_path_factory.mktemp("judge")
    names = {0: "rotten", 1: "fresh", 2: "plot"}
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=3, id2label=names, ignore_mismatched_sizes=True)
    model.classifier.weight.data.zero_()
    model.classifier.bias.data.copy_(model.classifier.bias.data.new_tensor([0.0, 1.0, 0.0]))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def test_edit_distance_counts_from_the_parent_as_a_share_of_the_longer_text() -> None:
    rows = rows_of([("abcd", "x"), ("abcz", "x"), ("wxyz", "x"), ("", "x")], "train")
    for limits, n_out in (({"max_edit": 0.25}, 2), ({"min_edit": 0.25}, 1), ({"min_edit": 0.2, "max_edit": 0.3}, 3), ({"max_edit": 1}, 0)):
        result = run(rows, partial(same, text="abcd"), **limits)
        reasons = table_of(result.rows).column("dropped").to_pylist()[4:]
        assert reasons[0] == "unchanged", "the first reason stays"
        assert result.evidence is not None
        assert sorted(result.evidence.column("edit").to_pylist()) == [0, 0.25, 1, 1]
        assert reasons.count("edit_distance") == n_out - (limits.get("min_edit", 0) > 0), limits


def test_a_child_that_says_something_else_or_the_same_leaves(tiny_model: Path) -> None:
    rows = rows_of(make_reviews(30), "train")
    stage = partial(same, text="cats and dogs run in the war")
    similarity = sorted(run(rows, stage, tiny_model, min_similarity=-1).evidence.column("similarity").to_pylist())  # type: ignore[union-attr]
    middle = similarity[15]
    assert dropped(rows, run(rows, stage, tiny_model, min_similarity=middle)) == {"too_different": 15}
    assert dropped(rows, run(rows, stage, tiny_model, max_similarity=middle)) == {"too_similar": 14}
    assert dropped(rows, run(rows, partial(duplicate, n_copies=2), tiny_model, max_similarity=0.999)) == {"too_similar": 60}


def test_texts_that_the_encoder_cannot_read_pass_and_are_counted(tiny_model: Path) -> None:
    rows = rows_of([("我喜欢这部电影", "x"), ("👍🏽", "x"), ("the film", "x"), ("\u2028", "x")], "train")
    result = run(rows, partial(same, text="这部电影很好看"), tiny_model, min_similarity=1)
    assert dropped(rows, result) == {}
    assert result.facts == {"unreadable": 4}
    assert result.evidence is not None
    assert result.evidence.column("similarity").to_pylist() == [None] * 4


def test_children_to_which_the_judge_gives_another_label_leave(judge: Path) -> None:
    rows = rows_of(make_reviews(40), "train")
    result = run(rows, partial(duplicate, n_copies=1), judge=str(judge))
    assert dropped(rows, result) == {"label_changed": 20}
    assert result.evidence is not None
    assert set(result.evidence.filter(pc_is_null(result.evidence)).column("label").to_pylist()) == {"fresh"}
    assert set(result.evidence.column("judged").to_pylist()) == {"fresh"}


def pc_is_null(evidence: Any) -> Any:
    return evidence.column("dropped").is_null()


def test_the_judge_says_the_same_in_any_batch(tiny_model: Path) -> None:
    texts = [text for text, _ in make_reviews(25)] + ["", "我喜欢", "great " * 500]
    small = judged_labels(texts, folder=tiny_model, max_length=64, batch_size=3, device="cpu")
    assert judged_labels(texts[::-1], folder=tiny_model, max_length=64, batch_size=28, device="cpu") == small[::-1]
    assert judged_labels([], folder=tiny_model, max_length=64, batch_size=3, device="cpu") == []


def test_the_order_of_the_rows_does_not_matter(tiny_model: Path) -> None:
    rows = rows_of(make_reviews(40), "train")
    results = [run(r, partial(same, text="a lovely film"), tiny_model, min_similarity=0.1) for r in (rows, rows.select(range(39, -1, -1)))]
    one, two = (content_hash(table_of(result.rows).sort_by("uid")) for result in results)
    assert one == two
    assert results[0].evidence == results[1].evidence


def test_no_children_is_no_error(tiny_model: Path, judge: Path) -> None:
    rows = rows_of(make_reviews(5), "train")
    result = run(rows, lambda dataset: dataset, tiny_model, min_similarity=0.5, min_edit=0.1, judge=str(judge))
    assert len(result.rows) == 5


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({}, "augment.keep_if: tests nothing"),
        ({"min_similarity": 1.2}, "augment.keep_if.min_similarity: must be between -1 and 1, got 1.2"),
        ({"max_similarity": "high"}, "augment.keep_if.max_similarity: must be between -1 and 1"),
        ({"min_edit": -0.1}, "augment.keep_if.min_edit: must be between 0 and 1, got -0.1"),
        ({"max_edit": True}, "augment.keep_if.max_edit: must be between 0 and 1"),
        ({"min_edit": 0.5, "max_edit": 0.4}, "augment.keep_if.min_edit: is 0.5, above max_edit, which is 0.4"),
        ({"max_edit": 0.4, "batch_size": 0}, "augment.keep_if.batch_size: must be at least 1, got 0"),
        ({"max_edit": 0.4, "max_length": 1.5}, "augment.keep_if.max_length: must be at least 1, got 1.5"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(limits: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Refused) as error:
        module.check(**(OFF | ENCODER | limits))
    assert complaint in str(error.value)


def test_a_judge_that_does_not_know_a_class_is_refused(judge: Path, tmp_path: Path) -> None:
    rows = rows_of([*make_reviews(10), ("x", "boring")], "train")
    with pytest.raises(Refused, match=r"augment\.keep_if\.judge: knows no class 'boring'. fix: its id2label has 'rotten', 'fresh', 'plot'"):
        module.check_rows(rows, judge=str(judge), judge_revision=None)
    module.check_rows(rows_of(make_reviews(10), "train"), judge=str(judge), judge_revision=None)
    module.check_rows(rows, judge=None, judge_revision=None)
    (tmp_path / "config.json").write_text(json.dumps({}), encoding="utf-8")
    with pytest.raises(Refused, match="its id2label has no names"):
        module.check_rows(rows, judge=str(tmp_path), judge_revision=None)


def test_only_the_models_that_are_used_are_part_of_the_identity(tiny_model: Path, judge: Path, tmp_path: Path) -> None:
    def fingerprint(**limits: Any) -> dict[str, str]:
        return module.fingerprint(**(OFF | ENCODER | {"checkpoint": str(tiny_model)} | limits))

    assert fingerprint(max_edit=0.5) == {}
    assert "model.safetensors" in fingerprint(min_similarity=0.5)
    judged = fingerprint(judge=str(judge))
    assert "judge.model.safetensors" in judged
    assert not {"model.safetensors"} & set(judged)
    with pytest.raises(Refused, match=r"augment\.keep_if\.judge: no model in"):
        fingerprint(judge=str(tmp_path))
