"""SMOTE: which points are drawn, where they lie among the states of their class, and who may have them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from numpy.typing import NDArray

from prepsweep.balance.embedding_smote import embedding_smote
from prepsweep.balance.targets import Strategy
from prepsweep.datamodule import TokenRows
from prepsweep.errors import Refused
from prepsweep.lineage import dataset_of, settle, table_of
from prepsweep.padded import Lists
from prepsweep.planning import built_stages
from prepsweep.state_store import States
from prepsweep.synthetic import place_between
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import compose, make_reviews, rows_of

CLASSES = ["fresh", "plot", "rotten"]
# Of each class: its first number, so that classes lie apart.
CORNER = {"fresh": 0.0, "plot": 100.0, "rotten": 200.0}
WIDTH = 3


def smote(rows: Dataset, *, seed: int = 0, strategy: Strategy = "auto", k: int = 5) -> Dataset:
    result = embedding_smote(rows, seed=seed, sampling_strategy=strategy, k_neighbors=k)
    return settle(rows, result.rows, stage="embedding_smote", group="balance").kept


def made(rows: Dataset) -> list[dict[str, Any]]:
    return [row for row in rows.to_list() if row["origin"] == "embedding_smote"]


def token_rows(rows: Dataset, *, n_places: int = 1) -> TokenRows:
    """Rows as training reads them, their states drawn around the corner of their class, that of a made row its parent's."""
    table = table_of(rows).append_column("input_ids", [[[2, place % 50, 3] for place in range(len(rows))]])
    found = TokenRows(dataset_of(table), TextClassification(CLASSES, loss=cross_entropy), pad_token_id=0, every_window=False)
    drawn = np.random.default_rng(0).normal(size=(len(rows), WIDTH)).astype(np.float16)
    drawn[:, 0] += [CORNER[label] for label in rows["label"]]
    where = {uid: place for place, uid in enumerate(rows["uid"])}
    places = np.array([where.get(parent, where[uid]) for uid, parent in zip(rows["uid"], rows["parent_uid"], strict=True)])
    lists = Lists(np.arange(len(rows) + 1) * n_places * WIDTH, np.repeat(drawn, n_places, axis=0).ravel())
    found.states = States([lists], np.zeros(len(rows), dtype=np.int64), places, WIDTH, [])
    return found


def points_of(tokens: TokenRows) -> NDArray[np.float64]:
    assert tokens.states is not None
    return tokens.states.padded(np.arange(len(tokens.lengths)))[:, 0].astype(np.float64)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {"fresh": 50, "rotten": 50, "plot": 50}),
        ("minority", {"fresh": 50, "rotten": 30, "plot": 50}),
        ({"plot": 33}, {"fresh": 50, "rotten": 30, "plot": 33}),
    ],
)
def test_classes_have_the_sizes_asked_for_and_points_are_of_train_rows(strategy: Strategy, expected: dict[str, int]) -> None:
    rows = rows_of(make_reviews(100), "train")
    grown = smote(rows, strategy=strategy)
    assert Counter(grown["label"]) == expected
    labels = dict(zip(rows["uid"], rows["label"], strict=True))
    for row in made(grown):
        assert (row["split"], row["label"]) == ("train", labels[row["parent_uid"]])
        assert 0 <= row["smote_share"] < 1
        assert 0 <= row["smote_neighbor"] < 5
    assert all(row["smote_share"] is None for row in grown.to_list() if row["origin"] == "source")


def test_neighbours_and_shares_are_drawn_evenly_for_each_seed() -> None:
    rows = rows_of(make_reviews(1000), "train")
    points, others = (made(smote(rows, seed=seed)) for seed in (0, 1))
    counts = Counter(row["smote_neighbor"] for row in points)
    assert set(counts) == set(range(5))
    assert min(counts.values()) > 0.7 * len(points) / 5
    shares = np.array([row["smote_share"] for row in points])
    assert abs(shares.mean() - 0.5) < 0.05
    assert abs(np.corrcoef(shares, [row["smote_neighbor"] for row in points])[0, 1]) < 0.15
    assert points == made(smote(rows))
    assert [row["smote_share"] for row in points] != [row["smote_share"] for row in others]


def test_a_point_lies_between_its_parent_and_the_neighbour_that_was_drawn() -> None:
    rows = smote(rows_of(make_reviews(100), "train"), k=3)
    tokens = token_rows(rows)
    before = points_of(tokens)
    place_between(tokens, rows)
    after = points_of(tokens)
    table = rows.to_list()
    real = [place for place, row in enumerate(table) if row["origin"] == "source"]
    assert np.array_equal(after[real], before[real]), "real rows keep their states"
    for place, row in enumerate(table):
        if row["origin"] != "source":
            mates = before[[other for other in real if table[other]["label"] == row["label"]]]
            nearest = mates[np.argsort(((mates - before[place]) ** 2).sum(axis=1), kind="stable")]
            assert np.array_equal(nearest[0], before[place]), "the parent itself"
            expected = before[place] + row["smote_share"] * (nearest[1 + row["smote_neighbor"]] - before[place])
            np.testing.assert_allclose(after[place], expected, rtol=2e-3, atol=2e-3)
            assert not np.array_equal(after[place], before[place])


def test_a_class_of_fewer_rows_has_fewer_neighbours_and_a_single_row_is_copied() -> None:
    pairs = make_reviews(40)
    pairs = [pair for pair in pairs if pair[1] == "fresh"] + [pair for pair in pairs if pair[1] == "rotten"][:3] + [("a plot", "plot")]
    rows = rows_of(pairs, "train")
    result = embedding_smote(rows, seed=0, sampling_strategy="auto", k_neighbors=5)
    assert result.facts == {"fewer_neighbors": {"plot": 0, "rotten": 2}}
    grown = smote(rows)
    assert Counter(grown["label"]) == {"fresh": 20, "rotten": 20, "plot": 20}
    assert {row["smote_neighbor"] for row in made(grown) if row["label"] == "rotten"} == {0, 1}
    tokens = token_rows(grown)
    before = points_of(tokens)
    place_between(tokens, grown)
    after = points_of(tokens)
    alone = np.array(grown["label"]) == "plot"
    assert np.array_equal(after[alone], before[alone])
    assert np.isfinite(after).all()
    moved = (after != before).any(axis=1) & (np.array(grown["label"]) == "rotten")
    assert moved.sum() == 17


@pytest.mark.parametrize("ending", ["9", "no text ends so"])
def test_rows_that_a_later_stage_dropped_are_not_asked_for(ending: str) -> None:
    rows = smote(rows_of(make_reviews(100), "train"))
    kept = rows.filter(lambda row: row["label"] != "plot" or row["origin"] != "source" or row["text"].endswith(ending))
    tokens = token_rows(kept)
    place_between(tokens, kept)
    corners = np.array([CORNER[label] for label in kept["label"]])
    assert (np.abs(points_of(tokens)[:, 0] - corners) < 10).all(), "points stay in their class"


def test_states_that_are_not_there_or_are_of_all_tokens_are_refused() -> None:
    rows = smote(rows_of(make_reviews(100), "train"))
    tokens = token_rows(rows)
    tokens.states = None
    with pytest.raises(Refused, match=r"balance.embedding_smote: the encoder's states, .* are not stored"):
        place_between(tokens, rows)
    with pytest.raises(Refused, match=r"balance.embedding_smote: the model's head reads the states of all tokens"):
        place_between(token_rows(rows, n_places=2), rows)


def test_rows_without_points_need_no_states() -> None:
    rows = rows_of(make_reviews(30), "train")
    tokens = token_rows(rows)
    tokens.states = None
    place_between(tokens, rows)
    assert tokens.states is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], r"points between states of a frozen encoder, and method=full trains it. fix: add method=head, or use balance=oversample"),
        (["method=last_layers"], r"method=last_layers trains it"),
        (["method=head", "augment=mixup"], r"augment=mixup mixes what it is given. fix: leave augment=mixup out"),
        (["method=head", "task=multi_label"], r"does not work on label sets"),
        (["method=head", "balance.embedding_smote.k_neighbors=0"], r"must be at least 1, got 0"),
        (["method=head", "balance.embedding_smote.sampling_strategy=autp"], r"unknown strategy 'autp'"),
    ],
)
def test_what_it_cannot_work_with_is_refused_from_the_configuration(overrides: list[str], message: str, tmp_path: Path) -> None:
    data = ["data=csv", f"data.path={tmp_path / 'nowhere.csv'}"]
    with pytest.raises(Refused, match=message) as refused:
        built_stages(compose("balance=embedding_smote", *data, *overrides))
    assert str(refused.value).startswith("balance.embedding_smote")
    assert "\n" not in str(refused.value)


def test_the_probe_takes_it() -> None:
    assert "balance.embedding_smote" in [stage.where for stage in built_stages(compose("balance=embedding_smote", "model=minilm_probe"))]
