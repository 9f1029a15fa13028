"""Near duplicates: found as brute force finds them, and never more."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.clean.minhash import banding
from prepsweep.clean.near_dedup import near_dedup
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.text import words
from tests.conftest import rows_of

TWENTY = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)


def run(rows: Dataset, **changed: Any) -> Result:
    return near_dedup(rows, **{"threshold": 0.8, "ngram": 2, "num_perm": 128, "merge_across_labels": False, **changed})


def dropped(result: Result) -> list[str | None]:
    found: list[str | None] = table_of(result.rows).column("dropped").to_pylist()
    return found


def shingles(text: str, ngram: int) -> set[tuple[str, ...]]:
    found = words(text.casefold())
    return {tuple(found[at : at + ngram]) for at in range(max(len(found) - ngram + 1, 1))} if found else set()


def true_pairs(texts: Sequence[str], ngram: int, threshold: float) -> dict[tuple[int, int], float]:
    sets = [shingles(text, ngram) for text in texts]
    pairs = {(a, b): len(sets[a] & sets[b]) / max(len(sets[a] | sets[b]), 1) for b in range(len(sets)) for a in range(b)}
    return {pair: score for pair, score in pairs.items() if score >= threshold}


def found_pairs(rows: Dataset, result: Result) -> dict[tuple[int, int], float]:
    place = {uid: at for at, uid in enumerate(rows["uid"])}
    assert result.evidence is not None
    return {
        (min(place[row["uid_a"]], place[row["uid_b"]]), max(place[row["uid_a"]], place[row["uid_b"]])): row["jaccard"]
        for row in result.evidence.to_pylist()
    }


def made(n_rows: int) -> list[str]:
    """Distinct texts, every third an earlier one with one word changed."""
    rng, texts = random.Random(5), list[str]()
    for at in range(n_rows):
        text = rng.choice(texts).split() if at % 3 == 2 else [f"w{rng.randrange(300)}" for _ in range(rng.randrange(4, 40))]
        text[rng.randrange(len(text))] = f"n{at}"
        texts.append(" ".join(text))
    return texts


@pytest.mark.parametrize(("ngram", "threshold"), [(1, 0.8), (2, 0.8), (3, 0.7), (2, 0.5)])
def test_against_brute_force(ngram: int, threshold: float) -> None:
    texts = made(400)
    rows = rows_of([(text, "x") for text in texts])
    result = run(rows, ngram=ngram, threshold=threshold)
    true, found = true_pairs(texts, ngram, threshold), found_pairs(rows, result)
    assert len(true) > 30
    assert found.items() <= true.items(), "every pair is exact"
    assert len(found) >= 0.95 * len(true)
    assert result.facts["pairs"] == len(found)


def test_one_word_in_twenty_is_near_by_default() -> None:
    shouted, changed = TWENTY.replace("nine ", "NINE! "), TWENTY.replace("nine ", "other ")
    assert len({TWENTY, shouted, changed}) == 3
    result = run(rows_of([(TWENTY, "x"), (shouted, "x"), (changed, "x"), ("else", "x")]))
    assert sorted(map(str, dropped(result)[:3])) == ["None", "near_duplicate", "near_duplicate"]
    assert dropped(result)[3] is None


def test_chinese_characters_are_words() -> None:
    text = "我非常喜欢这部电影因为它的故事很感人演员也很好看"
    pairs = [(text, "x"), (text.replace("感", "动"), "x"), ("我非常不喜欢这部电影", "x")]
    result = run(rows_of(pairs))
    assert result.facts["clusters"] == 1
    assert dropped(result)[2] is None


def test_short_texts_are_near_only_if_all_their_words_are() -> None:
    result = run(rows_of([("good", "x"), ("Good!", "x"), ("good film", "x"), ("", "x"), ("  ", "x"), ("👍", "x"), ("👎", "x")]), ngram=3)
    assert sorted(map(str, dropped(result)[:2])) == ["None", "near_duplicate"]
    assert dropped(result)[2:] == [None] * 5, "no words, nothing to compare"


def test_the_row_of_test_stays_then_that_of_dev() -> None:
    near = [TWENTY, TWENTY + " more", TWENTY + " less"]
    rows = rows_of([(text, "x") for text in near], ["train", "test", "dev"])
    assert dropped(run(rows)) == ["near_duplicate", None, "near_duplicate"]
    assert run(rows).facts["pairs_across_splits"] == 3
    assert dropped(run(rows.select([0, 2]))) == ["near_duplicate", None]


def test_labels_part_a_cluster_unless_told_otherwise() -> None:
    rows = rows_of([(TWENTY, "x"), (TWENTY + " more", "y"), (TWENTY, "y")])
    parted = run(rows)
    assert dropped(parted)[0] is None
    assert parted.facts == {"pairs": 3, "pairs_across_labels": 2, "pairs_across_splits": 0, "clusters": 1}
    assert parted.evidence is not None
    first = parted.evidence.to_pylist()[0]
    assert {first["label_a"], first["label_b"]} == {"x", "y"}, "pairs of two labels come first"
    assert dropped(run(rows, merge_across_labels=True)).count("near_duplicate") == 2


def test_many_copies_and_templates_stay_linear() -> None:
    texts = [TWENTY] * 3000 + [f"{TWENTY} number {at}" for at in range(3000)]
    result = run(rows_of([(text, "x") for text in texts]))
    assert dropped(result).count("near_duplicate") == 5999
    assert result.evidence is not None
    assert len(result.evidence) == 10_000


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = rows_of([(text, "xy"[at % 2]) for at, text in enumerate(made(300))])
    mixed = rows.shuffle(seed=3)
    one, two = run(rows), run(mixed)
    assert dict(zip(rows["uid"], dropped(one), strict=True)) == dict(zip(mixed["uid"], dropped(two), strict=True))
    assert one.facts == two.facts
    assert one.evidence is not None
    assert one.evidence.equals(two.evidence)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ab '-’我 \n\u2028é", max_size=14), max_size=12), st.integers(1, 4))
def test_every_pair_is_exact_whatever_the_texts(texts: list[str], ngram: int) -> None:
    rows = rows_of([(text, "x") for text in texts])
    found = found_pairs(rows, run(rows, ngram=ngram))
    assert found.items() <= true_pairs(texts, ngram, 0.8).items()
    sets = [frozenset(found) for text in texts if (found := shingles(text, ngram))]
    assert dropped(run(rows, ngram=ngram, threshold=1.0)).count("near_duplicate") == len(sets) - len(set(sets))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_banding_finds_nearly_all_at_the_threshold(threshold: float) -> None:
    bands, rows = banding(threshold, 128)
    assert bands * rows <= 128
    assert 1 - (1 - threshold**rows) ** bands >= 0.95


@pytest.mark.parametrize(("name", "value"), [("threshold", 0.1), ("threshold", 80), ("ngram", 0), ("num_perm", 8)])
def test_refuses_what_cannot_be_meant(name: str, value: float) -> None:
    with pytest.raises(Refused, match=rf"clean\.near_dedup\.{name}: must be"):
        run(rows_of([("a", "x")]), **{name: value})
