"""Words put in by a masked language model that the tests make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from prepsweep.augment.contextual import check, contextual, fingerprint
from prepsweep.augment.masking import _Vocabulary, _words
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import BAD, FILLER, GOOD, PLOT, make_reviews, rows_of

KNOWN = {*GOOD, *BAD, *PLOT, *FILLER, *"abcdefghijklmnopqrstuvwxyz"}
OPTIONS: dict[str, Any] = {"alpha": 0.3, "top_k": 10, "n_aug": 1, "batch_tokens": 512, "device": "cpu"}


def run(dataset: Dataset, folder: Path, **changes: Any) -> Dataset:
    arguments: dict[str, Any] = {"seed": 0, "masked_lm": str(folder), "masked_lm_revision": "main"} | OPTIONS
    return contextual(dataset, **(arguments | changes))


def children_of(text: str, folder: Path, label: str = "x", **changes: Any) -> list[str]:
    children: list[str] = table_of(run(rows_of([(text, label)]), folder, **changes)).column("text").to_pylist()[1:]
    return children


def test_only_words_change_and_only_to_whole_words(tiny_masked_lm: Path) -> None:
    text = "The  film was\tgreat, (dull) and boring…\u2028Cats 10 ran 👍🏽 don't!"
    for child in children_of(text, tiny_masked_lm, alpha=1.0, n_aug=20):
        assert re.sub(r"[a-zA-Z]+", "w", child.replace("don't", "")) == re.sub(r"[a-zA-Z]+", "w", text.replace("don't", ""))
        assert child.endswith("10 " + child.split("10 ")[1])
        for old, new in zip(re.findall(r"[a-zA-Z']+", text), re.findall(r"[a-zA-Z']+", child), strict=True):
            assert old == new == "don't" or (new.lower() in KNOWN and new.lower() != old.lower())
            assert old[0].isupper() == new[0].isupper()


def test_alpha_is_a_fraction_of_the_words_and_at_least_one(tiny_masked_lm: Path) -> None:
    text = "the film was great and the cats run with dogs"
    for alpha, n_replaced in ((0.01, 1), (0.3, 3), (1.0, 10)):
        for child in children_of(text, tiny_masked_lm, alpha=alpha, n_aug=10):
            assert sum(a != b for a, b in zip(child.split(), text.split(), strict=True)) == n_replaced


def test_top_k_bounds_what_is_drawn(tiny_masked_lm: Path) -> None:
    assert len(set(children_of("great", tiny_masked_lm, top_k=1, n_aug=30))) == 1
    assert 1 < len(set(children_of("great", tiny_masked_lm, top_k=3, n_aug=60))) <= 3
    assert len(set(children_of("great", tiny_masked_lm, top_k=10_000, n_aug=200))) > 10


def test_class_names_stay_and_are_not_put_in(tiny_masked_lm: Path) -> None:
    free = children_of("dull film", tiny_masked_lm, top_k=10_000, n_aug=300, alpha=1.0)
    put_in = max({word for child in free for word in child.split()}, key="|".join(free).count)
    held = children_of("dull film", tiny_masked_lm, put_in.upper(), top_k=10_000, n_aug=300, alpha=1.0)
    assert len(held) == 300
    assert not any(put_in in child.split() for child in held)
    assert all(child.startswith("dull ") for child in children_of("dull film", tiny_masked_lm, "dull", n_aug=20, alpha=1.0))


@pytest.mark.parametrize("text", ["", "   ", "...", "10", "👍🏽", "don't"])
def test_nothing_to_replace_is_unchanged(tiny_masked_lm: Path, text: str) -> None:
    assert table_of(run(rows_of([(text, "x")]), tiny_masked_lm)).column("dropped").to_pylist() == [None, "unchanged"]


def test_batches_order_and_seed(tiny_masked_lm: Path) -> None:
    rows = rows_of([*make_reviews(40), ("great film", "x"), ("great film", "x"), ("story " * 300, "plot")])
    by_uid = [
        dict(zip(*(table_of(made)[name].to_pylist() for name in ("uid", "text")), strict=True))
        for made in (
            run(rows, tiny_masked_lm),
            run(rows.select(range(len(rows) - 1, -1, -1)), tiny_masked_lm),
            run(rows, tiny_masked_lm, batch_tokens=1),
            run(rows, tiny_masked_lm, batch_tokens=100_000),
        )
    ]
    assert all(other == by_uid[0] for other in by_uid)
    alone = run(rows.select([3]), tiny_masked_lm)
    assert set(table_of(alone)["text"].to_pylist()) <= set(by_uid[0].values())
    assert table_of(run(rows, tiny_masked_lm, seed=1))["text"].to_pylist() != table_of(run(rows, tiny_masked_lm))["text"].to_pylist()


def test_what_lies_beyond_the_longest_input_stays(tiny_masked_lm: Path) -> None:
    text = "film " * 200
    (child,) = children_of(text, tiny_masked_lm, alpha=1.0)
    assert child.split()[60:] == text.split()[60:]
    assert "film" not in child.split()[:50]


class ByteTokenizer:
    """Six tokens as byte-level BPE has them: Ġ for the space before a word."""

    all_special_ids = (0,)
    tokens = ("<mask>", "Ġgood", "good", "ing", "Ġ!", "Ġ我们")

    def __len__(self) -> int:
        return len(self.tokens)

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [self.tokens[token] for token in ids]

    def batch_decode(self, ids: list[list[int]]) -> list[str]:
        return [self.tokens[token].replace("Ġ", " ") for (token,) in ids]


def test_the_end_of_a_word_is_no_word() -> None:
    vocabulary = _Vocabulary(ByteTokenizer(), 6, frozenset())
    spaced, bare, spaceless = (allowed.nonzero().flatten().tolist() for allowed in vocabulary.allowed)
    assert (spaced, bare, spaceless) == ([1], [2], [5])
    assert vocabulary.allowed.dtype == torch.bool


def test_words_that_tokens_cover() -> None:
    text = "Ünfit films, 电影很"
    offsets = [(0, 0), (0, 2), (2, 5), (5, 11), (11, 12), (12, 15), (15, 16), (0, 0)]
    found = [(word.text, word.first, word.last) for word in _words(text, list(range(8)), offsets)]
    assert found == [("Ünfit", 1, 3), ("films", 3, 4), ("电影", 5, 6), ("很", 6, 7)]
    # A token that reaches over two words, or a text that was cut inside one.
    assert _words("don't", [0, 1], [(0, 3), (3, 5)]) == []
    assert [word.text for word in _words("well known", [0, 1], [(0, 4), (4, 8)])] == ["well"]


def test_what_is_no_masked_language_model_is_refused(tiny_model: Path, tiny_marian: Path, tmp_path: Path, capfd: Any) -> None:
    with pytest.raises(Refused, match=r"^augment\.contextual\.masked_lm: .* is no masked language model: it lacks cls\.predictions"):
        run(rows_of([("great", "x")]), tiny_model)
    with pytest.raises(Refused, match=r"^augment\.contextual\.masked_lm: cannot load"):
        run(rows_of([("great", "x")]), tiny_marian)
    with pytest.raises(Refused, match=r"^augment\.contextual\.masked_lm: no checkpoint in"):
        fingerprint(masked_lm=str(tmp_path), masked_lm_revision="main")
    assert capfd.readouterr().err == ""


def test_fingerprint_is_of_the_content(tiny_masked_lm: Path, tiny_model: Path) -> None:
    one, two = (fingerprint(masked_lm=str(folder), masked_lm_revision="main") for folder in (tiny_masked_lm, tiny_model))
    assert set(one) == {"masked_lm"}
    assert one != two


@pytest.mark.parametrize(("name", "value"), [("alpha", 0), ("alpha", 1.5), ("top_k", 0), ("n_aug", 0), ("batch_tokens", 0.5)])
def test_bad_values_are_refused(name: str, value: float) -> None:
    with pytest.raises(Refused, match=rf"^augment\.contextual\.{name}: "):
        check(**(OPTIONS | {name: value}))


def test_no_rows_are_no_rows(tiny_masked_lm: Path) -> None:
    assert len(run(rows_of([("great", "x")]).select([]), tiny_masked_lm)) == 0
