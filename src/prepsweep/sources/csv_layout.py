"""How the bytes of a CSV file fall into records and cells (RFC 4180), and where they do not.

Arrow reads the rows; this reads the header, and walks the file only to find the place of a fault.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.sources.files import MAX_CELL_BYTES, MAX_COLUMNS, TextFile

_QUOTE, _LF, _CR = b'"'[0], b"\n"[0], b"\r"[0]
_QUOTES = re.compile(rb'"+')
_LINE_END = re.compile(rb"\r\n?|\n")
_BLOCK_BYTES = 1 << 24
_CLOSE = 'close the quote; inside a quoted cell a quote is written twice ("")'


@dataclass(frozen=True)
class Layout:
    """A CSV file and its delimiter."""

    text: TextFile
    delimiter: str

    def first_line(self) -> str:
        """The file up to its first line end."""
        found = _LINE_END.search(self.text.data, self.text.start)
        return self.text.data[self.text.start : found.start() if found else self.text.end].decode()

    def header(self) -> tuple[list[str], int]:
        """Column names and the offset of the first row; refused where a name is blank or there twice."""
        spans, body = self.record(self.text.start)
        names = [self._cell(span) for span in spans]
        if names == [""]:
            raise self._refused(self.text.start, "the first line is blank", "it must hold the column names")
        for place, name in enumerate(names):
            if not name.strip():
                pandas = "name it (pandas writes its index without a name: use to_csv(index=False))"
                fix = pandas if place == 0 else "name it, or take it out: a line that ends with a delimiter has one column more"
                raise self._refused(spans[place][0], f"column {place + 1} has no name", fix)
            if name in names[:place]:
                raise self._refused(spans[place][0], f"two columns are named {name!r}", "rename one")
        return names, body

    def check_quotes(self, body: int) -> None:
        """Refuse a quote that is not closed, or closed in the middle of a cell: Arrow joins rows there in silence.

        Quotes in a cell that does not begin with one ('5" disk') are characters like others.
        """
        quotes = self._quotes(body)
        if self._are_regular(quotes):
            return
        before = np.frombuffer(self.text.data, dtype=np.uint8)[quotes - 1]
        opening = quotes[np.isin(before, list(self._between))].tolist()
        place = 0
        while place < len(opening):
            place = bisect_right(opening, self._closing_quote(opening[place]))

    def check_records(self, body: int, n_columns: int) -> None:
        """Refuse the first record that is blank, too short or too long, or has a cell over the limit."""
        for offset, n_cells in self.records(body):
            if not n_cells:
                raise self._refused(offset, "a blank line between the rows", "take it out")
            if n_cells != n_columns:
                what = f"{n_cells} value{'' if n_cells == 1 else 's'}, the header names {n_columns} columns"
                raise self._refused(offset, what, f"put a cell that holds {self.delimiter!r} or a line end in quotes")

    def line_of_row(self, body: int, row: int) -> int:
        """Line on which a row begins; rows count from 0."""
        for number, (offset, _) in enumerate(self.records(body)):
            if number == row:
                return self.text.line(offset)
        raise IndexError(row)

    def records(self, offset: int) -> Iterator[tuple[int, int]]:
        """Every record from `offset` on: where it begins, and how many cells it has; none on a blank line."""
        data, end, delimiter = self.text.data, self.text.end, self.delimiter.encode()
        while offset < end:
            # No farther than a line can be that needs no second look: one without an end may be as long as the file.
            near = min(end, offset + MAX_CELL_BYTES + 2)
            stop = _LINE_END.search(data, offset, near)
            line_end, after = stop.span() if stop else (near, near)
            # Most lines have no quote: such a line is a record, and need not be walked cell by cell.
            if line_end - offset <= MAX_CELL_BYTES and data.find(b'"', offset, line_end) < 0:
                n_cells = data.count(delimiter, offset, line_end) + 1 if line_end > offset else 0
            else:
                spans, after = self.record(offset)
                n_cells = len(spans)
            yield offset, n_cells
            offset = after

    def record(self, offset: int) -> tuple[list[tuple[int, int]], int]:
        """Bounds of the cells of one record, quotes included, and the offset of the next record."""
        data = self.text.data
        spans: list[tuple[int, int]] = []
        while True:
            if data[offset : offset + 1] == b'"':
                end = self._closing_quote(offset) + 1
            else:
                stop = self._stop.search(data, offset, min(self.text.end, offset + MAX_CELL_BYTES + 1))
                end = stop.start() if stop else self._far_end(offset)
            spans.append((offset, end))
            if end - offset > MAX_CELL_BYTES:
                what = f"a cell of {end - offset:,} bytes, over {MAX_CELL_BYTES:,}"
                raise self._refused(offset, what, "cut it, or look for a quote that is not closed")
            if len(spans) > MAX_COLUMNS:
                raise self._refused(offset, f"more than {MAX_COLUMNS:,} columns", "keep the columns that are needed")
            if end >= self.text.end:
                return spans, self.text.end
            if data[end] in (_LF, _CR):
                return spans, end + (2 if data[end : end + 2] == b"\r\n" else 1)
            offset = end + 1

    def _far_end(self, offset: int) -> int:
        """Where a cell ends that has no end near by: one search a character, which is many times faster than an expression."""
        ends = (self.text.data.find(end, offset, self.text.end) for end in (self.delimiter.encode(), b"\n", b"\r"))
        return min((place for place in ends if place >= 0), default=self.text.end)

    @cached_property
    def _between(self) -> bytes:
        return self.delimiter.encode() + b"\r\n"

    @cached_property
    def _stop(self) -> re.Pattern[bytes]:
        return re.compile(b"[" + re.escape(self._between) + b"]")

    def _closing_quote(self, opening: int) -> int:
        """Offset of the quote that closes the cell: the last of the first odd run of quotes."""
        offset = opening + 1
        while run := _QUOTES.search(self.text.data, offset, self.text.end):
            offset = run.end()
            if len(run[0]) % 2:
                if offset < self.text.end and self.text.data[offset] not in self._between:
                    self._refuse_text_after(opening, offset)
                return offset - 1
        raise self._refused(opening, "a quote that is opened here and never closed", _CLOSE)

    def _refuse_text_after(self, opening: int, offset: int) -> None:
        first, last = self.text.line(opening), self.text.line(offset)
        if first == last:
            raise self._refused(offset, "text after the closing quote of a cell", _CLOSE)
        raise self._refused(opening, f"the quote opened here is closed inside another cell, in line {last}", _CLOSE)

    def _quotes(self, body: int) -> NDArray[np.intp]:
        """Offsets of all quotes; in blocks, because a mask of the whole file would double the memory."""
        data = np.frombuffer(self.text.data, dtype=np.uint8)[: self.text.end]
        blocks = range(body, self.text.end, _BLOCK_BYTES)
        return np.concatenate([np.flatnonzero(data[at : at + _BLOCK_BYTES] == _QUOTE) + at for at in blocks])

    def _are_regular(self, quotes: NDArray[np.intp]) -> bool:
        """Whether every quote opens a cell, closes one or is one of a pair, by its neighbours alone.

        Counted from 0, an even quote must follow a delimiter, a line end or a quote, and an odd one must come before
        such a byte. Then the file is strict RFC 4180 and needs no walk.
        """
        data = np.frombuffer(self.text.data, dtype=np.uint8)
        is_neighbour = np.zeros(256, dtype=bool)
        is_neighbour[list(self._between + b'"')] = True
        # The first row has a header line before it; the last byte of the file has nothing after it.
        opening, closing = quotes[0::2], quotes[1::2][quotes[1::2] < self.text.end - 1]
        if len(quotes) % 2 or not is_neighbour[data[opening - 1]].all():
            return False
        return bool(is_neighbour[data[closing + 1]].all())

    def _cell(self, span: tuple[int, int]) -> str:
        cell = self.text.data[span[0] : span[1]].decode()
        return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell

    def _refused(self, offset: int, what: str, fix: str) -> Refused:
        return Refused(self.text.place(offset), what, fix)
