"""Pairs of texts as token ids: cut as the tokenizer would, with types for the models that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from tokenizers import processors
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from prepsweep.datamodule import TokenRows
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of
from prepsweep.padded import inputs_of
from prepsweep.preprocess.tokenize import check_rows, tokenize
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from tests.conftest import rows_of
from tests.unit.test_pairs import AWKWARD, dropped, pairs_of


def options(model: Path, *, truncation: str = "truncate", max_length: int = 16) -> dict[str, Any]:
    return {"checkpoint": str(model), "revision": None, "max_length": max_length, "truncation": truncation}


def tokens(rows: Dataset, model: Path, **given: Any) -> pa.Table:
    made = tokenize(rows, **options(model, **given), stride=0)
    return table_of(made.rows if isinstance(made, Result) else made)


EVERY_PAIR = [(one, other, "x") for one in AWKWARD for other in AWKWARD]


@pytest.mark.parametrize("max_length", [6, 7, 16, 64])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_pair_is_cut_as_the_tokenizer_would_and_both_kinds_of_ids_stay_one_length(
    side: str, max_length: int, tiny_model: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, truncation_side=side)
    BertForSequenceClassification.from_pretrained(tiny_model).config.save_pretrained(tmp_path / side)
    tokenizer.save_pretrained(tmp_path / side)
    table = tokens(pairs_of(EVERY_PAIR), tmp_path / side, max_length=max_length)
    # As lists: to a tokenizer a single "" is no second text.
    ones, others = [one for one, _, _ in EVERY_PAIR], [other for _, other, _ in EVERY_PAIR]
    whole = [len(ids) for ids in tokenizer(ones, others)["input_ids"]]
    expected = tokenizer(ones, others, truncation="longest_first", max_length=max_length, return_token_type_ids=True)
    for name in ("input_ids", "token_type_ids"):
        assert table.column(name).to_pylist() == expected[name]
    assert table.column("truncated").to_pylist() == [n > max_length for n in whole]
    assert not {"text", "text_pair"} & set(table.column_names)


def test_rows_without_a_second_text_have_no_types(tiny_model: Path) -> None:
    assert "token_type_ids" not in tokens(rows_of([("great", "x")]), tiny_model).column_names
    assert tokens(pairs_of([("a", "b", "x")]).select([]), tiny_model).schema.field("token_type_ids").type == pa.list_(pa.int8())


def test_a_tokenizer_that_does_not_number_its_texts(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    ends = [(sign, tokenizer.convert_tokens_to_ids(sign)) for sign in ("[SEP]", "[CLS]")]
    tokenizer.backend_tokenizer.post_processor = processors.RobertaProcessing(*ends)
    tokenizer.save_pretrained(tmp_path / "roberta")
    RobertaConfig().save_pretrained(tmp_path / "roberta")
    table = tokens(pairs_of(EVERY_PAIR), tmp_path / "roberta", max_length=9)
    assert "token_type_ids" not in table.column_names
    assert max(map(len, table.column("input_ids").to_pylist())) == 9


def test_long_pairs_leave_or_are_refused_and_windows_are_not_for_pairs(tiny_model: Path) -> None:
    rows = pairs_of([("great", "film", "x"), ("great " * 9, "film " * 9, "x"), ("great film", "film", "y")], "train")
    made = tokenize(rows, **options(tiny_model, truncation="drop"), stride=0)
    assert dropped(made) == [None, "too_long", None]
    with pytest.raises(Refused, match="1 of 3 rows are longer than 16 tokens, the longest has 21"):
        tokenize(rows, **options(tiny_model, truncation="error"), stride=0)
    for refuses in (check_rows, lambda rows, **given: tokenize(rows, **given, stride=0)):
        with pytest.raises(Refused, match=r"preprocess.tokenize.truncation: texts are not read in windows where they are pairs"):
            refuses(rows, **options(tiny_model, truncation="window"))
        with pytest.raises(Refused, match=r"preprocess.tokenize.max_length: must be at least 6 for pairs"):
            refuses(rows, **options(tiny_model, max_length=5))


def test_a_model_is_given_the_types_that_it_reads(tiny_model: Path) -> None:
    rows = pairs_of([("great", "film", "x"), ("a great film", "a story of it", "y")])
    made = tokenize(rows, **options(tiny_model), stride=0)
    assert not isinstance(made, Result)
    task = TextClassification(["x", "y"], loss=cross_entropy)
    batch = TokenRows(made, task, pad_token_id=0, every_window=False).__getitems__([0, 1])
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]
    size = {"vocab_size": 120, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "intermediate_size": 8}
    torch.manual_seed(0)
    bert = BertForSequenceClassification(BertConfig(**size, initializer_range=1.0)).eval()
    others = [
        RobertaForSequenceClassification(RobertaConfig(**size, type_vocab_size=1, max_position_embeddings=40)),
        DistilBertForSequenceClassification(DistilBertConfig(vocab_size=120, dim=8, hidden_dim=8, n_heads=2, n_layers=1)),
    ]
    assert set(inputs_of(bert, batch)) == {"input_ids", "attention_mask", "token_type_ids"}
    with torch.no_grad():
        untold = bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        assert not torch.allclose(bert(**inputs_of(bert, batch)).logits, untold, atol=1e-6), "the types change what is read"
        for model in others:
            assert set(inputs_of(model, batch)) == {"input_ids", "attention_mask"}
            assert model.eval()(**inputs_of(model, batch)).logits.shape == (2, 2)
