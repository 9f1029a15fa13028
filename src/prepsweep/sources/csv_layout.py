"""How the bytes of a CSV file fall into records and cells (RFC 4180), and where they do not.

Arrow reads the rows; this reads the header, and walks the file only to find the place of a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prepsweep.errors import Refused
from prepsweep.sources.files import MAX_CELL_BYTES, MAX_COLUMNS, TextFile

_QUOTE, _LF, _CR = b'"'[0], b"\n"[0], b"\r"[0]
_QUOTES = re.compile(rb'"+')
_LINE_END = re.compile(rb"[\r\n]")
_BLOCK_BYTES = 1 << 24
_CLOSE = 'close the quote; inside a quoted cell a quote is written twice ("")'


@dataclass(frozen=True)
class Layout:
    """A CSV file and its delimiter; empty lines at the end of the file belong to no record."""

    text: TextFile
    delimiter: str
    end: int

    @classmethod
    def of(cls, text: TextFile, delimiter: str) -> Layout:
        end = len(text.data)
        while end > text.start and text.data[end - 1] in (_LF, _CR):
            end -= 1
        return cls(text, delimiter, end)

    def first_line(self) -> str:
        """The file up to its first line end."""
        found = _LINE_END.search(self.text.data, self.text.start)
        return self.text.data[self.text.start : found.start() if found else self.end].decode()

    def header(self) -> tuple[list[str], int]:
        """Column names and the offset of the first row; refused where a name is blank or there twice."""
        spans, body = self.record(self.text.start)
        names = [self._cell(span) for span in spans]
        if names == [""]:
            raise self._refused(self.text.start, "the first line is blank", "it must hold the column names")
        for place, name in enumerate(names):
            if not name.strip():
                fix = "name it (pandas writes its index without a name: use to_csv(index=False))"
                raise self._refused(spans[place][0], f"column {place + 1} has no name", fix)
            if name in names[:place]:
                raise self._refused(spans[place][0], f"two columns are named {name!r}", "rename one")
        return names, body

    def check_quotes(self, body: int) -> None:
        """Refuse a quote that is not closed, or closed in the middle of a cell: Arrow joins rows there in silence.

        Quotes in a cell that does not begin with one ('5" disk') are characters like others.
        """
        if self.text.data.find(b'"', body, self.end) < 0 or self._quotes_are_regular(body):
            return
        offset = body
        while (quote := self.text.data.find(b'"', offset, self.end)) >= 0:
            opens = quote == body or self.text.data[quote - 1] in self._between
            offset = self._closing_quote(quote) + 1 if opens else quote + 1

    def check_records(self, body: int, n_columns: int) -> None:
        """Refuse the first record that is blank, too short or too long, or has a cell over the limit."""
        for offset, spans in self.records(body):
            if len(spans) == 1 and spans[0][0] == spans[0][1]:
                raise self._refused(offset, "a blank line between the rows", "take it out")
            if len(spans) != n_columns:
                what = f"{len(spans)} value{'' if len(spans) == 1 else 's'}, the header names {n_columns} columns"
                raise self._refused(offset, what, f"put a cell that holds {self.delimiter!r} or a line end in quotes")
            for begin, end in spans:
                if end - begin > MAX_CELL_BYTES:
                    what = f"a cell of {end - begin:,} bytes, over {MAX_CELL_BYTES:,}"
                    raise self._refused(begin, what, "cut it, or look for a quote that is not closed")

    def line_of_row(self, body: int, row: int) -> int:
        """Line on which a row begins; rows count from 0."""
        for number, (offset, _) in enumerate(self.records(body)):
            if number == row:
                return self.text.line(offset)
        raise IndexError(row)

    def records(self, offset: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Every record from `offset` on: where it begins, and the bounds of its cells."""
        while offset < self.end:
            spans, after = self.record(offset)
            yield offset, spans
            offset = after

    def record(self, offset: int) -> tuple[list[tuple[int, int]], int]:
        """Bounds of the cells of one record, quotes included, and the offset of the next record."""
        data = self.text.data
        spans: list[tuple[int, int]] = []
        while True:
            if data[offset : offset + 1] == b'"':
                end = self._closing_quote(offset) + 1
            else:
                stop = self._stop.search(data, offset, self.end)
                end = stop.start() if stop else self.end
            spans.append((offset, end))
            if len(spans) > MAX_COLUMNS:
                raise self._refused(offset, f"more than {MAX_COLUMNS:,} columns", "keep the columns that are needed")
            if end >= self.end:
                return spans, self.end
            if data[end] in (_LF, _CR):
                return spans, end + (2 if data[end : end + 2] == b"\r\n" else 1)
            offset = end + 1

    @cached_property
    def _between(self) -> bytes:
        return self.delimiter.encode() + b"\r\n"

    @cached_property
    def _stop(self) -> re.Pattern[bytes]:
        return re.compile(b"[" + re.escape(self._between) + b"]")

    def _closing_quote(self, opening: int) -> int:
        """Offset of the quote that closes the cell: the last of the first odd run of quotes."""
        offset = opening + 1
        while run := _QUOTES.search(self.text.data, offset, self.end):
            offset = run.end()
            if len(run[0]) % 2:
                if offset < self.end and self.text.data[offset] not in self._between:
                    self._refuse_text_after(opening, offset)
                return offset - 1
        raise self._refused(opening, "a quote that is opened here and never closed", _CLOSE)

    def _refuse_text_after(self, opening: int, offset: int) -> None:
        first, last = self.text.line(opening), self.text.line(offset)
        if first == last:
            raise self._refused(offset, "text after the closing quote of a cell", _CLOSE)
        raise self._refused(opening, f"the quote opened here is closed inside another cell, in line {last}", _CLOSE)

    def _quotes_are_regular(self, body: int) -> bool:
        """Whether every quote opens a cell, closes one or is one of a pair, by its neighbours alone.

        Counted from 0, an even quote must follow a delimiter, a line end or a quote, and an odd one must come before
        such a byte. Then the file is strict RFC 4180 and needs no walk.
        """
        data = np.frombuffer(self.text.data, dtype=np.uint8)[: self.end]
        blocks = range(body, self.end, _BLOCK_BYTES)
        quotes = np.concatenate([np.flatnonzero(data[at : at + _BLOCK_BYTES] == _QUOTE) + at for at in blocks])
        if len(quotes) % 2:
            return False
        neighbour = np.zeros(256, dtype=bool)
        neighbour[list(self._between + b'"')] = True
        # The first row has a header line before it, the last byte of the file nothing after it.
        opening, closing = quotes[0::2], quotes[1::2][quotes[1::2] < self.end - 1]
        return bool(neighbour[data[opening - 1]].all() and neighbour[data[closing + 1]].all())

    def _cell(self, span: tuple[int, int]) -> str:
        cell = self.text.data[span[0] : span[1]].decode()
        return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell

    def _refused(self, offset: int, what: str, fix: str) -> Refused:
        return Refused(self.text.place(offset), what, fix)
