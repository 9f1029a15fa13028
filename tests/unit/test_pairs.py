"""Rows that are pairs of texts: what makes two of them equal, what rewrites both, what a model reads of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from prepsweep.augment import keep_if
from prepsweep.clean.drop_short import drop_short
from prepsweep.clean.emoji import emoji
from prepsweep.clean.exact_dedup import exact_dedup
from prepsweep.clean.label_conflicts import label_conflicts
from prepsweep.clean.language import language
from prepsweep.clean.near_dedup import near_dedup
from prepsweep.clean.pii import pii
from prepsweep.clean.semantic_dedup import _alike_in_all, semantic_dedup
from prepsweep.clean.strip_markup import strip_markup
from prepsweep.embeddings import embed, embed_rows
from prepsweep.errors import Refused
from prepsweep.leaks.report import leaks_of_made, leaks_of_splits
from prepsweep.lineage import ContractBroken, Result, add_children, settle, table_of, with_column
from prepsweep.schema import source_uids
from prepsweep.text import as_one, whole_texts
from tests.conftest import rows_of

AWKWARD = ["", "   ", "great", "我喜欢这部电影。", "a\u2028b", "👍🏽", "story " * 40, "a b", "5:x"]


def pairs_of(rows: list[tuple[str, str, str]], split: str | list[str] = "") -> Dataset:
    """Rows from (text, text_pair, label)."""
    return rows_of([(text, label) for text, _, label in rows], split, text_pair=[second for _, second, _ in rows])


def dropped(result: Dataset | Result) -> list[str | None]:
    rows = result.rows if isinstance(result, Result) else result
    return table_of(rows).column("dropped").to_pylist()


@given(st.lists(st.tuples(st.sampled_from(AWKWARD) | st.text(max_size=3), st.sampled_from(AWKWARD) | st.text(max_size=3)), max_size=12))
def test_two_pairs_are_one_only_where_both_texts_are(pairs: list[tuple[str, str]]) -> None:
    columns = [pa.chunked_array([[pair[side] for pair in pairs]], pa.string()) for side in (0, 1)]
    keys = as_one(columns).to_pylist()
    for one, key in zip(pairs, keys, strict=True):
        for other, its_key in zip(pairs, keys, strict=True):
            assert (one == other) == (key == its_key)
    assert as_one(columns[:1]) is columns[0]


def test_the_second_text_is_part_of_the_uid_and_rows_without_keep_theirs() -> None:
    rows = pairs_of([("a", "b", "x"), ("a", "c", "x"), ("ab", "", "x")])
    assert rows["uid"] == source_uids([("a", "b", "x", ""), ("a", "c", "x", ""), ("ab", "", "x", "")])
    assert len(set(rows["uid"])) == 3
    assert rows_of([("a", "x")])["uid"] == source_uids([("a", "x", "")])
    assert whole_texts(table_of(rows_of([("a", "x")]))).to_pylist() == ["a"]


def test_rewriting_stages_rewrite_both_and_count_both() -> None:
    rows = pairs_of([("<b>a</b> 👍", "mail me@example.org &amp; 👎", "x"), ("plain", "", "y")])
    assert strip_markup(rows, num_proc=1)[:]["text_pair"] == ["mail me@example.org & 👎", ""]
    masked = pii(rows, action="mask", kinds=["email"], regions=[], num_proc=1)
    assert masked.rows[:]["text_pair"] == ["mail [EMAIL] &amp; 👎", ""]
    assert masked.facts == {"found": {"email": 1}, "rows": 1}
    assert dropped(pii(rows, action="drop", kinds=["email"], regions=[], num_proc=1)) == ["pii", None]
    named = emoji(rows, action="name", num_proc=1)
    assert [named.rows[:][name][0] for name in ("text", "text_pair")] == [
        "<b>a</b> :thumbs_up:",
        "mail me@example.org &amp; :thumbs_down:",
    ]
    assert named.facts == {"emoji": 2, "rows": 1}


def test_a_copy_has_both_texts_and_the_label() -> None:
    rows = pairs_of([("a", "b", "x"), ("a", "b", "x"), ("a", "c", "x"), ("b", "a", "x"), ("a", "b", "y"), ("ab", "", "x"), ("", "ab", "x")])
    assert dropped(exact_dedup(rows)) == [None, "duplicate", None, None, None, None, None]


def test_a_conflict_is_of_the_pair() -> None:
    rows = pairs_of([("A b", "q", "x"), ("a  B", "Q ", "y"), ("a b", "other", "y")])
    assert dropped(label_conflicts(rows, action="drop", equal="exact")) == [None] * 3
    found = label_conflicts(rows, action="drop", equal="ignore_case_and_space")
    assert dropped(found) == ["label_conflict", "label_conflict", None]
    assert found.evidence is not None
    assert found.evidence.column_names == ["uid", "text", "text_pair", "label", "split", "majority"]


def test_near_duplicates_are_alike_in_both_texts() -> None:
    paragraph = " ".join(f"word{i}" for i in range(60))
    changed = paragraph.replace("word30", "else")
    rows = pairs_of(
        [
            (paragraph, "who wrote it", "x"),
            (paragraph, "when was it written", "x"),
            (changed, "Who wrote it?", "x"),
            (paragraph, "", "x"),
            (changed, "!", "x"),
            ("", "", "x"),
            ("", "", "x"),
        ]
    )
    found = near_dedup(rows, threshold=0.8, ngram=2, num_perm=128, merge_across_labels=False)
    reasons = dropped(found)
    assert sorted(map(str, (reasons[0], reasons[2]))) == ["None", "near_duplicate"]
    assert sorted(map(str, (reasons[3], reasons[4]))) == ["None", "near_duplicate"], "two texts without words are alike"
    assert (reasons[1], reasons[5], reasons[6]) == (None, None, None), "another question on one paragraph is no copy"


def test_short_and_foreign_rows() -> None:
    rows = pairs_of([("yes", "was it a good film at all", "x"), ("yes", "was it", "x"), ("", "", "y")])
    assert dropped(drop_short(rows, min_words=4)) == [None, "short", "short"]
    english, german = "This is a very long story about a town and its people.", "Das ist eine sehr lange Geschichte von einer Stadt."
    rows = pairs_of([(english, english, "x"), (english, german, "x"), (german, english, "y")])
    found = language(rows, keep=["en"], drop=None, min_confidence=0.7, min_letters=3, keep_unknown=True, num_proc=1)
    assert dropped(found) == [None, "language", "language"]
    assert found.facts == {"languages": {"en": 4, "de": 2}}


def test_embedding_stages_look_at_both_texts(tiny_model: Path) -> None:
    encoder: dict[str, Any] = {"checkpoint": str(tiny_model), "revision": None, "max_length": 16, "batch_size": 2, "device": "cpu"}
    rows = pairs_of(
        [("great film", "is it", "x"), ("Great Film", "is it", "x"), ("great film", "killer town", "x"), ("dull", "is it", "x")]
    )
    found = semantic_dedup(rows, **encoder, threshold=0.9999, merge_across_labels=False)
    assert sorted(map(str, dropped(found)[:2])) == ["None", "semantic_duplicate"]
    assert dropped(found)[2:] == [None, None], "one of the texts is another"
    table = table_of(rows)
    alone = embed(table.column("text").to_pylist(), **encoder)
    assert (embed_rows(table.drop_columns("text_pair"), **encoder) == alone).all()
    both = embed_rows(table, **encoder)
    assert both.shape == (4, 4 * alone.shape[1])
    assert np.linalg.norm(both, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert np.allclose(both[0], both[1], atol=1e-5)
    assert not np.allclose(both[0], both[2], atol=1e-3)


@pytest.mark.parametrize("threshold", [0.5, 0.9, 1.0])
def test_pairs_alike_in_both_are_found_without_looking_at_each(threshold: float) -> None:
    drawn = np.random.default_rng(0).normal(size=(2, 40, 3)).astype(np.float32)
    drawn[:, 20:25] = drawn[:, 15:20]
    sides = list(drawn / np.linalg.norm(drawn, axis=2, keepdims=True))
    first, second, scores = _alike_in_all(sides, threshold=threshold, device="cpu")
    lowest = np.minimum(*(side.astype(np.float64) @ side.T.astype(np.float64) for side in sides))
    expected = np.argwhere(np.triu(lowest >= threshold - 1e-6, k=1))
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [(one, other) for one, other in expected.tolist()]
    assert scores == pytest.approx(np.minimum(lowest[first, second], 1), abs=1e-6)
    assert len(first) >= 5


def test_a_judge_of_one_text_is_refused_for_pairs() -> None:
    with pytest.raises(Refused, match=r"augment.keep_if.judge: a judge reads one text, and these rows are pairs"):
        keep_if.check_rows(pairs_of([("a", "b", "x")]), judge="any", judge_revision=None)
    keep_if.check_rows(pairs_of([("a", "b", "x")]), judge=None, judge_revision=None)


def test_children_keep_the_second_text_and_no_stage_after_cleaning_may_change_it() -> None:
    rows = pairs_of([("a great film with a story", "is it great", "x"), ("a dull film of a town", "is it dull", "y")], "train")
    child = add_children(rows, parents=[1], texts=["new"], stage="s")
    assert child[:]["text_pair"] == ["is it great", "is it dull", "is it dull"]
    altered = with_column(rows, "text_pair", ["is it great", "?"])
    for group in ("augment", "refine", "balance", "split"):
        with pytest.raises(ContractBroken, match="changed the column 'text_pair'"):
            settle(rows, altered, stage="s", group=group)
    settle(rows, altered, stage="s", group="clean")


def leaks(rows: list[tuple[str, str, str]], splits: list[str]) -> dict[tuple[str, tuple[str, ...]], int]:
    table = table_of(pairs_of(rows, splits))
    return {(leak.name, leak.splits): leak.count for leak in leaks_of_splits(table, table)}


def test_a_leak_across_splits_is_of_the_pair() -> None:
    long = " ".join(f"word{i}" for i in range(40))
    filler = [(f"text {i} of {split}", f"second {i} of {split}", "xy"[i % 2]) for split in ("train", "dev", "test") for i in range(4)]
    splits = ["train"] * 4 + ["dev"] * 4 + ["test"] * 4
    clean = [*filler, ("same premise", "one", "x"), ("same premise", "two", "y"), (long, "who", "x"), (long, "when", "y")]
    assert not [name for name, _ in leaks(clean, [*splits, "train", "test", "train", "test"]) if name != "row_order_predicts_label"]
    found = leaks(
        [
            *filler,
            ("p", "q", "x"),
            ("p", "q", "y"),
            ("A, b", "C d", "x"),
            ("a b", "c d!", "x"),
            (long, "who", "x"),
            (long + " x", "who", "x"),
        ],
        [*splits, *["train", "test"] * 3],
    )
    assert found["same_text_across_splits", ("train", "test")] == 1
    assert found["same_folded_text_across_splits", ("train", "test")] == 1
    assert found["near_duplicate_across_splits", ("train", "test")] == 1
    assert found["same_text_with_different_labels", ("train", "test")] == 2


def test_a_test_split_is_part_of_train_only_where_its_pairs_are() -> None:
    train = [("p", f"q{i}", "xy"[i % 2]) for i in range(6)]
    fair = [*train, ("p", "new", "x"), ("p", "newer", "y"), ("p", "newest", "x")]
    leaks(fair, ["train"] * 6 + ["dev"] + ["test"] * 2)
    with pytest.raises(Refused, match="all 2 texts of test are in train too"):
        leaks([*train, ("p", "new", "x"), *train[:2]], ["train"] * 6 + ["dev"] + ["test"] * 2)


def test_a_made_text_leaks_with_its_second_text_only() -> None:
    whole = pairs_of([("old", "q", "x"), ("new", "q", "x"), ("newer", "other", "y")], ["train", "test", "test"])
    train = add_children(whole.select([0]), parents=[0, 0], texts=["New!", "newer"], stage="s")
    found = [leak for leak in leaks_of_made(table_of(whole), table_of(train)) if leak.name == "made_text_in_another_split"]
    assert [leak.count for leak in found] == [1], "`newer` is asked with another question in test"
