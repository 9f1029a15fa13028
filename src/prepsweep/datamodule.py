"""Batches of token ids: random ones in training, in evaluation formed by length; longest rows first in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler, RandomSampler, Sampler, SequentialSampler

from prepsweep.annotate.origins import SOFT_LABEL
from prepsweep.annotate.soft_labels import decoded
from prepsweep.lineage import table_of
from prepsweep.padded import STATES, Lists
from prepsweep.preprocess.tokenize import TYPES
from prepsweep.schema import ANSWER_MASK, WORD_STARTS
from prepsweep.state_store import States

# Columns with a number for each token id: which text of a pair it is of, whether it is of an answer.
PER_TOKEN = (TYPES, ANSWER_MASK)
# In a part of a batch: what of the whole batch's loss it has.
SHARE = "share"


class Targets(Protocol):
    """The part of a task that turns labels into numbers."""

    classes: list[str]

    def targets(self, labels: pa.ChunkedArray) -> NDArray[Any]: ...


class Part(list[int]):
    """Windows of a batch that are computed together, and all windows of the `whole` batch."""

    def __init__(self, windows: Sequence[int], whole: Sequence[int]) -> None:
        super().__init__(windows)
        self.whole = whole


class TokenRows(Dataset[dict[str, Tensor]]):
    """Token ids of a split over Arrow's own memory; a list of windows gives one padded batch.

    A row is one window, its text cut to length, or under `truncation=window` several. Training takes one window of a row
    at a time (`EpochDraws`), so its epoch has as many places as there are rows; evaluation (`every_window`) takes all.
    """

    def __init__(self, rows: Any, task: Targets, *, pad_token_id: int, every_window: bool) -> None:
        table = table_of(rows)
        ids = table.column("input_ids").combine_chunks()
        in_windows = pa.types.is_list(ids.type.value_type)
        n_windows = ids.value_lengths().to_numpy() if in_windows else np.ones(len(ids), dtype=np.int64)
        self.first_window = np.concatenate([[0], np.cumsum(n_windows)])
        self.row_of = np.repeat(np.arange(len(ids)), n_windows)
        windows = ids.flatten() if in_windows else ids
        self.ids = Lists.of(windows)
        there = [name for name in PER_TOKEN if name in table.column_names]
        self.per_token = {name: Lists.of(table.column(name).combine_chunks()) for name in there}
        self.lengths = np.diff(self.ids.offsets)
        self.n_rows = len(ids)
        self.labels = task.targets(table.column("label"))
        self.starts = Lists.of(table.column(WORD_STARTS).combine_chunks()) if WORD_STARTS in table.column_names else None
        soft = SOFT_LABEL in table.column_names and table.column(SOFT_LABEL).null_count < len(table)
        self.soft_labels = decoded(table.column(SOFT_LABEL), self.labels, task.classes) if soft else None
        self.weights = np.asarray(table.column("weight").to_numpy(), dtype=np.float32)
        drawn = "sampling_weight" in table.column_names
        self.sampling_weights = np.asarray(table.column("sampling_weight").to_numpy(), dtype=np.float64) if drawn else None
        self.uids = table.column("uid")
        self.pad_token_id, self.every_window = pad_token_id, every_window
        self.states: States | None = None

    @property
    def n_tokens(self) -> NDArray[np.int64]:
        """Tokens that the model reads of each row, shape (n_rows,); what windows share counts in each."""
        return np.bincount(self.row_of, self.lengths).astype(np.int64)

    @cached_property
    def votes(self) -> NDArray[np.float64]:
        """What each window counts for in the mean loss of a batch: the weight of its row, for each word or token that is learned."""
        weights = self.weights[self.row_of].astype(np.float64)
        if self.starts is not None:
            return weights * self.starts.n_at_least(0)
        return weights * self.per_token[ANSWER_MASK].n_at_least(1) if ANSWER_MASK in self.per_token else weights

    def __len__(self) -> int:
        """Places in an epoch: Lightning shares them among the processes of a run."""
        return len(self.lengths) if self.every_window else self.n_rows

    def __getitem__(self, window: int) -> dict[str, Tensor]:
        return self.__getitems__([window])

    def __getitems__(self, windows: Sequence[int]) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask` (n_windows, longest), `labels`, `weights`, `rows` and `windows` (n_windows,).

        What rows have for each token (`PER_TOKEN`) as well, of the shape of `input_ids` and filled up with 0; where rows have soft labels,
        `soft_labels` (n_windows, n_classes); where the states of frozen layers are stored, `states` (n_windows, places, width),
        of all places or of the first; for a part of a batch its `share` of the whole, a number. For words with tags `labels` and
        `word_starts` are (n_windows, most words), filled up with -100 and -1; in evaluation as wide as the split needs, so that
        batches can be joined.
        """
        lengths, rows = self.lengths[windows], self.row_of[windows]
        ids = self.ids.padded(windows, lengths, self.pad_token_id)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        batch = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "weights": self.weights[rows]}
        batch |= {"labels": self.labels[rows]} if self.starts is None else self._of_words(self.starts, rows)
        if self.soft_labels is not None:
            batch["soft_labels"] = self.soft_labels[rows]
        batch |= {name: lists.padded(windows, lengths, 0) for name, lists in self.per_token.items()}
        if self.states is not None:
            batch[STATES] = self.states.padded(windows)
        if isinstance(windows, Part):
            batch[SHARE] = np.array(self.votes[windows].sum() / max(self.votes[windows.whole].sum(), 1e-9), np.float32)
        return {name: torch.from_numpy(array) for name, array in (batch | {"rows": rows}).items()} | {"windows": torch.tensor(windows)}

    def _of_words(self, starts: Lists, rows: NDArray[Any]) -> dict[str, NDArray[np.int64]]:
        n_words = np.diff(starts.offsets)
        width = int((n_words if self.every_window else n_words[rows]).max())
        tags = Lists(starts.offsets, self.labels)
        return {
            "labels": tags.padded(rows, n_words[rows], -100, width),
            WORD_STARTS: starts.padded(rows, n_words[rows], -1, width),
        }


@dataclass(frozen=True)
class EpochDraws:
    """Which window of which row stands at each place of a training epoch; the same in every process of a run."""

    first_window: NDArray[Any]
    p: NDArray[np.float64] | None

    @classmethod
    def of(cls, rows: TokenRows) -> EpochDraws | None:
        """None where each place is its own row and each row one window: then there is nothing to draw."""
        weights = rows.sampling_weights
        if weights is None and len(rows.lengths) == rows.n_rows:
            return None
        return cls(rows.first_window, None if weights is None else weights / weights.sum())

    def windows(self, *, seed: int, epoch: int) -> NDArray[np.int64]:
        """One window for each place: of the row there, or of a row drawn with replacement by its sampling weight."""
        # The third number keeps these draws apart from the order of the epoch.
        rng = np.random.default_rng([seed, epoch, 1])
        n_rows = len(self.first_window) - 1
        rows = np.arange(n_rows) if self.p is None else rng.choice(n_rows, size=n_rows, p=self.p)
        n_windows = np.diff(self.first_window)[rows]
        return self.first_window[rows] + (rng.random(n_rows) * n_windows).astype(np.int64)


class EpochOrder(RandomSampler):
    """All places in an order that depends on (seed, epoch) alone, so that an epoch is entered without those before it."""

    def __init__(self, rows: TokenRows, seed: int) -> None:
        super().__init__(rows)
        self.n_places, self.seed, self.epoch = len(rows), seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        # The third number keeps this order apart from the draws.
        return iter(np.random.default_rng([self.seed, self.epoch, 2]).permutation(self.n_places).tolist())


class LengthBatches(BatchSampler):
    """Batches of windows, longest first, from the places in the order that `sampler` gives.

    With a `seed`, in training, a batch is what stands together in that order, so that it is a random one; `length_groups`
    spares its padding. Without one all windows are sorted first, so that batches are of one length. A place is a window,
    or stands for the one that `draws` has put there in this epoch.
    `start` is the epoch to begin with and the number of its batches that an earlier start of the run has done; one in
    `n_parts` counts as so many, or as its rows where they are fewer.
    The arguments begin as Lightning needs them to put its own sampler in for several processes: these share the places,
    and so the draws.
    """

    def __init__(
        self,
        sampler: Sampler[int],
        batch_size: int,
        drop_last: bool,
        lengths: NDArray[Any],
        seed: int | None,
        draws: EpochDraws | None = None,
        start: tuple[int, int] = (0, 0),
        n_parts: int = 1,
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.lengths, self.seed, self.draws, self.n_parts = lengths, seed, draws, n_parts
        self.epoch, self.n_done = start

    def __len__(self) -> int:
        n_whole, n_left = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return n_whole * min(self.n_parts, self.batch_size) + min(self.n_parts, 0 if self.drop_last else n_left)

    def __iter__(self) -> Iterator[list[int]]:
        # Lightning sets the epoch too, but of the first round only after it has begun.
        if isinstance(self.sampler, (EpochOrder, DistributedSampler)):
            self.sampler.set_epoch(self.epoch)
        order = np.fromiter(iter(self.sampler), dtype=np.int64)
        if self.draws is not None and self.seed is not None:
            order = self.draws.windows(seed=self.seed, epoch=self.epoch)[order]
        if self.seed is None:
            order = order[np.argsort(-self.lengths[order], kind="stable")]
        batches = [order[place : place + self.batch_size] for place in range(0, len(order), self.batch_size)]
        batches = [batch[np.argsort(-self.lengths[batch], kind="stable")] for batch in batches]
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        parts = [part for batch in batches for part in self._parts(batch.tolist())]
        if self.seed is not None:
            parts, self.n_done = parts[self.n_done :], 0
            self.epoch += 1
        return iter(parts)

    def _parts(self, batch: list[int]) -> list[list[int]]:
        if self.n_parts == 1:
            return [batch]
        return [Part(part.tolist(), batch) for part in np.array_split(batch, min(self.n_parts, len(batch)))]


class PreparedData(pl.LightningDataModule):
    """Loaders over prepared token ids: train shuffled by the model seed, dev and test sorted by length."""

    def __init__(
        self,
        tokens: dict[str, Any],
        task: Targets,
        *,
        pad_token_id: int,
        batch_size: int,
        eval_batch_size: int,
        seed: int,
        n_parts: int = 1,
    ) -> None:
        super().__init__()
        self.splits = {
            name: TokenRows(rows, task, pad_token_id=pad_token_id, every_window=name != "train") for name, rows in tokens.items()
        }
        self.batch_size, self.eval_batch_size, self.seed, self.n_parts = batch_size, eval_batch_size, seed, n_parts
        self.start = (0, 0)

    def uids(self, split: str, rows: Any) -> list[str]:
        """Uids of the rows of a split with these numbers."""
        found: list[str] = self.splits[split].uids.take(pa.array(np.asarray(rows))).to_pylist()
        return found

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        rows = self.splits["train"]
        order, draws = EpochOrder(rows, self.seed), EpochDraws.of(rows)
        return _loader(rows, LengthBatches(order, self.batch_size, False, rows.lengths, self.seed, draws, self.start, self.n_parts))

    def val_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return self._evaluation("dev")

    def test_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        return self._evaluation("test")

    def _evaluation(self, split: str) -> DataLoader[dict[str, Tensor]]:
        rows = self.splits[split]
        return _loader(rows, LengthBatches(SequentialSampler(rows), self.eval_batch_size, False, rows.lengths, None))


def _loader(rows: TokenRows, batches: LengthBatches) -> DataLoader[dict[str, Tensor]]:
    # A batch is a few slices of memory that is there already: a worker process would cost more than it does.
    # A loader draws a number whenever it starts: with a generator of its own, a validation leaves those of training alone.
    return DataLoader(rows, batch_sampler=batches, collate_fn=_as_is, pin_memory=torch.cuda.is_available(), generator=torch.Generator())


def _as_is(batch: Any) -> Any:
    # `__getitems__` has made the batch; PyTorch types what it hands on as a list of rows.
    return batch
