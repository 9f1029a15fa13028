"""Word noise: words left out, and neighbours that change places."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.augment.values import check_fraction, check_whole
from prepsweep.augment.word_edits import Draws, Pieces, make_edited, without_words
from prepsweep.errors import Refused
from prepsweep.segmentation import check_segmenter, load_segmenter

if TYPE_CHECKING:
    from datasets import Dataset


def word_noise(dataset: Dataset, *, seed: int, p_swap: float, p_delete: float, segmenter: str, n_aug: int, num_proc: int) -> Dataset:
    """`n_aug` children per row: each word deleted with `p_delete`; of those left, each changes places with the next with `p_swap`.

    The noise of Lample et al. 2018 (https://arxiv.org/abs/1711.00043), but a word moves one place at most. Where chance
    leaves a text as it was, one edit is made at a random place: a deletion or a swap, in the ratio of `p_delete` to
    `p_swap`. One word always stays; marks stay in their place, and a deleted word takes the space before it along.

    Nothing here looks for an antonym, but a label can hang on one word: to delete "not" flips it. Long texts forgive
    this, short ones do not, so keep `p_delete` low for them. A text of one word or none leaves as `unchanged`.
    """
    check(p_swap=p_swap, p_delete=p_delete, segmenter=segmenter, n_aug=n_aug)
    load_segmenter(segmenter)
    edit = partial(_noised, p_swap=p_swap, p_delete=p_delete)
    return make_edited(dataset, edit, seed=seed, stage="word_noise", segmenter=segmenter, n_aug=n_aug, num_proc=num_proc)


def check(*, p_swap: float, p_delete: float, segmenter: str, n_aug: int) -> None:
    """Refuse values that edit nothing, and a segmenter that is not there."""
    check_fraction(p_swap, where="augment.word_noise.p_swap", try_value=0.1)
    check_fraction(p_delete, where="augment.word_noise.p_delete", try_value=0.1)
    if not p_swap and not p_delete:
        raise Refused("augment.word_noise", "makes no noise: p_swap and p_delete are both 0", "set one, or use augment=none")
    check_whole(n_aug, where="augment.word_noise.n_aug")
    check_segmenter(segmenter, where="augment.word_noise")


def _noised(pieces: Pieces, draws: Draws, *, p_swap: float, p_delete: float) -> pa.StringArray:
    text_of, number, counts = pieces.text_of, pieces.number, pieces.counts
    # Draws 0 and 1 are a text's, the others its words'.
    some_edit, some_word = (draws(np.arange(len(counts)), which) for which in (0, 1))
    gone = draws(text_of, 2 + 2 * number) < p_delete
    n_left = counts - np.bincount(text_of[gone], minlength=len(counts))
    gone &= (n_left[text_of] > 0) | (number != (some_word * counts).astype(np.intp)[text_of])
    stays = np.flatnonzero(~gone)
    firsts = np.flatnonzero(_swapped(draws(text_of, 3 + 2 * number)[stays] < p_swap, text_of[stays]))
    firsts, seconds = stays[firsts], stays[firsts + 1]
    untouched = counts > 1
    untouched[text_of[gone]] = untouched[text_of[firsts]] = False
    deletes = untouched & (some_edit < p_delete / (p_delete + p_swap))
    n_choices = np.where(deletes, counts, counts - 1)
    chosen = untouched[text_of] & (number == (some_word * n_choices).astype(np.intp)[text_of])
    gone |= chosen & deletes[text_of]
    swaps = np.flatnonzero(chosen & ~deletes[text_of])
    firsts, seconds = pieces.words[np.append(firsts, swaps)], pieces.words[np.append(seconds, swaps + 1)]
    order = np.arange(len(pieces.parts))
    order[firsts], order[seconds] = seconds, firsts
    return pieces.joined(order[without_words(pieces, gone)])


def _swapped(hit: NDArray[np.bool_], text_of: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which words change places with the next one of their text: of those hit, none that has just done so with the one before it."""
    hit = hit & (np.append(text_of[1:], -1) == text_of)
    before = np.maximum.accumulate(np.where(hit, -1, np.arange(len(hit))))  # The last that was not hit, -1 for none.
    swapped: NDArray[np.bool_] = hit & ((np.arange(len(hit)) - before) % 2 == 1)
    return swapped
