"""Where labels come from: gold stays in dev and test, train takes what was proposed, and what nobody labels leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.annotate.origins import PROPOSED, SOFT_LABEL, adopt, asked_of, propose
from prepsweep.annotate.soft_labels import decoded, encoded
from prepsweep.cache import Cache
from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.pipeline import split_rows, train_rows
from prepsweep.terminal import weak_labels
from tests.conftest import compose, make_reviews, rows_of

SPLITS = ["train", "train", "train", "dev", "test"]


def columns(dataset: Dataset, *names: str) -> list[tuple[object, ...]]:
    table = table_of(dataset)
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def five(labels: list[str]) -> Dataset:
    return rows_of([(f"text {n}", label) for n, label in enumerate(labels)], SPLITS)


def test_gold_labels_stay_until_train_takes_what_was_proposed() -> None:
    rows = propose(five(list("aabab")), ["b", None, "b", "b", "a"], origin="rule", on_abstain="keep")
    assert columns(rows, "label", "label_origin") == [("a", "gold"), ("a", "gold"), ("b", "gold"), ("a", "gold"), ("b", "gold")]
    settled = settle(rows, adopt(rows).rows, stage="annotate.adopt", group="annotate")
    assert columns(settled.kept, "label", "label_origin") == [("b", "rule"), ("a", "gold"), ("b", "rule"), ("a", "gold"), ("b", "gold")]
    assert adopt(rows).facts == {"label_origins": {"dev": {"gold": 1}, "test": {"gold": 1}, "train": {"gold": 1, "rule": 2}}}


def test_a_row_without_a_label_takes_the_proposal_in_every_split() -> None:
    bare = five([""] * 5)
    rows = propose(bare, ["b", "a", "b", "b", "a"], origin="llm", on_abstain="keep")
    settled = settle(bare, rows, stage="annotate.llm", group="annotate", given_splits=["dev", "test"])
    assert columns(settled.kept, "label", "label_origin") == [(label, "llm") for label in "babba"]
    facts = adopt(settled.kept).facts
    record = {"group": "annotate", "name": "adopt", "facts": facts}
    assert weak_labels([record]) == {"dev": {"llm": 1}, "test": {"llm": 1}}
    assert weak_labels([{"group": "clean", "name": "exact_dedup"}]) == {}


def test_what_abstains_leaves_train_only_and_only_where_that_was_asked() -> None:
    dropping = propose(five(list("aabab")), [None] * 5, origin="rule", on_abstain="drop")
    assert columns(dropping, "dropped") == [(None,)] * 5, "before the split nobody knows which rows are train"
    assert columns(adopt(dropping).rows, "dropped") == [("abstained",)] * 3 + [(None,)] * 2
    keeping = propose(five(list("aabab")), [None] * 5, origin="rule", on_abstain="keep")
    assert columns(adopt(keeping).rows, "label", "label_origin", "dropped") == [(label, "gold", None) for label in "aabab"]
    bare = propose(five([""] * 5), ["a", None, None, "b", None], origin="rule", on_abstain="drop")
    assert columns(bare, "dropped") == [(None,), ("abstained",), ("abstained",), (None,), ("abstained",)]


def test_a_later_stage_has_the_last_word_and_may_ask_only_what_is_open() -> None:
    first = propose(five(["a", "", "", "", "b"]), ["b", "a", None, None, None], origin="rule", on_abstain="keep")
    table = table_of(first)
    assert asked_of(table, "all").to_pylist() == [True] * 5
    assert asked_of(table, "abstained").to_pylist() == [False, False, True, True, True]
    assert asked_of(table, "unlabelled").to_pylist() == [False, False, True, True, False]
    second = propose(first, ["c"] * 5, origin="model", on_abstain="drop", asked=asked_of(table, "unlabelled"))
    assert columns(second, "label", "label_origin") == [("a", "gold"), ("a", "rule"), ("c", "model"), ("c", "model"), ("b", "gold")]
    assert columns(second, PROPOSED) == [("b",), ("a",), ("c",), ("c",), (None,)]
    third = propose(second, [None, "a", None, "a", None], origin="reviewed", on_abstain="keep")
    assert columns(adopt(third).rows, "label", "label_origin") == [
        ("b", "rule"),
        ("a", "reviewed"),
        ("c", "model"),
        ("a", "reviewed"),
        ("b", "gold"),
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from(["train", "dev", "test"]), st.sampled_from(["a", "b", None])), min_size=1
    ),
    st.sampled_from(["drop", "keep"]),
)
def test_no_gold_label_of_dev_or_test_is_ever_replaced(rows: list[tuple[str, str, str | None]], on_abstain: str) -> None:
    given_rows = rows_of([(f"text {n}", label) for n, (label, _, _) in enumerate(rows)], [split for _, split, _ in rows])
    proposed = propose(given_rows, [label for *_, label in rows], origin="rule", on_abstain=on_abstain)
    kept = settle(given_rows, proposed, stage="s", group="annotate").kept
    found = settle(kept, adopt(kept).rows, stage="adopt", group="annotate")
    after = {row["text"]: row for row in found.kept.to_list()}
    for place, (label, split, said) in enumerate(rows):
        row = after.get(f"text {place}")
        if split != "train" and label:
            assert row is not None
            assert (row["label"], row["label_origin"], row[SOFT_LABEL]) == (label, "gold", None)
        elif said is not None:
            assert row is not None
            assert (row["label"], row["label_origin"]) == (said, "rule")
        elif on_abstain == "drop":
            assert row is None


def test_soft_labels_come_back_in_any_order_of_the_classes() -> None:
    p = np.array([[0.2, 0.8], [np.nan, np.nan], [1.0, 0.0], [0.00001, 0.99999]])
    column = pa.chunked_array([encoded(p, ["ham", "spam"])])
    assert column.to_pylist() == ['{"ham": 0.2, "spam": 0.8}', None, '{"ham": 1.0}', '{"spam": 1.0}']
    found = decoded(column, np.array([0, 2, 1, 0]), ["spam", "ham", "other"])
    assert np.allclose(found, [[0.8, 0.2, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])


def test_a_soft_label_that_a_later_stage_overruled_does_not_count() -> None:
    column = pa.chunked_array([pa.array(['{"ham": 0.2, "spam": 0.8}'] * 2)])
    assert np.allclose(decoded(column, np.array([0, 1]), ["ham", "spam"]), [[1, 0], [0.2, 0.8]])


def overrides(tmp_path: Path, *more: str) -> list[str]:
    """Forty reviews with a vote each that is wrong or missing at times, as a JSON lines file."""
    lines = []
    for place, (text, label) in enumerate(make_reviews(200)):
        vote = {0: "rotten", 1: None}.get(place % 7, label)
        lines.append(f'{{"text": "{text}", "label": "{label}", "vote": {"null" if vote is None else chr(34) + vote + chr(34)}}}\n')
    (tmp_path / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    return ["data=jsonl", f"data.path={tmp_path / 'rows.jsonl'}", "data.carry_columns=[vote]", *more]


def test_the_split_is_the_same_with_and_without_annotate_and_its_dev_and_test_are_gold(tmp_path: Path) -> None:
    plain = compose(*overrides(tmp_path))
    weak = compose(*overrides(tmp_path, "annotate=votes", "annotate.votes.columns=[vote]", "annotate.votes.label_model=majority"))
    one, classes = split_rows(plain, Cache(tmp_path / "c"), [])
    records: list[dict[str, object]] = []
    other, same_classes = split_rows(weak, Cache(tmp_path / "c"), records)
    assert classes == same_classes == ["fresh", "plot", "rotten"]
    for split in ("dev", "test"):
        assert columns(one.of(split).dataset, "uid", "label") == columns(other.of(split).dataset, "uid", "label")
    gold, train = dict(columns(one.of("train").dataset, "uid", "label")), columns(other.of("train").dataset, "uid", "label", "label_origin")
    assert {origin for *_, origin in train} == {"rule"}
    assert 0 < len(train) < len(gold)
    assert any(label != gold[uid] for uid, label, _ in train)
    adopted = records[-1]
    assert (adopted["group"], adopted["name"], adopted["dropped"]) == ("annotate", "adopt", {"abstained": len(gold) - len(train)})


def test_rows_that_nobody_labelled_are_refused_and_so_is_a_class_that_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text("".join(f'{{"text": "text {n}", "vote": "{"ab"[n % 2]}"}}\n' for n in range(40)), encoding="utf-8")
    bare = ["data=jsonl", f"data.path={path}", "data.unlabelled=true", "data.carry_columns=[vote]"]
    with pytest.raises(Refused, match=r"^annotate: 40 rows have no label\. fix: add annotate=…"):
        split_rows(compose(*bare), Cache(tmp_path / "c"), [])
    voted = [*bare, "annotate=votes", "annotate.votes.columns=[vote]"]
    rows, classes = split_rows(compose(*voted), Cache(tmp_path / "c"), [])
    assert classes == ["a", "b"]
    assert set(columns(rows.of("test").dataset, "label_origin")) == {("rule",)}
    strange = overrides(
        tmp_path, "annotate=votes", "annotate.votes.columns=[vote]", "annotate.votes.classes={rotten:roten,fresh:fresh,plot:plot}"
    )
    with pytest.raises(
        Refused, match=r"^annotate: labels rows of train 'roten', a class that no row of the data has\. fix: did you mean 'rotten'"
    ):
        split_rows(compose(*strange), Cache(tmp_path / "c"), [])


def test_train_stages_after_the_split_go_on_with_the_new_labels(tmp_path: Path) -> None:
    cfg = compose(*overrides(tmp_path, "annotate=votes", "annotate.votes.columns=[vote]", "augment=duplicate", "data.limit=30"))
    records: list[dict[str, object]] = []
    whole, _ = split_rows(cfg, Cache(tmp_path / "c"), records)
    assert len(whole.of("train").dataset) == 30, "the limit counts rows that have a label"
    train = train_rows(cfg, whole, Cache(tmp_path / "c"), records).dataset
    assert len(train) > 30
    assert all(soft is not None for (soft,) in columns(train, SOFT_LABEL)), "a child has its parent's"
