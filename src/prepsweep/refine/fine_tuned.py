"""Probabilities of the classes of every row by the model that is to be fine-tuned itself, trained without the row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.checkpoints import MODEL_FILES, checkpoint_folder
from prepsweep.length_groups import logits_by_length
from prepsweep.padded import Lists
from prepsweep.pretrained import hardware_of
from prepsweep.progress import track
from prepsweep.randomness import draw_order, row_rng
from prepsweep.schema import text_columns
from prepsweep.tasks.heads import sequence_head

if TYPE_CHECKING:
    from torch import Tensor

_STAGE = "label_errors"
_WARMUP = 0.1
_ROWS_A_STEP = 32


@dataclass(frozen=True)
class Inputs:
    """What the tokenizer made of each row, by the name that the model knows it under, and the id that fills rows up."""

    columns: dict[str, Lists]
    lengths: NDArray[np.int64]
    pad: int

    def batch(self, rows: NDArray[np.intp], device: str) -> dict[str, Tensor]:
        import torch

        lengths, padding = self.lengths[rows], {"input_ids": self.pad}
        parts = {name: column.padded(rows, lengths, padding.get(name, 0)) for name, column in self.columns.items()}
        return {name: torch.from_numpy(part).to(device) for name, part in parts.items()}

    def longest_first(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return rows[np.argsort(-self.lengths[rows], kind="stable")]


def cross_fine_tuned(
    rows: pa.Table,
    codes: NDArray[np.intp],
    folds: NDArray[np.intp],
    *,
    checkpoint: str,
    revision: str | None,
    max_length: int,
    batch_size: int,
    device: str,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> NDArray[np.float64]:
    """Class probabilities of each row, shape (n, classes), by `checkpoint` fine-tuned without the row's fold: a training for each fold.

    AdamW with linear warm-up and decay, 32 rows a step. Order, head and dropout are drawn from `seed`: the same rows give the
    same bits on one CPU. `codes` count the classes from 0, and each class is in at least two folds.
    """
    import torch

    where = f"refine.{_STAGE}.fine_tuned"
    folder = checkpoint_folder(checkpoint, revision=revision, patterns=MODEL_FILES, where=where)
    inputs, hardware = _tokenized(rows, folder, max_length), hardware_of(device)
    uids = np.asarray(rows.column("uid").to_pylist(), dtype=object)
    found = np.zeros((len(codes), int(codes.max()) + 1))
    with torch.random.fork_rng(devices=[hardware] if hardware.startswith("cuda") else []):
        for fold in np.unique(folds).tolist():
            torch.manual_seed(row_rng(seed, _STAGE, f"fold {fold}").getrandbits(63))
            model = sequence_head(folder, [str(code) for code in range(found.shape[1])]).to(hardware)
            known, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            orders = [known[draw_order(uids[known].tolist(), seed=seed, stage=f"{_STAGE} {fold} {epoch}")] for epoch in range(epochs)]
            steps = [order[at : at + _ROWS_A_STEP] for order in orders for at in range(0, len(order), _ROWS_A_STEP)]
            name = f"fine-tuning without fold {fold + 1}"
            _train(model, inputs, codes, steps, learning_rate=learning_rate, hardware=hardware, description=name)
            _predict(model, inputs, held_out, found, batch_size=batch_size, hardware=hardware)
    return found


def _train(
    model: Any,
    inputs: Inputs,
    codes: NDArray[np.intp],
    steps: list[NDArray[np.intp]],
    *,
    learning_rate: float,
    hardware: str,
    description: str,
) -> None:
    import torch

    from prepsweep.optimizer import adamw, warmed_up

    optimizer = adamw(model, learning_rate=learning_rate, layer_decay=1.0, weight_decay=0.01)
    schedule = warmed_up(optimizer, n_warmup=round(_WARMUP * len(steps)), n_steps=len(steps))
    model.train()
    for drawn in track(steps, description):
        rows = inputs.longest_first(drawn)
        logits = logits_by_length(model, inputs.batch(rows, hardware))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(codes[rows]).to(hardware))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _predict(model: Any, inputs: Inputs, rows: NDArray[np.intp], found: NDArray[np.float64], *, batch_size: int, hardware: str) -> None:
    """Put the class probabilities of `rows` into `found`."""
    import torch

    rows = inputs.longest_first(rows)
    model.eval()
    with torch.inference_mode():
        for some in (rows[at : at + batch_size] for at in range(0, len(rows), batch_size)):
            found[some] = model(**inputs.batch(some, hardware)).logits.double().softmax(dim=-1).cpu().numpy()


def _tokenized(rows: pa.Table, folder: Path, max_length: int) -> Inputs:
    from transformers import AutoConfig, AutoTokenizer

    longest = min(max_length, getattr(AutoConfig.from_pretrained(folder), "max_position_embeddings", max_length))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [rows.column(name).to_pylist() for name in text_columns(rows.column_names)]
    read = tokenizer(*texts, truncation=True, max_length=longest)
    columns = {name: Lists.of(pa.array(values, pa.list_(pa.int64()))) for name, values in read.items()}
    return Inputs(columns, np.diff(columns["input_ids"].offsets), tokenizer.pad_token_id or 0)
