"""All words of all texts as one stream of numbers: texts are split once, and then compared by numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prepsweep.progress import track
from prepsweep.text import WORD
from prepsweep.word_arrays import TEXTS_AT_ONCE, words_of

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Found = TypeVar("Found")
_NOT_READ = r"[\p{P}\p{Z}\p{Cc}\p{Cf}]+"


@dataclass(frozen=True)
class Stream:
    """Row `i` has the tokens `ids[starts[i]:starts[i + 1]]`; `names[id]` is the token, in lower case."""

    ids: Numbers
    starts: Numbers
    names: pa.Array

    @cached_property
    def rows(self) -> Numbers:
        """The row of each token."""
        return np.repeat(np.arange(len(self.starts) - 1), self.lengths)

    @cached_property
    def lengths(self) -> Numbers:
        """Tokens of each row."""
        return np.diff(self.starts)

    @cached_property
    def words(self) -> Stream:
        """The stream without marks."""
        is_word = pc.match_substring_regex(self.names, r"[\p{L}\p{N}]").to_numpy(zero_copy_only=False)
        kept = is_word[self.ids] if len(self.ids) else np.zeros(0, dtype=bool)
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.rows[kept], minlength=len(self.lengths)))])
        return Stream(self.ids[kept], starts, self.names)

    def rows_with(self, phrase: list[str]) -> Mask:
        """Rows in which the tokens of `phrase` stand one after the other."""
        wanted = [pc.index(self.names, pa.scalar(token)).as_py() for token in phrase]
        found = np.zeros(len(self.lengths), dtype=bool)
        if not phrase or -1 in wanted:
            return found
        at = np.flatnonzero(self.ids == wanted[0])
        for place, token in enumerate(wanted[1:], start=1):
            at = at[at + place < len(self.ids)]
            at = at[(self.ids[at + place] == token) & (self.rows[at + place] == self.rows[at])]
        found[self.rows[at]] = True
        return found


def stream_of(texts: pa.ChunkedArray) -> Stream:
    """The tokens of `texts` in lower case and Unicode normal form C."""
    found = list(_by_slices(_tokens, _lower(texts)))
    lengths = [np.zeros(1, dtype=np.int64), *(counts for counts, _ in found)]
    tokens = [pa.array([], pa.string()).dictionary_encode(), *(coded for _, coded in found)]
    coded = pa.chunked_array(tokens).unify_dictionaries().combine_chunks()
    return Stream(coded.indices.to_numpy().astype(np.int64), np.cumsum(np.concatenate(lengths)), coded.dictionary)


def _tokens(texts: pa.ChunkedArray) -> tuple[Numbers, pa.DictionaryArray]:
    # Marks count as well where one token gives a label away: "★★★★★", "👍".
    found = words_of(texts.to_pylist(), marks=True)
    return found.counts, found.words.dictionary_encode()


def class_names(labels: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each class with the words of its name: `card_arrival` has two; a name without any word is left out."""
    for label in labels:
        words = WORD.findall(_lower(pa.chunked_array([[label]]))[0].as_py())
        if words:
            yield label, words


def folded(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts without case, white space, punctuation and invisible characters, in normal form C; emoji stay."""
    return pa.chunked_array(list(_by_slices(_bare, _lower(texts))), pa.string())


def _bare(column: pa.ChunkedArray) -> pa.StringArray:
    texts = column.combine_chunks()
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if data.max(initial=0) > 0x7F:
        return pc.replace_substring_regex(texts, _NOT_READ, "")
    # Where a character is a byte, a table does what the expression does in an eighth of the time.
    kept = _read_bytes()[data]
    ends = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])[offsets - offsets[0]].astype(np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(data[kept]))


@cache
def _read_bytes() -> Mask:
    """Which of the ASCII characters `_NOT_READ` leaves."""
    characters = pa.array([chr(code) for code in range(0x80)])
    read: Mask = pc.invert(pc.match_substring_regex(characters, _NOT_READ)).to_numpy(zero_copy_only=False)
    return read


def codes(column: pa.ChunkedArray) -> Numbers:
    """The same number for the same value."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _lower(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_lower(pc.utf8_normalize(texts, "NFC"))


def _by_slices(function: Callable[[pa.ChunkedArray], Found], texts: pa.ChunkedArray) -> Iterator[Found]:
    """`function` of a slice after the other, on all cores: Arrow and numpy work without holding Python's lock."""
    slices = [texts.slice(start, TEXTS_AT_ONCE) for start in range(0, len(texts), TEXTS_AT_ONCE)]
    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        yield from track(pool.map(function, slices), "looking for leaks", total=len(slices))
