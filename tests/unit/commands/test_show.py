"""`prepsweep show`: before and after of a stage, and the words that differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepsweep.cli import main
from prepsweep.examples import around_changes, examples_of, word_changes
from prepsweep.walk import walk
from tests.conftest import make_reviews

TEXTS = st.text(st.sampled_from("ab ,.你好\n\u2028👍"), max_size=30)


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    rows = [*make_reviews(60), *((f"<i>{text}</i>", label) for text, label in make_reviews(5, seed=1)), make_reviews(1)[0]]
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return ["data=csv", "data.path=data.csv"]


@given(TEXTS, TEXTS)
def test_spans_give_both_texts_back(before: str, after: str) -> None:
    spans = word_changes(before, after)
    assert "".join(span.text for span in spans if span.kind != "new") == before
    assert "".join(span.text for span in spans if span.kind != "gone") == after


def test_a_replaced_word_is_the_only_difference() -> None:
    spans = word_changes("a fine film, really", "a good film, really")
    assert [(span.kind, span.text) for span in spans] == [("same", "a "), ("gone", "fine"), ("new", "good"), ("same", " film, really")]


def test_long_texts_are_compared_in_no_time_and_cut_around_the_change() -> None:
    text = "word " * 20_000
    spans = around_changes(word_changes(f"{text}old {text}", f"{text}new {text}"))
    assert [span.text for span in spans if span.kind != "same"] == ["old", "new"]
    assert sum(len(span.text) for span in spans) < 200
    different = word_changes("a b " * 20_000, "c d " * 20_000)
    assert {span.kind for span in different} <= {"gone", "new", "same"}


def test_each_kind_of_change_is_counted_and_sampled(data: list[str]) -> None:
    cleaned = walk([*data, "clean=[strip_markup,exact_dedup]", "augment=duplicate", "balance=class_weights"])
    kinds = {step.where: examples_of(step, n=2) for step in cleaned.steps[1:]}
    n_changed, sample = kinds["clean.strip_markup"]["text changed"]
    assert (n_changed, len(sample)) == (5, 2)
    assert all(f"<i>{example.after}</i>" == example.before for example in sample)
    assert [(n, [example.note for example in sample]) for n, sample in [kinds["clean.exact_dedup"]["dropped"]]] == [(1, ["duplicate"])]
    assert kinds["split.stratified"]["split changed"][0] == 65
    n_made, made = kinds["augment.duplicate"]["added"]
    assert n_made == len(cleaned.of("augment.duplicate")[0].before.dataset)  # type: ignore[union-attr]
    assert made[0].before == made[0].after
    assert kinds["balance.class_weights"]["weight changed"][0] > 0


def test_the_sample_is_the_same_each_time(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for _ in range(2):
        assert main(["show", "clean.strip_markup", "--n=3", *data]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "clean.strip_markup: 66 rows in, 0 added, 0 dropped, 66 out" in shown[0]
    assert "text changed: 5 rows, 3 of them" in shown[0]
    assert shown[0].count("[-<i>-]") == 3


def test_a_stage_that_is_configured_stands_where_it_is(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "clean.exact_dedup", *data, "clean=[strip_markup,exact_dedup]"]) == 0
    assert "dropped: 1 rows" in capsys.readouterr().out
    assert main(["show", "clean.exact_dedup", *data, "clean=strip_markup"]) == 2
    assert "no stage 'clean.exact_dedup' in this configuration" in capsys.readouterr().err


def test_a_stage_that_is_put_in_takes_its_options(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "augment.duplicate", *data, "augment.duplicate.n_copies=2", "split.stratified.test_fraction=0.3"]) == 0
    assert "augment.duplicate: 39 rows in, 78 added" in capsys.readouterr().out


def test_a_stage_that_does_nothing_says_so(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "clean.normalize_unicode", *data]) == 0
    assert "no row was changed, added or dropped" in capsys.readouterr().out
