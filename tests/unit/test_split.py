"""Splits: shares, seeds, given files, groups, and what is refused."""

from __future__ import annotations

from collections import Counter

import pytest
from datasets import Dataset

from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.split.grouped import grouped
from prepsweep.split.limit import limit
from prepsweep.split.predefined import predefined
from prepsweep.split.stratified import stratified
from tests.conftest import make_reviews, rows_of

FRACTIONS = {"dev_fraction": 0.1, "test_fraction": 0.2}


def counts(dataset: Dataset) -> Counter[tuple[str, str]]:
    table = table_of(dataset)
    return Counter(zip(table.column("split").to_pylist(), table.column("label").to_pylist(), strict=True))


def places(dataset: Dataset) -> dict[str, str]:
    table = table_of(dataset)
    return dict(zip(table.column("uid").to_pylist(), table.column("split").to_pylist(), strict=True))


def test_stratified_gives_each_class_its_share() -> None:
    found = counts(stratified(rows_of(make_reviews(200)), seed=0, **FRACTIONS))
    assert found == {
        ("train", "fresh"): 70, ("dev", "fresh"): 10, ("test", "fresh"): 20,
        ("train", "rotten"): 42, ("dev", "rotten"): 6, ("test", "rotten"): 12,
        ("train", "plot"): 28, ("dev", "plot"): 4, ("test", "plot"): 8,
    }  # fmt: skip


def test_split_depends_on_seed_and_rows_not_on_their_order() -> None:
    rows = rows_of(make_reviews(200))
    first = places(stratified(rows, seed=0, **FRACTIONS))
    assert places(stratified(rows.select(range(199, -1, -1)), seed=0, **FRACTIONS)) == first
    assert places(stratified(rows, seed=1, **FRACTIONS)) != first
    fewer = places(stratified(rows.select(range(190)), seed=0, **FRACTIONS))
    assert sum(fewer[uid] != first[uid] for uid in fewer) <= 20, "new rows hardly move the old ones"


def test_given_splits_stay_and_only_the_missing_are_cut() -> None:
    rows = rows_of(make_reviews(100), ["test"] * 30 + [""] * 70)
    split = stratified(rows, seed=0, **FRACTIONS)
    assert list(places(split).values())[:30] == ["test"] * 30
    assert Counter(places(split).values()) == {"test": 30, "dev": 7, "train": 63}


@pytest.mark.parametrize(
    ("options", "n_rows", "message"),
    [
        ({"dev_fraction": 0.6, "test_fraction": 0.5}, 100, "dev_fraction \\+ test_fraction is 1.1"),
        ({"dev_fraction": 0, "test_fraction": 0.5}, 100, "dev_fraction: must be between 0 and 1, got 0"),
        (FRACTIONS, 9, "class 'plot' has 1 rows to share among train, test, dev"),
    ],
)
def test_stratified_refuses(options: dict[str, float], n_rows: int, message: str) -> None:
    with pytest.raises(Refused, match=message):
        stratified(rows_of(make_reviews(n_rows)), seed=0, **options)


def test_grouped_never_lets_a_group_cross() -> None:
    pairs = make_reviews(300)
    rows = rows_of(pairs, group=[f"g{i // 3}" for i in range(300)])
    split = grouped(rows, seed=0, group_column="group", **FRACTIONS)
    table = table_of(split)
    place: dict[str, set[str]] = {}
    for group, name in zip(table.column("group").to_pylist(), table.column("split").to_pylist(), strict=True):
        place.setdefault(group, set()).add(name)
    assert all(len(names) == 1 for names in place.values())
    sizes = Counter(table.column("split").to_pylist())
    assert 0.15 < sizes["test"] / 300 < 0.25
    assert 0.06 < sizes["dev"] / 300 < 0.14
    backwards = grouped(rows.select(range(299, -1, -1)), seed=0, group_column="group", **FRACTIONS)
    assert places(backwards) == places(split)
    assert places(grouped(rows, seed=1, group_column="group", **FRACTIONS)) != places(split)


def test_grouped_refuses_a_group_in_two_splits_and_names_the_nearest_column() -> None:
    rows = rows_of(make_reviews(30), ["test"] * 5 + [""] * 25, group=[f"g{i % 6}" for i in range(30)])
    with pytest.raises(Refused, match="group 'g0' is in test and the rows to be split"):
        grouped(rows, seed=0, group_column="group", **FRACTIONS)
    with pytest.raises(Refused, match="did you mean 'group'"):
        grouped(rows, seed=0, group_column="groups", **FRACTIONS)


def test_predefined_wants_all_three() -> None:
    rows = rows_of(make_reviews(9), ["train", "dev", "test"] * 3)
    assert predefined(rows) is rows
    with pytest.raises(Refused, match="does not bring dev"):
        predefined(rows_of(make_reviews(4), ["train", "test"] * 2))


@pytest.mark.parametrize("n_rows", [3, 10, 47, 100, 140, 1000])
def test_limit_keeps_class_shares_of_train_and_touches_nothing_else(n_rows: int) -> None:
    rows = stratified(rows_of(make_reviews(200)), seed=0, **FRACTIONS)
    settled = settle(rows, limit(rows, seed=0, n_rows=n_rows), stage="limit", group="split")
    found = counts(settled.kept)
    train = {label: n for (split, label), n in found.items() if split == "train"}
    assert sum(train.values()) == min(n_rows, 140)
    assert all(
        abs(train[label] - max(1, min(n_rows, 140) * share)) <= 1 for label, share in (("fresh", 0.5), ("rotten", 0.3), ("plot", 0.2))
    )
    assert {key: n for key, n in found.items() if key[0] != "train"} == {key: n for key, n in counts(rows).items() if key[0] != "train"}


def test_a_smaller_limit_is_a_part_of_a_larger() -> None:
    rows = stratified(rows_of(make_reviews(200)), seed=0, **FRACTIONS)
    kept = [set(places(settle(rows, limit(rows, seed=0, n_rows=n), stage="limit", group="split").kept)) for n in (20, 60)]
    assert kept[0] < kept[1]
    with pytest.raises(Refused, match="2 rows cannot hold 3 classes"):
        limit(rows, seed=0, n_rows=2)
