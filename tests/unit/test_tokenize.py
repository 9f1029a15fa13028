"""Token ids are the tokenizer's own, unpadded, and what is cut is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from prepsweep.errors import Refused
from prepsweep.lineage import settle, table_of
from prepsweep.preprocess.tokenize import fingerprint, tokenize
from tests.conftest import make_reviews, rows_of


def test_ids_are_the_tokenizers_own_and_long_texts_are_marked(tiny_model: Path) -> None:
    pairs = [*make_reviews(30), ("great " * 50, "fresh"), ("great " * 14, "fresh"), ("", "plot")]
    rows = rows_of(pairs)
    settled = settle(rows, tokenize(rows, checkpoint=str(tiny_model), revision=None, max_length=16), stage="tokenize", group="preprocess")
    table = table_of(settled.kept)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    expected = [tokenizer(text, truncation=True, max_length=16)["input_ids"] for text, _ in pairs]
    assert table.column("input_ids").to_pylist() == expected
    whole = [len(tokenizer(text)["input_ids"]) for text, _ in pairs]
    assert table.column("truncated").to_pylist() == [n > 16 for n in whole]
    assert "text" not in table.column_names


def test_fingerprint_is_the_tokenizer_and_not_the_weights(tiny_model: Path) -> None:
    assert set(fingerprint(checkpoint=str(tiny_model), revision=None)) == {"config.json", "tokenizer.json", "tokenizer_config.json"}


def test_a_folder_without_a_model_and_a_name_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="model.name: no model in .*: it has no config.json"):
        fingerprint(checkpoint=str(tmp_path), revision=None)
    with pytest.raises(Refused, match=r"cannot get 'no-one/nothing' from the hub"):
        fingerprint(checkpoint="no-one/nothing", revision=None)
    with pytest.raises(Refused, match="the Python package 'no_such_package' is not installed. fix: pip install no-such-package"):
        fingerprint(checkpoint="pkg://no_such_package/model", revision=None)
