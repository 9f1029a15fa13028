"""A batch that is computed in parts: the gradients and losses of the whole, whatever its rows weigh and how long they are."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch.utils.data import SequentialSampler

from prepsweep.datamodule import LengthBatches, PreparedData
from prepsweep.lineage import dataset_of, table_of
from prepsweep.module import FineTuning
from prepsweep.preprocess.chat import chat
from prepsweep.preprocess.tokenize import tokenize
from prepsweep.schema import ANSWER_MASK, MESSAGES, TOKENS
from prepsweep.step_count import StepCount
from prepsweep.tasks.causal_lm_sft import CausalLmSft, Conversations
from prepsweep.tasks.losses import cross_entropy
from prepsweep.tasks.text_classification import TextClassification
from prepsweep.tasks.token_classification import Tags, TokenClassification
from tests.conftest import make_reviews, rows_of
from tests.writers import made_conversations

RECIPE: dict[str, Any] = {"learning_rate": 0.1, "layer_decay": 1.0, "weight_decay": 0.0, "warmup_fraction": 0.1, "n_steps": 9}
CUT: dict[str, Any] = {"revision": None, "max_length": 64, "truncation": "truncate"}
N_ROWS = 10


def texts(folder: Path) -> tuple[Any, Any]:
    rows = tokenize(rows_of(make_reviews(N_ROWS), "train"), checkpoint=str(folder), stride=4, **CUT)
    return TextClassification(["fresh", "plot", "rotten"], loss=cross_entropy), rows


def tags(folder: Path) -> tuple[Any, Any]:
    words = [text.split()[: 3 + 5 * (row % 2)] for row, (text, _) in enumerate(make_reviews(N_ROWS))]
    rows = rows_of([(" ".join(of_row), json.dumps(["B-x", "O"] + ["O"] * (len(of_row) - 2))) for of_row in words], "train")
    rows = dataset_of(table_of(rows).append_column(TOKENS, pa.array(words)))
    return TokenClassification(["x"], labels=Tags("bio")), tokenize(rows, checkpoint=str(folder), stride=4, **CUT)


def chats(folder: Path) -> tuple[Any, Any]:
    turns = made_conversations(N_ROWS)
    for row, of_row in enumerate(turns):
        of_row[-1]["content"] += " yes" * (row % 3)
    rows = rows_of([("\n".join(turn["content"] for turn in of_row), of_row[-1]["content"]) for of_row in turns], "train")
    rows = dataset_of(table_of(rows).append_column(MESSAGES, pa.array([json.dumps(of_row, ensure_ascii=False) for of_row in turns])))
    task = CausalLmSft([], labels=Conversations("messages", 1), max_new_tokens=4)
    return task, chat(rows, checkpoint=str(folder), **(CUT | {"max_length": 200})).rows


def learned(module: FineTuning, data: PreparedData) -> tuple[list[torch.Tensor], float]:
    """Gradients of the first batch, as Lightning adds up those of its parts, and the loss that is told of it."""
    module.zero_grad()
    told: list[float] = []
    count = StepCount(lambda step, total, loss: told.append(float(loss)))
    trainer: Any = SimpleNamespace(accumulate_grad_batches=data.n_parts, global_step=0, max_steps=9)
    module._trainer = trainer
    parts = iter(data.train_dataloader())
    for number in range(data.n_parts):
        loss = module.training_step(next(parts), number) / data.n_parts
        loss.backward()
        trainer.global_step = int(number + 1 == data.n_parts)
        count.on_train_batch_end(trainer, module, {"loss": loss.detach()}, None, number)
    (loss_told,) = told
    return [parameter.grad.clone() for parameter in module.model.parameters() if parameter.grad is not None], loss_told


@pytest.mark.parametrize("n_parts", [2, 3, 8])
@pytest.mark.parametrize("made", [texts, tags, chats])
def test_parts_of_a_batch_add_up_to_the_whole(
    made: Any, n_parts: int, tiny_model: Path, tiny_writer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FineTuning, "log", lambda *_, **__: None)
    folder = tiny_writer if made is chats else tiny_model
    task, rows = made(folder)
    table = table_of(rows)
    rows = dataset_of(table.drop_columns("weight").append_column("weight", pa.array([0.25 + row % 4 for row in range(N_ROWS)])))
    module = FineTuning(task.load_model(folder), task, **RECIPE)
    module.model.eval()
    options = {"pad_token_id": 0, "batch_size": N_ROWS, "eval_batch_size": N_ROWS, "seed": 0}
    found = {}
    for parts in (1, n_parts):
        found[parts] = learned(module, PreparedData({"train": rows}, task, n_parts=parts, **options))
        found[parts][0].append(torch.tensor(module.take_train_loss()))
    (whole, loss), (added, told) = found[1], found[n_parts]
    assert told == pytest.approx(loss, rel=1e-5)
    for one, other in zip(whole, added, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-6)
    if made is chats:
        assert len({sum(mask > 0 for mask in of_row) for of_row in table.column(ANSWER_MASK).to_pylist()}) > 1, "rows with other votes"


def test_a_loader_knows_how_many_parts_it_gives() -> None:
    lengths = torch.arange(1, 24).numpy()
    for n_parts, batch_size, drop_last in [(1, 5, False), (3, 5, False), (8, 5, False), (4, 8, True), (3, 11, False)]:
        batches = LengthBatches(SequentialSampler(range(23)), batch_size, drop_last, lengths, 0, n_parts=n_parts)  # type: ignore[arg-type]
        parts = list(batches)
        assert len(parts) == len(batches), (n_parts, batch_size)
        n_rows = 23 - 23 % batch_size if drop_last else 23
        assert sorted(window for part in parts for window in part) == list(range(n_rows))
