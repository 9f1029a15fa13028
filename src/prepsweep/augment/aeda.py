"""AEDA, "an easier data augmentation" (Karimi et al. 2021, https://aclanthology.org/2021.findings-emnlp.234): stray punctuation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prepsweep.augment.values import check_whole
from prepsweep.augment.word_edits import CLOSES, SPACE, SPACELESS_WORD, Draws, Pieces, make_edited
from prepsweep.segmentation import check_segmenter, load_segmenter

if TYPE_CHECKING:
    from datasets import Dataset

_MARKS = pa.array([*(f"{mark} " for mark in ".;?:!,"), *"。；？：！，"], pa.large_string())
_N_MARKS = len(_MARKS) // 2


def aeda(dataset: Dataset, *, seed: int, segmenter: str, n_aug: int, num_proc: int) -> Dataset:
    """`n_aug` children per row: the row's text with punctuation marks put in, between 1 and a third of its words.

    How many, which words and which of the six marks `. ; ? : ! ,` are drawn evenly; a mark goes before its word with a
    space behind it, at most one to a word, as in the authors' code (which cuts at spaces and draws up to 0.3 words + 1;
    this is the paper's rule). Before Han and kana it is the full-width mark without a space. No word is lost, moved or
    changed, so this is the augmentation least likely to flip a label; where marks carry it ("great!" or "great?"), they
    can. A mark stands only at a space, so that 3.14, "it 's" and addresses stay whole; a text without words leaves as
    `unchanged`.
    """
    check(segmenter=segmenter, n_aug=n_aug)
    load_segmenter(segmenter)
    return make_edited(dataset, _marked, seed=seed, stage="aeda", segmenter=segmenter, n_aug=n_aug, num_proc=num_proc)


def check(*, segmenter: str, n_aug: int) -> None:
    """Refuse fewer than one child, and a segmenter that is not there."""
    check_whole(n_aug, where="augment.aeda.n_aug")
    check_segmenter(segmenter, where="augment.aeda")


def _marked(pieces: Pieces, draws: Draws) -> pa.StringArray:
    text_of, number, counts = pieces.text_of, pieces.number, pieces.counts
    # Draw 0 is a text's, the others its words'.
    n_marked = 1 + (draws(np.arange(len(counts)), 0) * np.maximum(1, counts // 3)).astype(np.intp)
    before, own = pieces.kinds[pieces.words - 1], pieces.kinds[pieces.words]
    free = np.flatnonzero(np.isin(before, (SPACE, CLOSES, SPACELESS_WORD)) | (own == SPACELESS_WORD))
    texts = text_of[free]
    turns = free[np.lexsort((draws(texts, 1 + 2 * number[free]), texts))]
    # In the order of turns the texts lie as before, so this is the turn of the word at each place.
    turn = np.arange(len(free)) - np.searchsorted(texts, texts)
    chosen = np.sort(turns[turn < n_marked[texts]])
    marks = (draws(text_of[chosen], 2 + 2 * number[chosen]) * _N_MARKS).astype(np.intp)
    words = pieces.words[chosen]
    marks[pieces.kinds[words] == SPACELESS_WORD] += _N_MARKS
    order = np.insert(np.arange(len(pieces.parts)), words, len(pieces.parts) + marks)
    return pieces.joined(order, more=_MARKS)
