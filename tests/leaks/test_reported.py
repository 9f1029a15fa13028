"""Leaks that may be meant: each is planted, and reported with the exact number of its rows; clean data give none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from prepsweep.cache import Cache
from prepsweep.cli import train
from prepsweep.leaks.guards import split_leaks
from prepsweep.leaks.leak import Leak
from prepsweep.leaks.report import leaks_of_made, leaks_of_splits
from prepsweep.lineage import dataset_of, table_of
from prepsweep.pipeline import split_rows
from prepsweep.tracking import summary
from tests.conftest import compose, rows_of
from tests.leaks.bad_stages import naming
from tests.leaks.clean_sets import CLEAN, CLEAN_SETS, SPLITS, Pairs
from tests.leaks.test_refused import REFUSED, REFUSED_IN_THE_RUN, three_files, write
from tests.records import record_of

ALL = """balance or augment before the split · augment or resample on val or test · the same file as train and test ·
test a subset of train · a group in two splits · a train row later than a test row · choosing on test · fitting on other than train rows ·
compared runs with different test sets · a class missing from a split · mixing across splits · relabelled test rows ·
a child in another split than its parent · exact duplicates across splits · equal after case, space, punctuation, NFC ·
near-duplicates · one token that predicts a label · a class name inside most of its texts · row order predicts the label ·
an id predicts the label · the same text with different labels · a synonym step that inserts another class's name"""
OF_COMPARE = {"compared runs with different test sets"}

# What is planted into the clean rows, as (texts, labels, splits, further columns), and what must be said about it.
Planted = tuple[str, int, tuple[str, ...]]
TRAIN, DEV, TEST = range(420), range(420, 480), range(480, 600)


def exact(pairs: Pairs) -> list[Planted]:
    for place in range(7):
        pairs[TEST[place]] = pairs[TRAIN[place]]
    for place in range(3):
        pairs[DEV[place]] = pairs[TRAIN[9]]
    return [("same_text_across_splits", 7, ("train", "test")), ("same_text_across_splits", 3, ("train", "dev"))]


def folded(pairs: Pairs) -> list[Planted]:
    texts = [pairs[TRAIN[place]][0] for place in range(4)]
    for place, text in enumerate([texts[0].upper(), texts[1].replace(" ", "  "), f"«{texts[2]}»…", f"{texts[3]}\u200b"]):
        pairs[TEST[place]] = (text, pairs[TEST[place]][1])
    pairs[TRAIN[4]], pairs[TEST[4]] = ("Cafe\u0301 noir", "good"), ("caf\u00e9 NOIR!", "bad")
    pairs[TRAIN[5]], pairs[TEST[5]] = ("你好，世界。", "good"), ("你好世界", "bad")
    # Nothing but marks is not one text, and neither are two emoji.
    pairs[TRAIN[6]], pairs[TEST[6]], pairs[TRAIN[7]], pairs[TEST[7]] = ("...", "good"), ("!!!", "bad"), ("👍", "good"), ("👎", "bad")
    return [("same_folded_text_across_splits", 6, ("train", "test"))]


def near(pairs: Pairs) -> list[Planted]:
    long = [place for place in TRAIN if 20 <= len(pairs[place][0].split()) < 40][:6]
    longer = [place for place in TRAIN if len(pairs[place][0].split()) >= 40][:3]
    for at, place in enumerate(long):
        words = pairs[place][0].split()
        words[3 * at] = "otherwise"
        pairs[TEST[at]] = (" ".join(words), pairs[place][1])
    for at, place in enumerate(longer):
        words = pairs[place][0].split()
        del words[1]
        words.insert(20, "inserted")
        pairs[TEST[10 + at]] = (" ".join(words), pairs[place][1])
    # One word in fifteen is too many.
    for at, place in enumerate([place for place in TRAIN if len(pairs[place][0].split()) == 15][:9]):
        words = pairs[place][0].split()
        pairs[TEST[20 + at]] = (" ".join(["different", *words[1:]]), pairs[place][1])
    return [("near_duplicate_across_splits", 9, ("train", "test"))]


def token(pairs: Pairs) -> list[Planted]:
    rows = [place for place, (_, label) in enumerate(pairs) if label == "plot"][::2]
    for place in rows:
        pairs[place] = (f"{pairs[place][0]} ★", "plot")
    return [("token_predicts_label", len(rows), ("train", "dev", "test"))]


def named(pairs: Pairs) -> list[Planted]:
    rows = [place for place, (_, label) in enumerate(pairs) if label == "bad"]
    named_rows = [place for at, place in enumerate(rows) if at % 3]
    for place in named_rows:
        pairs[place] = (f"Bad: {pairs[place][0]}", "bad")
    # So the name is a token that predicts the label, too.
    return [(name, len(named_rows), ("train", "dev", "test")) for name in ("class_name_in_its_texts", "token_predicts_label")]


def conflict(pairs: Pairs) -> list[Planted]:
    for one, other in ((0, 1), (2, 3), (4, 5)):
        pairs[one], pairs[other] = (pairs[one][0], "good"), (pairs[one][0], "bad")
    return [("same_text_with_different_labels", 6, ("train",))]


REPORTED: dict[str, Callable[[Pairs], list[Planted]]] = {
    "exact duplicates across splits": exact,
    "equal after case, space, punctuation, NFC": folded,
    "near-duplicates": near,
    "one token that predicts a label": token,
    "a class name inside most of its texts": named,
    "the same text with different labels": conflict,
}
# These need the order of the file, another column, or rows that were made: see the tests below.
REPORTED_BELOW = {"row order predicts the label", "an id predicts the label", "a synonym step that inserts another class's name"}


def found_in(pairs: Pairs, splits: list[str] = SPLITS, **columns: list[str]) -> list[Leak]:
    rows = table_of(rows_of(pairs, splits, **columns))
    return leaks_of_splits(rows, rows)


def counts(leaks: list[Leak]) -> list[Planted]:
    return [(leak.name, leak.count, leak.splits) for leak in leaks]


def test_every_leak_is_planted_here() -> None:
    names = {" ".join(name.split()) for name in ALL.split("·")}
    assert len(names) == 22
    planted = {*REFUSED, *REFUSED_IN_THE_RUN, *REPORTED, *REPORTED_BELOW}
    assert planted | OF_COMPARE == names
    assert len(planted) == 22 - len(OF_COMPARE)


@pytest.mark.parametrize("name", REPORTED)
def test_reported_with_the_exact_count_and_nothing_else(name: str) -> None:
    pairs = list(CLEAN)
    planted = REPORTED[name](pairs)
    leaks = found_in(pairs)
    assert sorted(counts(leaks)) == sorted(planted)
    uids = table_of(rows_of(pairs, SPLITS)).column("uid").to_pylist()
    for leak in leaks:
        assert 1 <= len(leak.examples) == min(leak.count, 5)
        assert {SPLITS[uids.index(uid)] for uid in leak.examples} <= set(leak.splits)
        assert f"{leak.count:,}" in leak.what


def test_row_order_predicts_the_label() -> None:
    by_class = sorted(CLEAN, key=lambda pair: pair[1])
    in_turns = [(text, ("good", "bad", "plot")[place % 3]) for place, (text, _) in enumerate(CLEAN)]
    rows = table_of(rows_of(CLEAN, SPLITS))
    for ordered, n_told in ((by_class, 597), (in_turns, 597)):
        (found,) = leaks_of_splits(table_of(rows_of(ordered)), rows)
        assert counts([found]) == [("row_order_predicts_label", n_told, ("train", "dev", "test"))]


def test_an_id_predicts_the_label() -> None:
    labels = [label for _, label in CLEAN]
    number = {row: place for place, row in enumerate(sorted(range(600), key=lambda row: labels[row]))}
    for ids in ([str(number[row] + 5) for row in range(600)], [f"{labels[row]}-{row}" for row in range(600)]):
        assert counts(found_in(CLEAN, id=ids)) == [("column_predicts_label", 597, ("train", "dev", "test"))]
    assert not found_in(CLEAN, id=[str(row * 7919 % 600) for row in range(600)])
    assert not found_in(CLEAN, id=[f"author {row % 17}" for row in range(600)])


def test_a_step_that_inserts_another_class_name_or_a_test_text() -> None:
    pairs = [*CLEAN[:599], ("secret test", "good")]
    whole = rows_of(pairs, SPLITS)
    train = dataset_of(table_of(whole).slice(0, 420))
    n_others = sum(label != "bad" for _, label in CLEAN[:420])
    assert counts(leaks_of_made(table_of(whole), table_of(naming(train)))) == [
        ("made_text_in_another_split", 1, ("train", "test")),
        ("made_text_names_another_class", n_others, ("train",)),
    ]
    assert leaks_of_made(table_of(whole), table_of(train)) == []


@pytest.mark.parametrize("name", CLEAN_SETS)
def test_no_false_alarm_on_a_clean_set(name: str) -> None:
    pairs = CLEAN_SETS[name](1000)
    assert len({text for text, _ in pairs}) == 1000
    assert found_in(pairs, ["train"] * 700 + ["dev"] * 100 + ["test"] * 200) == []


@pytest.mark.parametrize("n_rows", [3, 12, 40])
def test_no_false_alarm_on_few_rows(n_rows: int) -> None:
    assert found_in(CLEAN[:n_rows], [("train", "dev", "test")[place % 3] for place in range(n_rows)]) == []


QUICK = ["clean=none", "trainer=cpu", "budget=steps", "budget.steps=1", "preprocess.tokenize.max_length=32"]


def test_a_leak_is_said_at_the_start_and_at_the_end_and_recorded(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = three_files()
    write("test.csv", [*CLEAN[:3], *CLEAN[480:]])
    command = ["data=csv", f"model.name={tiny_model}", *files, *QUICK, "logger=none"]
    assert train(command) == 0
    shown = capsys.readouterr()
    said = "3 of 123 test rows have the text of a train row"
    assert [said in line for line in shown.err.splitlines() if line.startswith("leak: ")] == [True]
    assert said in shown.out
    (run_json,) = tmp_path.glob("outputs/*/*/run.json")
    record = record_of(run_json.parent)
    (leak,) = record["data"]["leaks"]
    assert (leak["name"], leak["severity"], leak["count"], len(leak["examples"])) == ("same_text_across_splits", "high", 3, 3)
    assert summary(record)["leaks/same_text_across_splits/train-test"] == 3

    before = set(tmp_path.rglob("*"))
    assert train([*command, "guards.on_leak=refuse"]) == 2
    assert capsys.readouterr().err.startswith(f"error: data: {said}. fix: ")
    assert train([*command, "guards.on_leak=ignore"]) == 2
    assert "guards.on_leak: unknown reaction 'ignore'" in capsys.readouterr().err
    assert set(tmp_path.rglob("*")) == before


def test_a_second_look_at_the_same_content_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for _ in range(2):
        cfg, cache, stages = compose("data=csv", *three_files(), "clean=none"), Cache(Path("cache")), []
        whole, _ = split_rows(cfg, cache, stages)
        found.append(split_leaks(cfg, whole, cache, stages))
        monkeypatch.setattr("prepsweep.leaks.guards.leaks_of_splits", lambda *_: pytest.fail("looked again"))
    assert found == [[], []]


def test_of_two_copies_in_train_and_test_the_one_in_train_is_dropped() -> None:
    files = three_files()
    write("test.csv", [*CLEAN[:3], *CLEAN[480:]])
    stages: list[dict[str, object]] = []
    whole, _ = split_rows(compose("data=csv", *files, "clean=exact_dedup"), Cache(Path("cache")), stages)
    assert len(whole.of("test").dataset) == 123
    assert len(whole.of("train").dataset) == 417
    assert not set(whole.of("train").dataset["text"]) & set(whole.of("test").dataset["text"])
