"""Edits of the words of many texts at once: their pieces as arrays, and texts made of pieces in a new order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.augment.children import make_in_batches
from prepsweep.augment.edits import OPENS
from prepsweep.randomness import row_keys, uniform
from prepsweep.segmentation import SPACELESS, cut
from prepsweep.word_arrays import marked

if TYPE_CHECKING:
    from datasets import Dataset

Places = NDArray[np.intp]
# What a piece is; CLOSES is a piece behind each text that belongs to none.
MARK, SPACE, OPENING, CLOSES, WORD, SPACELESS_WORD = range(6)


@dataclass(frozen=True)
class Pieces:
    """The pieces of all texts one after the other, as `segmentation.cut` has them, and where among them the words are."""

    parts: pa.LargeStringArray
    kinds: NDArray[np.uint8]
    words: Places
    text_of: Places
    """The text of each word, and its number in there from 0."""
    number: Places
    counts: NDArray[np.int64]
    """How many words each text has."""

    def joined(self, order: Places, more: pa.LargeStringArray | None = None) -> pa.StringArray:
        """The texts made of the pieces at the places `order`; places behind the last piece are those of `more`."""
        kinds, parts = self.kinds, self.parts
        if more is not None:
            kinds, parts = np.append(kinds, np.full(len(more), MARK, np.uint8)), pa.concat_arrays([parts, more])
        closes = kinds[order] == CLOSES
        chosen = parts.take(pa.array(order[~closes]))
        offsets = np.frombuffer(chosen.buffers()[1], dtype=np.int64)
        # So many pieces lie before the end of each text once the closing ones are gone.
        ends = np.flatnonzero(closes) - np.arange(len(self.counts))
        buffers = pa.py_buffer(offsets[np.concatenate([[0], ends])]), chosen.buffers()[2]
        return pa.LargeStringArray.from_buffers(len(ends), *buffers).cast(pa.string())


@dataclass(frozen=True)
class Draws:
    """Numbers in [0, 1) of each text: `draws(texts, numbers)` has one for each pair, always the same."""

    keys: NDArray[np.uint64]

    def __call__(self, texts: Places, numbers: Places | int) -> NDArray[np.float64]:
        return uniform(self.keys[texts], numbers)


Edit = Callable[[Pieces, Draws], pa.StringArray]


def make_edited(dataset: Dataset, edit: Edit, *, seed: int, stage: str, segmenter: str, n_aug: int, num_proc: int) -> Dataset:
    """`dataset` followed by `n_aug` children per row, whose texts `edit` makes; it must be picklable and judge each text by itself."""
    edited = partial(_edited, edit=edit, seed=seed, stage=stage, segmenter=segmenter, n_aug=n_aug)
    return make_in_batches(dataset, edited, stage=stage, num_proc=num_proc)


def _edited(
    uids: list[str], texts: list[str], *, edit: Edit, seed: int, stage: str, segmenter: str, n_aug: int
) -> tuple[pa.StringArray, NDArray[np.int64]]:
    keys = row_keys(uids, seed=seed, stage=stage, n_each=n_aug)
    several = [text for text in texts for _ in range(n_aug)]
    plain = np.fromiter(map(str.isascii, several), bool, len(several))
    made, places = [], []
    for rows, pieces_of in ((np.flatnonzero(plain), ascii_pieces), (np.flatnonzero(~plain), partial(cut_pieces, segmenter=segmenter))):
        if len(rows):
            made.append(edit(pieces_of([several[row] for row in rows.tolist()]), Draws(keys[rows])))
            places.append(rows)
    children = made[0] if len(made) == 1 else pa.concat_arrays(made).take(pa.array(np.argsort(np.concatenate(places))))
    return children, np.full(len(texts), n_aug)


def ascii_pieces(texts: list[str]) -> Pieces:
    """Pieces of texts in ASCII, with which no segmenter has to do."""
    points, inside, begins = marked(texts)
    kinds = _ASCII_KINDS[points]
    space = kinds == SPACE
    begins |= ~inside
    begins[1:] &= ~(space[1:] & space[:-1])
    closes = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1) - 1
    begins[closes] = True
    begins[closes[:-1] + 1] = True
    at = np.flatnonzero(begins)
    offsets = np.append(at, len(points))
    parts = pa.LargeStringArray.from_buffers(len(at), pa.py_buffer(offsets), pa.py_buffer(points))
    return _pieces(parts, kinds[at], np.searchsorted(at, closes))


def cut_pieces(texts: list[str], segmenter: str) -> Pieces:
    """Pieces of any texts."""
    cuts = [cut(text, segmenter) for text in texts]
    parts = [part for pieces in cuts for part in (*pieces, "\n")]
    closes = np.cumsum(np.fromiter(map(len, cuts), np.int64, len(cuts)) + 1) - 1
    return _pieces(pa.array(parts, pa.large_string()), np.fromiter(map(_kind, parts), np.uint8, len(parts)), closes)


def _pieces(parts: pa.LargeStringArray, kinds: NDArray[np.uint8], closes: Places) -> Pieces:
    kinds[closes] = CLOSES
    words = np.flatnonzero(kinds >= WORD)
    text_of = np.searchsorted(closes, words)
    counts = np.bincount(text_of, minlength=len(closes))
    number = np.arange(len(words)) - (np.cumsum(counts) - counts)[text_of]
    return Pieces(parts, kinds, words, text_of, number, counts)


def _kind(part: str) -> int:
    if part[0].isalnum():
        return SPACELESS_WORD if SPACELESS.match(part) else WORD
    return SPACE if part.isspace() else OPENING if part in OPENS else MARK


_ASCII_KINDS = np.array([_kind(chr(point)) for point in range(128)], dtype=np.uint8)


def without_words(pieces: Pieces, gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pieces stay where the words marked in `gone` leave: the rule of `edits.delete_words`."""
    places, kinds = pieces.words[gone], pieces.kinds
    before = kinds[places - 1]
    before[places == 0] = CLOSES
    stays = np.ones(len(kinds), dtype=bool)
    stays[places] = False
    stays[places[before == SPACE] - 1] = False
    # At the start of a text, or behind what opens, it is the space behind; a text's closing piece always stays.
    bare = places[(before == CLOSES) | (before == OPENING)]
    left = np.flatnonzero(stays)
    behind = left[np.searchsorted(left, bare)]
    stays[behind[kinds[behind] == SPACE]] = False
    return stays
