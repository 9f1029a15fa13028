"""What of a conversation is learned, token by token, and what its rows and scores are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.compare.task_scores import log_likelihood
from prepsweep.datamodule import TokenRows
from prepsweep.errors import Refused
from prepsweep.lineage import Result, dataset_of, table_of
from prepsweep.padded import inputs_of
from prepsweep.preprocess.chat import AN_ANSWER, PLAIN, THE_LAST, answer_mask, chat, chat_tokenizer, check_rows, fingerprint, rendered
from prepsweep.schema import ANSWER_MASK, source_table
from prepsweep.sources.table import Rows
from prepsweep.tasks.causal_lm_sft import IGNORED, CausalLmSft, Conversations, labels_of
from tests.writers import TURNS, made_conversations

Messages = list[dict[str, str]]
TWO_TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "capital of 中国? 👍🏽"},
    {"role": "assistant", "content": "北京"},
    {"role": "user", "content": "  北京 again\nassistant\u2028"},
    {"role": "assistant", "content": "capital of\n\nassistant"},
]


def rows_of(conversations: list[Messages], split: str = "train") -> Dataset:
    """Rows under the contract, as a file with these conversations gives them."""
    cells = pa.chunked_array([pa.array([json.dumps(one) for one in conversations])])
    given = Rows(cells, pa.chunked_array([pa.array([""] * len(cells))]), {}, where=lambda row: f"row {row}", unlabelled=True)
    rows = Conversations("messages", 3).read(given)
    splits = pa.repeat(pa.scalar(split), len(cells))
    return dataset_of(source_table(rows.texts.combine_chunks(), rows.labels.combine_chunks(), splits, dict(rows.further)))


def prepared(rows: Dataset, model: Path, *, max_length: int = 128, truncation: str = "truncate") -> Result:
    return chat(rows, checkpoint=str(model), revision=None, max_length=max_length, truncation=truncation)


def with_template(model: Path, folder: Path, template: str) -> Path:
    """The model with a chat template of its own, and the marks of it as tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>", "<|assistant|>"]})
    tokenizer.chat_template = template
    writer = AutoModelForCausalLM.from_pretrained(model)
    writer.resize_token_embeddings(len(tokenizer))
    tokenizer.save_pretrained(folder)
    writer.save_pretrained(folder)
    return folder


def learned(model: Path, row: dict[str, Any]) -> list[str]:
    """The text of each run of tokens that are learned."""
    tokenizer = chat_tokenizer(model)
    mask = np.array(row[ANSWER_MASK]) > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [tokenizer.decode(row["input_ids"][start:stop]) for start, stop in edges.reshape(-1, 2)]


def test_the_plain_template_learns_every_answer_and_its_end(tiny_writer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = prepared(rows_of([TWO_TURNS]), tiny_writer)
    (row,) = found.rows.to_list()
    assert learned(tiny_writer, row) == ["北京</s>", "capital of\n\nassistant</s>"]
    tokenizer = chat_tokenizer(tiny_writer)
    tokens = tokenizer.convert_ids_to_tokens(row["input_ids"])
    assert len(tokens) == len(row[ANSWER_MASK])
    ends = [place for place, token in enumerate(tokens) if token == "</s>"]
    assert ends[-1] == len(tokens) - 1, "nothing is read after the last answer"
    assert [row[ANSWER_MASK][place] for place in ends] == [AN_ANSWER, THE_LAST]
    assert tokenizer.decode(row["input_ids"]).startswith(
        "### System:\nBe brief.\n\n### User:\ncapital of 中国? 👍🏽\n\n### Assistant:\n北京</s>"
    )
    assert found.facts == {"template": "plain", "n_answer_tokens": sum(value > 0 for value in row[ANSWER_MASK])}


def test_the_tokenizers_own_template_is_used(tiny_writer: Path, tmp_path: Path) -> None:
    model = with_template(tiny_writer, tmp_path / "own", TURNS)
    found = prepared(rows_of([TWO_TURNS]), model)
    (row,) = found.rows.to_list()
    assert found.facts["template"] == "own"
    assert learned(model, row) == ["北京<|end|>", "capital of\n\nassistant<|end|>"]


def test_labels_stand_at_answers_and_nowhere_else(tiny_writer: Path) -> None:
    rows = prepared(rows_of([TWO_TURNS, *made_conversations(9)]), tiny_writer).rows
    task = CausalLmSft(["1 to 9"], labels=Conversations("messages", 3), max_new_tokens=4)
    given = TokenRows(rows, task, pad_token_id=0, every_window=True)
    batch = given.__getitems__(list(range(len(rows))))
    labels = labels_of(batch)
    for row, wanted in zip(rows.to_list(), labels.tolist(), strict=True):
        expected = [token if is_answer else IGNORED for token, is_answer in zip(row["input_ids"], row[ANSWER_MASK], strict=True)]
        assert wanted == expected + [IGNORED] * (labels.shape[1] - len(expected))


OFFSETS = st.lists(st.integers(1, 4), min_size=1, max_size=30)


@settings(deadline=None)
@given(OFFSETS, st.lists(st.integers(0, 60), min_size=2, max_size=6, unique=True).filter(lambda places: len(places) % 2 == 0))
def test_a_token_is_of_an_answer_if_a_character_of_it_is(lengths: list[int], places: list[int]) -> None:
    ends = np.cumsum(lengths)
    offsets = np.stack([ends - lengths, ends], axis=1)
    edges = sorted(places)
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    mask = answer_mask(offsets, spans, 100).tolist()
    for (start, stop), found in zip(offsets.tolist(), mask, strict=True):
        inside = {number for number, (first, last) in enumerate(spans) for place in range(start, stop) if first <= place < last}
        assert (found > 0) == bool(inside)
        if len(inside) == 1:
            assert (found == THE_LAST) == (inside == {len(spans) - 1})


def test_the_loss_is_that_of_a_bare_model(tiny_writer: Path) -> None:
    """Against transformers' own loss, row by row, weighted by tokens and rows; grouping by length changes nothing."""
    rows = prepared(rows_of([TWO_TURNS, *made_conversations(12)]), tiny_writer).rows
    task = CausalLmSft(["1 to 9"], labels=Conversations("messages", 3), max_new_tokens=4)
    model = task.load_model(tiny_writer).eval()
    given = TokenRows(rows, task, pad_token_id=0, every_window=True)
    batch = given.__getitems__(np.argsort(-given.lengths, kind="stable").tolist())
    batch["weights"] = torch.linspace(0.5, 2, len(rows))
    sums, counts = [], []
    for number in range(len(rows)):
        labels = labels_of(batch)[number : number + 1]
        counts.append(int((labels != IGNORED).sum()))
        ids, mask = (batch[name][number : number + 1] for name in ("input_ids", "attention_mask"))
        sums.append(model(input_ids=ids, attention_mask=mask, labels=labels).loss.item() * counts[-1])
    weights = batch["weights"].numpy()
    expected = (np.array(sums) * weights).sum() / (np.array(counts) * weights).sum()
    with torch.no_grad():
        assert float(task.training_loss(model, inputs_of(model, batch), batch)) == pytest.approx(expected, rel=1e-4)
        told = task.evaluated(model, inputs_of(model, batch), batch).numpy()
    np.testing.assert_allclose(told[:, 0], sums, rtol=1e-4)
    assert told[:, 1].tolist() == counts
    assert task.scores(told, batch["labels"].numpy())["loss"] == pytest.approx(sum(sums) / sum(counts), rel=1e-4)
    rows_said = log_likelihood(told[:, 0].astype(np.float64), told[:, 1].astype(np.float64))
    assert rows_said.mean() == pytest.approx(-sum(sums) / sum(counts), rel=1e-4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9)), min_size=2, max_size=12), st.integers(0, 11))
def test_a_rows_value_is_what_the_mean_moves_by_without_it(rows: list[tuple[float, int]], left_out: int) -> None:
    losses, counts = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    values, keep = log_likelihood(losses, counts), np.arange(len(rows)) != left_out % len(rows)
    if not counts[keep].sum():
        return
    without = -losses[keep].sum() / counts[keep].sum()
    share = counts[~keep].sum() / counts.sum()
    # Leaving a row out moves a ratio of sums by its influence over n, over what is left of the tokens.
    moved = (values.mean() - values[~keep][0]) / len(rows) / (1 - share)
    assert without == pytest.approx(values.mean() + moved, abs=1e-6)


def test_conversations_that_are_too_long(tiny_writer: Path) -> None:
    long = [{"role": "user", "content": "capital " * 40}, {"role": "assistant", "content": "北京"}]
    half = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "capital of France " * 40}]
    rows = rows_of([long, half, *made_conversations(3)[1:2]])
    found = prepared(rows, tiny_writer, max_length=40).rows.to_list()
    assert [row["dropped"] for row in found] == ["answer_cut", None, None]
    assert [row["truncated"] for row in found] == [True, True, False]
    assert [max(row[ANSWER_MASK]) for row in found] == [0, AN_ANSWER, THE_LAST], "half an answer is never the last one"
    assert all(len(row["input_ids"]) == len(row[ANSWER_MASK]) <= 40 for row in found)
    assert [row["dropped"] for row in prepared(rows, tiny_writer, max_length=40, truncation="drop").rows.to_list()] == ["too_long"] * 2 + [
        None
    ]
    held = prepared(rows_of([long, half], "test"), tiny_writer, max_length=40, truncation="drop").rows.to_list()
    assert [row["dropped"] for row in held] == [None, None], "rows of test stay"
    options = {"checkpoint": str(tiny_writer), "revision": None, "max_length": 40, "truncation": "error"}
    with pytest.raises(Refused, match="2 of 3 conversations are longer than 40 tokens"):
        chat(rows, **options)


def test_rows_that_the_tokenizer_or_the_template_misreads_are_refused(tiny_writer: Path, tmp_path: Path) -> None:
    options = {"revision": None, "max_length": 40, "truncation": "truncate"}
    bad = [{"role": "user", "content": "what does </s> do?"}, {"role": "assistant", "content": "it ends"}]
    with pytest.raises(Refused, match="1 conversations hold '</s>', which the tokenizer takes for a mark"):
        check_rows(rows_of([bad]), checkpoint=str(tiny_writer), **options)
    refusing = TURNS.replace("{% for m", "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}{% for m")
    model = with_template(tiny_writer, tmp_path / "refusing", refusing)
    with pytest.raises(Refused, match="does not take the roles system, user, assistant, user, assistant: no system here"):
        check_rows(rows_of([TWO_TURNS]), checkpoint=str(model), **options)
    rewriting = TURNS.replace("{{ m.content }}", "{{ m.content if loop.last else m.content | upper }}")
    model = with_template(tiny_writer, tmp_path / "rewriting", rewriting)
    with pytest.raises(Refused, match="writes answer 1 otherwise when the conversation goes on"):
        check_rows(rows_of([TWO_TURNS]), checkpoint=str(model), **options)


def test_a_tokenizer_without_a_template_or_an_end_is_refused(tiny_model: Path) -> None:
    with pytest.raises(Refused, match="neither a chat template nor an eos_token"):
        chat_tokenizer(tiny_model)


def test_a_model_that_sees_what_comes_is_refused(tiny_writer: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertLMHeadModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertLMHeadModel(BertConfig(vocab_size=400, **sizes)).save_pretrained(tmp_path / "bert")
    AutoTokenizer.from_pretrained(tiny_writer).save_pretrained(tmp_path / "bert")
    assert fingerprint(checkpoint=str(tmp_path / "bert"), revision=None), "its name says that it writes"
    task = CausalLmSft(["1"], labels=Conversations("messages", 3), max_new_tokens=4)
    with pytest.raises(Refused, match="its tokens see those after them"):
        task.load_model(tmp_path / "bert")


def test_the_template_is_part_of_what_the_rows_depend_on(tiny_writer: Path, tmp_path: Path) -> None:
    one, other = (
        fingerprint(checkpoint=str(with_template(tiny_writer, tmp_path / str(number), template)), revision=None)
        for number, template in enumerate((TURNS, PLAIN))
    )
    assert one != other
    assert {name for name in one if one[name] != other[name]} == {"chat_template.jinja"}


def test_answers_are_written_the_same_alone_and_in_a_batch(tiny_writer: Path) -> None:
    rows = prepared(rows_of([TWO_TURNS, *made_conversations(7)]), tiny_writer).rows
    task = CausalLmSft(["1 to 9"], labels=Conversations("messages", 3), max_new_tokens=6)
    model = task.load_model(tiny_writer).eval()
    given = TokenRows(rows, task, pad_token_id=0, every_window=True)
    with torch.no_grad():
        whole, alone = (
            torch.cat([task.evaluated(model, inputs_of(model, batch), batch) for batch in batches]).numpy()
            for batches in ([given.__getitems__(list(range(len(rows))))], [given[row] for row in range(len(rows))])
        )
    assert np.array_equal(whole[:, 4:], alone[:, 4:])
    np.testing.assert_allclose(whole[:, 0], alone[:, 0], rtol=1e-4)


def test_each_answer_is_where_the_text_has_it(tiny_writer: Path) -> None:
    text, spans = rendered(chat_tokenizer(tiny_writer), TWO_TURNS)
    assert [text[start:stop] for start, stop in spans] == ["北京</s>", "capital of\n\nassistant</s>"]
    assert table_of(rows_of([TWO_TURNS])).column("label").to_pylist() == ["capital of\n\nassistant"]
