"""Token ids are the tokenizer's own, unpadded, and each policy does with long texts what it says, and counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from prepsweep.errors import Refused
from prepsweep.lineage import Result, Settled, settle, table_of
from prepsweep.preprocess.tokenize import check, fingerprint, refuses_when_run, tokenize
from tests.conftest import make_reviews, rows_of

LONG = [
    ("great " * 50, "fresh"),
    ("dull " * 14, "rotten"),
    ("dull " * 15, "rotten"),
    ("", "plot"),
    ("我喜欢\u2028👍🏽" * 9, "plot"),
    ("  ", "plot"),
]


def options(model: Path, *, truncation: str = "truncate", max_length: int = 16, stride: int = 4) -> dict[str, Any]:
    return {"checkpoint": str(model), "revision": None, "max_length": max_length, "truncation": truncation, "stride": stride}


def settled(rows: Dataset, **given: Any) -> Settled:
    result = tokenize(rows, **given)
    return settle(rows, result.rows if isinstance(result, Result) else result, stage="tokenize", group="preprocess")


def test_ids_are_the_tokenizers_own_and_long_texts_are_marked(tiny_model: Path) -> None:
    pairs = [*make_reviews(30), *LONG]
    table = table_of(settled(rows_of(pairs), **options(tiny_model)).kept)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    expected = [tokenizer(text, truncation=True, max_length=16)["input_ids"] for text, _ in pairs]
    assert table.column("input_ids").to_pylist() == expected
    whole = [len(tokenizer(text)["input_ids"]) for text, _ in pairs]
    assert table.column("truncated").to_pylist() == [n > 16 for n in whole]
    assert "text" not in table.column_names


@pytest.mark.parametrize("truncation", ["truncate", "drop", "window"])
def test_a_data_set_without_rows_and_one_of_many_parts(truncation: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of([*make_reviews(30), *LONG], "train")
    whole = table_of(settled(rows, **options(tiny_model, truncation=truncation)).kept)
    monkeypatch.setattr("prepsweep.preprocess.tokenize._ROWS_AT_ONCE", 7)
    assert table_of(settled(rows, **options(tiny_model, truncation=truncation)).kept).equals(whole)
    assert len(settled(rows.select([]), **options(tiny_model, truncation=truncation)).kept) == 0


def test_drop_lets_long_train_rows_leave_and_cuts_those_of_dev_and_test(tiny_model: Path) -> None:
    pairs = [*make_reviews(10), ("great " * 50, "fresh")]
    counts = {}
    for split in ("train", "dev", "test"):
        found = settled(rows_of(pairs, split), **options(tiny_model, truncation="drop"))
        n_long = sum(table_of(settled(rows_of(pairs, split), **options(tiny_model)).kept).column("truncated").to_pylist())
        assert n_long >= 1
        counts[split] = (found.counts["dropped"], sum(table_of(found.kept).column("truncated").to_pylist()))
        assert (split == "train") == (found.counts["rows_out"] == len(pairs) - n_long)
        expected = ({"too_long": n_long}, 0) if split == "train" else ({}, n_long)
        assert counts[split] == expected
        if split == "train":
            assert found.counts["per_class"]["train"]["fresh"]["dropped"]["too_long"] >= 1


def test_drop_never_empties_a_class(tiny_model: Path) -> None:
    rows = rows_of([("great", "fresh"), ("killer " * 30, "plot"), ("town " * 30, "plot")], "train")
    with pytest.raises(Refused, match="drop leaves no train row of class 'plot': all are longer than 16 tokens. fix: raise .*max_length"):
        tokenize(rows, **options(tiny_model, truncation="drop"))


def test_error_names_the_count_the_longest_and_the_fix(tiny_model: Path) -> None:
    rows = rows_of([("great", "fresh"), ("great " * 50, "fresh"), ("dull " * 15, "rotten"), ("dull " * 14, "rotten")], "dev")
    expected = (
        r"preprocess.tokenize: 2 of 4 rows are longer than 16 tokens, the longest has 52. "
        r"fix: raise preprocess.tokenize.max_length, or set preprocess.tokenize.truncation to truncate, drop or window"
    )
    with pytest.raises(Refused, match=expected):
        tokenize(rows, **options(tiny_model, truncation="error"))
    tokenize(rows.select([0, 3]), **options(tiny_model, truncation="error"))
    assert [refuses_when_run(truncation=one) for one in ("error", "truncate", "drop", "window")] == [True, False, False, False]


def test_windows_keep_every_token_and_share_the_stride(tiny_model: Path) -> None:
    pairs = [*make_reviews(30), *LONG]
    rows = rows_of(pairs, "train")
    result = tokenize(rows, **options(tiny_model, truncation="window"))
    assert isinstance(result, Result)
    table = table_of(settle(rows, result.rows, stage="tokenize", group="preprocess").kept)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    n_windows, in_windows = 0, {"fresh": 0, "rotten": 0, "plot": 0}
    for windows, (text, label) in zip(table.column("input_ids").to_pylist(), pairs, strict=True):
        whole = tokenizer(text)["input_ids"]
        inner = [window[1:-1] for window in windows]
        assert {(window[0], window[-1]) for window in windows} == {(whole[0], whole[-1])}, "special tokens in every window"
        assert max(map(len, windows)) <= 16
        joined = inner[0] + [token for window in inner[1:] for token in window[4:]]
        assert joined == whole[1:-1]
        n_windows += len(windows)
        in_windows[label] += len(windows) > 1
    assert result.facts == {"n_windows": n_windows, "rows_in_windows": {label: n for label, n in sorted(in_windows.items()) if n}}
    assert not any(table.column("truncated").to_pylist()), "nothing is cut"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(text=st.text(max_size=120), max_length=st.integers(3, 40), data=st.data())
def test_windows_of_any_text_and_size_give_the_text_back(text: str, max_length: int, data: st.DataObject, tiny_model: Path) -> None:
    stride = data.draw(st.integers(0, max(max_length // 2 - 1, 0)))
    check(**options(tiny_model, truncation="window", max_length=max_length, stride=stride))
    found = settled(rows_of([(text, "a")]), **options(tiny_model, truncation="window", max_length=max_length, stride=stride)).kept
    (windows,) = table_of(found).column("input_ids").to_pylist()
    inner = [window[1:-1] for window in windows]
    whole = AutoTokenizer.from_pretrained(tiny_model)(text)["input_ids"]
    assert inner[0] + [token for window in inner[1:] for token in window[stride:]] == whole[1:-1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"truncation": "windows"}, "preprocess.tokenize.truncation: unknown policy 'windows'. fix: did you mean 'window'?"),
        ({"truncation": "window", "stride": 8}, "fewer than half of max_length=16, got 8. fix: try preprocess.tokenize.stride=4"),
        ({"truncation": "window", "stride": -1}, "got -1"),
        ({"max_length": 2}, "preprocess.tokenize.max_length: must be at least 3, got 2"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(given: dict[str, Any], message: str, tiny_model: Path) -> None:
    with pytest.raises(Refused) as refused:
        check(**options(tiny_model, **given))
    assert message in str(refused.value)


def test_the_stride_says_nothing_without_windows(tiny_model: Path) -> None:
    check(**options(tiny_model, stride=99))


def test_fingerprint_is_the_tokenizer_and_not_the_weights(tiny_model: Path) -> None:
    assert set(fingerprint(checkpoint=str(tiny_model), revision=None)) == {"config.json", "tokenizer.json", "tokenizer_config.json"}


def test_a_folder_without_a_model_and_a_name_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="model.name: no model in .*: it has no config.json"):
        fingerprint(checkpoint=str(tmp_path), revision=None)
    with pytest.raises(Refused, match=r"cannot get 'no-one/nothing' from the hub"):
        fingerprint(checkpoint="no-one/nothing", revision=None)
    with pytest.raises(Refused, match="the Python package 'no_such_package' is not installed. fix: pip install no-such-package"):
        fingerprint(checkpoint="pkg://no_such_package/model", revision=None)
