"""sometimes, one_of and to_balance: which rows the stage inside sees, and what becomes of its children."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.augment import one_of as one_of_module
from prepsweep.augment.duplicate import duplicate
from prepsweep.augment.one_of import one_of
from prepsweep.augment.sometimes import sometimes
from prepsweep.augment.to_balance import to_balance
from prepsweep.errors import Refused
from prepsweep.identity import content_hash
from prepsweep.lineage import ContractBroken, Result, Settled, settle, table_of
from tests.conftest import make_reviews, rows_of
from tests.unit.augment.toys import classes, eat, same, shout

AWKWARD = [("", "fresh"), ("   ", "plot"), ("我喜欢这部电影。", "fresh"), ("👍🏽\u2028x", "rotten"), ("story " * 2000, "plot")]


def train(n_rows: int = 100) -> Dataset:
    return rows_of([*make_reviews(n_rows), *AWKWARD], "train")


def settled(rows: Dataset, result: Result) -> Settled:
    return settle(rows, result.rows, stage="augment.x", group="augment")


def children(rows: Dataset, result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table_of(result.rows).slice(len(rows)).to_pylist()
    return found


def run(wrapper: str, rows: Dataset, stage: Any = None, *, seed: int = 0, **values: Any) -> Result:
    stage = stage or partial(shout, n_copies=1)
    if wrapper == "one_of":
        values = {"stages": {"first": stage, "second": partial(duplicate, n_copies=1)}, "weights": {"first": 3, "second": 1}} | values
        return one_of(rows, seed=seed, num_proc=1, **values)
    if wrapper == "sometimes":
        return sometimes(rows, seed=seed, num_proc=1, stage=stage, **{"p": 0.3, **values})
    return to_balance(rows, seed=seed, num_proc=1, stage=stage, **{"sampling_strategy": "auto", **values})


WRAPPERS = ("sometimes", "one_of", "to_balance")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_children_are_named_after_wrapper_and_stage_and_meet_no_others(wrapper: str) -> None:
    rows = train()
    alone = shout(rows, seed=0, n_copies=1).rows
    both = run(wrapper, alone)
    found = settle(alone, both.rows, stage="augment.x", group="augment").kept  # Refuses two rows of one uid.
    origins = set(table_of(found).column("origin").to_pylist())
    assert f"{wrapper}:shout" in origins
    assert origins <= {"source", "shout", f"{wrapper}:shout", "one_of:duplicate"}
    texts = Counter(row["text"] for row in found.to_list() if "shout" in row["origin"] and row["parent_uid"] in set(rows["uid"]))
    assert max(texts.values()) == 1, "the stage inside must not draw what the same stage draws elsewhere"


def test_a_wrapper_in_a_wrapper_is_named_from_outside_in() -> None:
    rows = train(30)
    found = children(rows, run("to_balance", rows, partial(sometimes, p=0.5, stage=partial(shout, n_copies=8))))
    assert {child["origin"] for child in found} == {"to_balance:sometimes:shout"}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_neither_the_order_of_the_rows_nor_another_seed_is_taken_for_the_other(wrapper: str) -> None:
    rows = train()
    mixed = rows.select(range(len(rows) - 1, -1, -1))

    def made(order: Dataset, seed: int) -> str:
        return content_hash(table_of(settled(order, run(wrapper, order, seed=seed)).kept).sort_by("uid"))

    assert made(rows, 0) == made(mixed, 0) != made(rows, 1)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_evidence_names_the_children_as_they_are_called_now(wrapper: str) -> None:
    rows = train()
    result = run(wrapper, rows)
    assert result.evidence is not None
    made = {child["uid"] for child in children(rows, result) if child["origin"].endswith(":shout")}
    shown = set(result.evidence.column("uid").to_pylist())
    assert made
    assert made <= shown, "rows of other classes, which went along, may be among the evidence"
    assert set(result.evidence.column("parent_uid").to_pylist()) <= set(rows["uid"])


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_stage_sees_every_class_and_no_child_of_a_row_that_was_not_drawn(wrapper: str) -> None:
    rows = rows_of([("a", "x"), *((f"b{i}", "y") for i in range(40)), ("c", "z"), ("d", "z")], "train")
    values = {"p": 0.02} if wrapper == "sometimes" else {}
    found = [child for child in children(rows, run(wrapper, rows, classes, **values)) if child["origin"].endswith("classes")]
    assert {child["text"] for child in found} == {"x y z"}
    if wrapper == "sometimes":
        assert len(found) == 1


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_stage_that_touches_the_rows_it_was_given_is_a_bug(wrapper: str) -> None:
    with pytest.raises(ContractBroken, match=f"{wrapper}: the stage inside altered"):
        run(wrapper, train(30), eat)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_unchanged_children_stay_counted(wrapper: str) -> None:
    rows = rows_of([(f"mute {i}", "x" if i < 15 else "y") for i in range(20)], "train")
    counts = settled(rows, run(wrapper, rows, partial(shout, n_copies=2))).counts
    assert counts["dropped"]["unchanged"] >= 2
    assert counts["rows_in"] + counts["rows_added"] == counts["rows_out"] + sum(counts["dropped"].values())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.floats(0.01, 1))
def test_sometimes_draws_the_fraction_that_it_says(n_rows: int, p: float) -> None:
    rows = rows_of([(f"text {i}", "x") for i in range(n_rows)], "train")
    found = children(rows, run("sometimes", rows, p=p))
    assert len({child["parent_uid"] for child in found}) == len(found) == max(1, int(p * n_rows + 0.5))


def test_one_of_gives_each_row_one_stage_in_proportion_to_the_weights() -> None:
    rows = rows_of([(f"text {i}", "x") for i in range(2000)], "train")
    result = run("one_of", rows)
    found = children(rows, result)
    assert len(found) == len({child["parent_uid"] for child in found}) == 2000
    counts = Counter(child["origin"] for child in found)
    assert 1420 < counts["one_of:shout"] < 1580
    assert result.facts["first"]["rows"] == counts["one_of:shout"]
    assert result.facts["second"]["rows"] == counts["one_of:duplicate"]


def test_one_of_does_not_depend_on_the_order_of_the_slots_or_the_scale_of_the_weights() -> None:
    rows, stages = train(), {"a": partial(shout, n_copies=1), "b": partial(duplicate, n_copies=1)}
    one = one_of(rows, seed=0, stages=stages, weights={"a": 1, "b": 3}, num_proc=1)
    two = one_of(rows, seed=0, stages=dict(reversed(stages.items())), weights={"b": 6, "a": 2}, num_proc=1)
    assert content_hash(table_of(one.rows)) == content_hash(table_of(two.rows))


def test_one_of_with_a_weight_of_0_never_runs_that_stage() -> None:
    rows = train(30)
    result = run("one_of", rows, stages={"a": eat, "b": partial(duplicate, n_copies=1)}, weights={"a": 0, "b": 1})
    assert {child["origin"] for child in children(rows, result)} == {"one_of:duplicate"}


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        ({"a": 1}, "augment.one_of.weights.b: is not set"),
        ({"a": 1, "b": 1, "bb": 2}, "augment.one_of.weights.bb: is the weight of no slot. fix: did you mean 'b'?"),
        ({"a": 1, "b": -1}, "augment.one_of.weights.b: must be a number of at least 0, got -1"),
        ({"a": 1, "b": "x"}, "augment.one_of.weights.b: must be a number"),
        ({"a": 0, "b": 0}, "augment.one_of.weights: are all 0"),
    ],
)
def test_one_of_refuses_weights_that_cannot_be_meant(weights: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Refused) as error:
        one_of_module.check(stages={"a": {}, "b": {}}, weights=weights)
    assert complaint in str(error.value)


@pytest.mark.parametrize("stages", [{}, {"a": {}}, None, [{}, {}]])
def test_one_of_refuses_fewer_than_two_stages(stages: Any) -> None:
    with pytest.raises(Refused, match="needs two augmentations or more"):
        one_of_module.check(stages=stages, weights={"a": 1})


@pytest.mark.parametrize("p", [0, -0.1, 1.1, "half", None])
def test_sometimes_refuses_fractions_that_are_none(p: Any) -> None:
    with pytest.raises(Refused, match=r"augment\.sometimes\.p: must be above 0 and at most 1"):
        run("sometimes", train(10), p=p)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {"fresh": 50, "rotten": 50, "plot": 50}),
        ("minority", {"fresh": 50, "rotten": 30, "plot": 50}),
        ({"plot": 33}, {"fresh": 50, "rotten": 30, "plot": 33}),
    ],
)
@pytest.mark.parametrize("stage", [partial(shout, n_copies=3), partial(duplicate, n_copies=3)], ids=["new", "copies"])
def test_to_balance_reaches_the_sizes_asked_for(stage: Any, strategy: Any, expected: dict[str, int]) -> None:
    rows = rows_of(make_reviews(100), "train")
    result = run("to_balance", rows, stage, sampling_strategy=strategy)
    assert Counter(settled(rows, result).kept["label"]) == expected
    assert "short" not in result.facts


def test_to_balance_uses_parents_evenly_and_counts_what_is_over() -> None:
    rows = rows_of([(f"a{i}", "x") for i in range(27)] + [(f"b{i}", "y") for i in range(10)], "train")
    found = settled(rows, run("to_balance", rows, partial(duplicate, n_copies=4)))
    uses = Counter(row["parent_uid"] for row in found.kept.to_list() if row["parent_uid"])
    assert sorted(uses.values()) == [1] * 3 + [2] * 7
    assert found.counts["dropped"] == {"surplus": 23}


def test_to_balance_asks_for_no_more_parents_than_it_needs() -> None:
    rows = rows_of([(f"a{i}", "x") for i in range(30)] + [(f"b{i}", "y") for i in range(25)], "train")
    result = run("to_balance", rows)
    assert result.facts["stage"] == [{"rows": 6}], "five parents, and one row of the other class"
    assert settled(rows, result).counts["rows_added"] == 5


def test_to_balance_tries_the_other_parents_where_the_first_make_nothing() -> None:
    rows = rows_of([(f"a{i}", "x") for i in range(30)] + [(f"{'mute' if i % 2 else ''} b{i}", "y") for i in range(24)], "train")
    result = run("to_balance", rows)
    found = settled(rows, result)
    assert Counter(found.kept["label"]) == {"x": 30, "y": 30}
    assert result.facts["passes"] == 2
    assert found.counts["dropped"]["unchanged"] > 0


def test_to_balance_says_how_many_rows_are_missing() -> None:
    rows = rows_of([(f"a{i}", "x") for i in range(30)] + [(f"b{i}", "y") for i in range(4)], "train")
    result = run("to_balance", rows, partial(shout, n_copies=2))
    assert result.facts["short"] == {"y": 18}
    assert Counter(settled(rows, result).kept["label"]) == {"x": 30, "y": 12}


def test_to_balance_takes_a_text_only_once_and_none_that_the_class_has() -> None:
    rows = rows_of([(f"a{i}", "x") for i in range(9)] + [("taken", "y"), ("other", "y"), ("third", "y")], "train")
    for text, n_new, dropped in (("new", 1, {"repeated": 2}), ("taken", 0, {"repeated": 2, "unchanged": 1}), ("a1", 1, {"repeated": 2})):
        found = settled(rows, run("to_balance", rows, partial(same, text=text)))
        assert Counter(found.kept["label"])["y"] == 3 + n_new, text
        assert found.counts["dropped"] == dropped, text


def test_to_balance_of_balanced_rows_makes_nothing() -> None:
    rows = rows_of([("a", "x"), ("b", "y")], "train")
    result = run("to_balance", rows)
    assert len(result.rows) == 2
    assert result.facts == {"passes": 1}
