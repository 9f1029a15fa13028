"""Batches of token ids, formed by length so that little of what is computed is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler

from prepsweep.lineage import table_of

# Rows are sorted by length within windows of this many batches: wide enough that a batch holds about one length,
# narrow enough that batches differ from epoch to epoch.
_WINDOW_BATCHES = 50


class Targets(Protocol):
    """The part of a task that turns labels into numbers."""

    def targets(self, labels: pa.ChunkedArray) -> NDArray[np.int64]: ...


class TokenRows(Dataset[dict[str, Tensor]]):
    """Token ids of a split over Arrow's own memory; a list of positions gives one padded batch."""

    def __init__(self, rows: Any, task: Targets, *, pad_token_id: int) -> None:
        table = table_of(rows)
        ids = table.column("input_ids").combine_chunks()
        self.offsets = ids.offsets.to_numpy()
        self.values = ids.values.to_numpy()
        self.lengths = np.diff(self.offsets)
        self.labels = task.targets(table.column("label"))
        self.weights = np.asarray(table.column("weight").to_numpy(), dtype=np.float32)
        self.pad_token_id = pad_token_id

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return self.__getitems__([row])

    def __getitems__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask` (n_rows, longest), `labels`, `weights` and `rows` (n_rows,)."""
        lengths = self.lengths[rows]
        shape = (len(rows), int(lengths.max()))
        ids = np.full(shape, self.pad_token_id, dtype=np.int64)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[place, :length] = self.values[self.offsets[row] : self.offsets[row] + length]
        mask = np.arange(shape[1]) < lengths[:, None]
        batch = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "labels": self.labels[rows], "weights": self.weights[rows]}
        return {name: torch.from_numpy(array) for name, array in batch.items()} | {"rows": torch.tensor(rows)}


class LengthBatches(BatchSampler):
    """Batches of rows of about one length, from the rows in the order that `sampler` gives.

    The order is cut into windows, each sorted by length and cut into batches; with a `seed` the batches are then
    shuffled, differently in each epoch. The arguments begin as Lightning needs them to put its own sampler in for
    several processes.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int, drop_last: bool, lengths: NDArray[Any], seed: int | None) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.lengths, self.seed, self.epoch = lengths, seed, 0

    def __iter__(self) -> Iterator[list[int]]:
        order = np.fromiter(iter(self.sampler), dtype=np.int64)
        window = len(order) if self.seed is None else self.batch_size * _WINDOW_BATCHES
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), max(window, 1)):
            rows = order[start : start + window]
            rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
            batches += [rows[place : place + self.batch_size] for place in range(0, len(rows), self.batch_size)]
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        if self.seed is not None:
            np.random.default_rng([self.seed, self.epoch]).shuffle(batches)
            self.epoch += 1
        return iter([batch.tolist() for batch in batches])


class PreparedData(pl.LightningDataModule):
    """Loaders over prepared token ids: train shuffled by the model seed, dev and test longest first."""

    def __init__(
        self, tokens: dict[str, Any], task: Targets, *, pad_token_id: int, batch_size: int, eval_batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.splits = {name: TokenRows(rows, task, pad_token_id=pad_token_id) for name, rows in tokens.items()}
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        rows = self.splits["train"]
        sampler = RandomSampler(rows, generator=torch.Generator().manual_seed(self.seed))
        return _loader(rows, LengthBatches(sampler, self.batch_size, False, rows.lengths, self.seed))

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return self._evaluation("dev")

    def test_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return self._evaluation("test")

    def _evaluation(self, split: str) -> DataLoader[dict[str, Tensor]]:
        rows = self.splits[split]
        return _loader(rows, LengthBatches(SequentialSampler(rows), self.eval_batch_size, False, rows.lengths, None))


def _loader(rows: TokenRows, batches: LengthBatches) -> DataLoader[dict[str, Tensor]]:
    # A batch is a few slices of memory that is there already: a worker process would cost more than it does.
    return DataLoader(rows, batch_sampler=batches, collate_fn=_as_is, pin_memory=torch.cuda.is_available())


def _as_is(batch: Any) -> Any:
    # `__getitems__` has made the batch; PyTorch types what it hands on as a list of rows.
    return batch
