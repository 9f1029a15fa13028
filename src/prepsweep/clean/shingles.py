"""Texts as sets of word n-grams, and how alike two sets are, without a loop over rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rensa import RMinHash

from prepsweep.word_arrays import TEXTS_AT_ONCE, words_of

Ints = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.uint64)


@dataclass(frozen=True)
class Shingles:
    """Distinct shingles of all rows as numbers, a row's in ascending order, and where each row begins; one start more than rows."""

    numbers: Ints
    starts: Ints


def hashed_shingles(texts: pa.ChunkedArray, ngram: int) -> tuple[NDArray[np.uint64], Ints]:
    """64-bit hashes of the shingles of all texts, and where each text begins (one start more than texts).

    A hash depends on the words alone, so other rows cannot change it. A shingle is `ngram` words in a row, case ignored; a
    shorter text is one shingle of all its words, a text without words has none.
    """
    hashes, counts = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for words, n_words in _batches(texts):
        encoded = words.dictionary_encode()
        vocabulary = encoded.dictionary.to_pylist()
        of_word = np.array(RMinHash.hash_token_sets([vocabulary])[0], dtype=np.uint64)
        left, begins = _words_left(n_words, ngram)
        found = hashed = of_word[_codes(encoded)]
        for distance in range(1, ngram):
            found = _mixed(found) * np.uint64(0x9E3779B97F4A7C15) + _following(hashed, distance, left)
        hashes.append(_mixed(found[begins]))
        counts.append(_n_shingles(n_words, ngram))
    return np.concatenate(hashes), _starts(np.concatenate(counts))


def distinct_shingles(texts: pa.ChunkedArray, ngram: int) -> Shingles:
    """The set of shingles of each text, without hashing: two numbers are equal if and only if the words are."""
    parts = list(_batches(texts))
    words = pa.chunked_array([words for words, _ in parts], pa.string()).combine_chunks().dictionary_encode()
    n_words = np.concatenate([np.empty(0, np.int64), *(counts for _, counts in parts)])
    left, begins = _words_left(n_words, ngram)
    numbers = codes = _codes(words) + 1
    for distance in range(1, ngram):
        # Numbered anew with each further word, so that no product overflows.
        numbers = _numbered(numbers * (int(codes.max(initial=0)) + 1) + _following(codes, distance, left))
    numbers = numbers[begins]
    rows = np.repeat(np.arange(len(n_words)), _n_shingles(n_words, ngram))
    width = int(numbers.max(initial=0)) + 1
    distinct = distinct_of(rows * width + numbers)
    return Shingles(distinct % width, _starts(np.bincount(distinct // width, minlength=len(n_words))))


def equal_sets(shingles: Shingles) -> Ints:
    """The same number for each row of the same set of shingles, -1 for a row without any."""
    data = pa.py_buffer(shingles.numbers)
    keys = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(shingles.starts) - 1, [None, pa.py_buffer(shingles.starts * 8), data])
    return np.where(np.diff(shingles.starts) > 0, _codes(keys.dictionary_encode()), -1)


def equal_in_all(columns: Sequence[Ints]) -> Ints:
    """The same number for each row of the same numbers in all `columns`, -1 where all are -1."""
    if len(columns) == 1:
        return columns[0]
    distinct, numbers = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return np.where((distinct < 0).all(axis=0), -1, np.arange(distinct.shape[1]))[numbers.reshape(-1)]


def side_by_side(columns: Sequence[tuple[NDArray[np.uint64], Ints]]) -> tuple[NDArray[np.uint64], Ints]:
    """Hashed shingles of several texts a row as those of one, a shingle of one column never equal to that of another."""
    if len(columns) == 1:
        return columns[0]
    hashes = np.concatenate([_mixed(numbers + np.uint64(place)) for place, (numbers, _) in enumerate(columns)])
    rows = np.concatenate([np.repeat(np.arange(len(starts) - 1), np.diff(starts)) for _, starts in columns])
    return hashes[np.argsort(rows, kind="stable")], np.sum([starts for _, starts in columns], axis=0)


def jaccard(shingles: Shingles, first: Ints, second: Ints) -> NDArray[np.float64]:
    """Exact Jaccard similarity |A ∩ B| / |A ∪ B| of the sets of the rows `first` and `second`, pair by pair; 1 for two empty sets."""
    from scipy.sparse import csr_array

    n_rows = len(shingles.starts) - 1
    shape = (n_rows, int(shingles.numbers.max(initial=0)) + 1)
    sets = csr_array((np.ones(len(shingles.numbers), np.int32), shingles.numbers, shingles.starts), shape=shape)
    sizes = np.diff(shingles.starts)
    found = [np.empty(0, np.float64)]
    for at in range(0, len(first), 100_000):
        one, other = first[at : at + 100_000], second[at : at + 100_000]
        shared = np.asarray(sets[one].multiply(sets[other]).sum(axis=1)).reshape(-1)
        together = sizes[one] + sizes[other] - shared
        found.append(np.where(together > 0, shared / np.maximum(together, 1), 1.0))
    return np.concatenate(found)


def _batches(texts: pa.ChunkedArray) -> Iterator[tuple[pa.StringArray, Ints]]:
    """Words of the texts, case folded, and their number per text, part by part."""
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        found = words_of([text.casefold() for text in texts.slice(start, TEXTS_AT_ONCE).to_pylist()])
        yield found.words, found.counts


def _n_shingles(n_words: Ints, ngram: int) -> Ints:
    return np.where(n_words > 0, np.maximum(n_words - ngram + 1, 1), 0)


def _words_left(n_words: Ints, ngram: int) -> tuple[Ints, NDArray[np.bool_]]:
    """For each word, how many its text has from there on, and whether a shingle begins with it."""
    left = np.repeat(np.cumsum(n_words), n_words) - np.arange(n_words.sum())
    return left, left >= np.repeat(np.minimum(n_words, ngram), n_words)


def _following(values: NDArray[Number], distance: int, left: Ints) -> NDArray[Number]:
    """For each word the value of the one that is `distance` further on, 0 where the text is over."""
    shifted = np.zeros_like(values)
    shifted[:-distance] = values[distance:]
    shifted[left <= distance] = 0
    return shifted


def distinct_of(values: Ints) -> Ints:
    """The distinct values in ascending order: what `np.unique` gives, in a tenth of the time where most are distinct."""
    ordered = np.sort(values)
    distinct: Ints = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return distinct


def rows_only(numbers: NDArray[Number], starts: Ints, rows: Ints) -> tuple[NDArray[Number], Ints]:
    """The numbers of `rows` alone, one row after the other, and where each begins (one start more than rows)."""
    counts = (starts[1:] - starts[:-1])[rows]
    chosen = _starts(counts)
    return numbers[np.arange(chosen[-1]) + np.repeat(starts[rows] - chosen[:-1], counts)], chosen


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each bit spread over all others: the last steps of MurmurHash3's 64-bit finaliser."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return hashes ^ (hashes >> np.uint64(33))


def _numbered(values: Ints) -> Ints:
    return _codes(pa.array(values).dictionary_encode())


def _codes(encoded: pa.DictionaryArray) -> Ints:
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _starts(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
