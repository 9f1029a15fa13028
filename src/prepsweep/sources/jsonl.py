"""Rows from JSON lines files: one object a line, names and values exactly as written."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from math import isinf
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.schema import UNLABELLED
from prepsweep.sources.files import MAX_COLUMNS, GivenFile, TextFile, given_files, open_text
from prepsweep.sources.hooks import check, fingerprint
from prepsweep.sources.table import Columns, Rows, dataset_from

if TYPE_CHECKING:
    from datasets import Dataset

    from prepsweep.label_kinds import Labels

__all__ = ["check", "fingerprint", "jsonl"]
_ROWS_PER_CHUNK = 100_000
# What Python converts to a number and back; a longer one would be an error where it is written again.
_MOST_DIGITS = sys.int_info.default_max_str_digits
# What must be a string; the values of other keys may be numbers.
_TEXTS = ("text_column", "text_pair_column")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Integer(str):
    """A JSON integer as it is written, so that no digit is lost."""


class _Decimal(str):
    """A JSON number with a fraction or an exponent, as it is written."""


class Fault(ValueError):
    """What is wrong with a line, from which character on, and how it is put right."""

    def __init__(self, what: str, fix: str, column: int | None = None) -> None:
        super().__init__(what)
        self.what, self.fix, self.column = what, fix, column


def jsonl(
    *,
    path: str,
    dev_path: str | None,
    test_path: str | None,
    text_column: str,
    text_pair_column: str | None,
    label_column: str,
    group_column: str | None,
    time_column: str | None,
    carry_columns: list[str],
    unlabelled: bool,
    classes: list[str] | str | None,
    labels: Labels | None,
) -> Dataset:
    """The rows of one to three JSON lines files, strictly one object a line.

    A text must be a string. A label may be a string, an integer or a boolean and becomes its JSON token (`3`, `true`);
    one file holds one kind of them.
    """
    columns = Columns(text_column, text_pair_column, label_column, group_column, time_column, carry_columns, unlabelled)
    files = given_files(path=path, dev_path=dev_path, test_path=test_path)
    return dataset_from({file.split: _read(file, columns, labels) for file in files}, classes=classes, labels=labels)


def _read(file: GivenFile, columns: Columns, labels: Labels | None) -> Rows:
    text = open_text(file)
    takers = [_taker(argument, name, columns, labels) for argument, name in columns.named.items()]
    number = 0
    for number, (offset, line) in enumerate(_lines(text), start=1):
        try:
            record = parsed(line, is_last=offset + len(line) >= text.end)
            for taker in takers:
                taker.add(record)
        except KeyError:
            fix = "add it, or take the line out" if number > 1 else None
            columns.check(record, f"{file.path}:{number}", "the line has no key", fix=fix)
        except Fault as fault:
            column = f":{fault.column}" if fault.column else ""
            raise Refused(f"{file.path}:{number}{column}", fault.what, fault.fix) from fault
        if number % _ROWS_PER_CHUNK == 0:
            _flush(takers, file, number)
    if not number:
        raise Refused(f"{file.path}:1", "the file has no rows", file.other("a file with rows"))
    _flush(takers, file, number)
    made = {taker.name: pa.chunked_array(taker.chunks, pa.string()) for taker in takers}
    further = {name: made[column] for name, column in columns.further.items()}
    return Rows(made[columns.text], made[columns.label], further, where=lambda row: f"{file.path}:{row + 1}", unlabelled=columns.unlabelled)


def _taker(argument: str, name: str, columns: Columns, labels: Labels | None) -> _Column:
    if name in columns.carried:
        return _Carried(name)
    if labels is not None and (argument == "label_column" or (argument == "text_column" and labels.tokens)):
        return _Cell(name)
    return _Column(name, is_text=argument in _TEXTS, may_lack=columns.unlabelled and argument == "label_column")


class _Column:
    """The values of one key: a text as it is, a class, a group or a time as its JSON token."""

    def __init__(self, name: str, *, is_text: bool = False, may_lack: bool = False) -> None:
        self.name, self.is_text, self.may_lack = name, is_text, may_lack
        self.kind: type | None = None
        self.values: list[Any] = []
        self.chunks: list[pa.Array] = []

    def add(self, record: dict[str, Any]) -> None:
        if self.may_lack and record.get(self.name) in (None, UNLABELLED):
            self.values.append(UNLABELLED)
            return
        value = record[self.name]
        kind = type(value)
        if kind is not str:
            if self.is_text:
                raise Fault(f"{self.name!r} is {_NAMES[kind]}, not a string", "write the text in quotes")
            if kind is _Decimal:
                what = f"{self.name!r} is {value[:20]}, {_NAMES[kind]}: it looks continuous"
                raise Fault(what, "write the classes as strings or integers")
            if kind not in (_Integer, bool):
                raise Fault(f"{self.name!r} is {_NAMES[kind]}", "write a string, an integer or a boolean")
        if kind is not self.kind:
            if self.kind is not None:
                what = f"{self.name!r} is {_NAMES[kind]} here and {_NAMES[self.kind]} in the lines before"
                raise Fault(what, "write all of them the same way")
            self.kind = kind
        self.values.append(str(value).lower() if kind is bool else value)


class _Cell(_Column):
    """The values of a key that the task reads: strings and numbers as they are written, lists in JSON."""

    def add(self, record: dict[str, Any]) -> None:
        value = record[self.name]
        if value is None or isinstance(value, dict):
            raise Fault(f"{self.name!r} is {_NAMES[type(value)]}", "write what the task reads: a list, a string or a number")
        self.values.append(str(value) if isinstance(value, str) else json.dumps(numbers(value), ensure_ascii=False))


class _Carried(_Column):
    """The values of a key that only travels along: strings and numbers as they are written, all else in JSON, null where it is null."""

    def add(self, record: dict[str, Any]) -> None:
        value = record[self.name]
        if isinstance(value, str):
            self.values.append(str(value))
        else:
            self.values.append(None if value is None else json.dumps(numbers(value), ensure_ascii=False))


def numbers(value: Any) -> Any:
    """`value` with its numbers as numbers again."""
    if isinstance(value, _Integer):
        return int(value)
    if isinstance(value, _Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def _lines(text: TextFile) -> Iterator[tuple[int, bytes]]:
    """Every line with its offset and without its end, which is LF, CR or CRLF and never U+2028: a text may hold that."""
    stream = io.BytesIO(text.data)
    offset = stream.seek(text.start)
    while offset < text.end:
        for line in stream.readline().splitlines(keepends=True):
            if offset < text.end:
                yield offset, line.rstrip(b"\r\n")
            offset += len(line)


def parsed(line: bytes, *, is_last: bool) -> dict[str, Any]:
    """The object of a line, its numbers as they are written; raises `Fault`."""
    try:
        record = _DECODER.decode(line.decode())
    except json.JSONDecodeError as error:
        raise _broken(line, error, is_last=is_last) from error
    except RecursionError as error:
        raise Fault("objects or lists nested too deep", "keep the text and the label only") from error
    if type(record) is not dict:
        fix = "write one object a line" if isinstance(record, list) else "write it as {…}, or use data=csv"
        raise Fault(f"the line holds {_NAMES[type(record)]}, not an object", fix)
    return record


def _broken(line: bytes, error: json.JSONDecodeError, *, is_last: bool) -> Fault:
    if not line.strip():
        return Fault("a blank line between the rows", "take it out")
    is_json = line.lstrip().startswith((b"{", b"["))
    if is_json and is_last and (error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")):
        return Fault("the file ends in the middle of a row", "it is cut off: fetch or write it again", error.colno)
    fix = "write one object a line, without line breaks in it" if is_json else "use data=csv for a CSV file"
    return Fault(f"not JSON: {error.msg}", fix, error.colno)


def _flush(takers: list[_Column], file: GivenFile, number: int) -> None:
    """Move the values of the lines up to `number` into Arrow; refused where one is no Unicode text."""
    for taker in takers:
        try:
            taker.chunks.append(pa.array(taker.values, pa.string()))
        except UnicodeEncodeError as error:
            row = next(row for row, value in enumerate(taker.values) if value and not value.isascii() and _SURROGATE.search(value))
            where = f"{file.path}:{number - len(taker.values) + row + 1}"
            raise Refused(where, f"{taker.name!r} holds half of a surrogate pair, which is no character", "take it out") from error
        taker.values.clear()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_COLUMNS:
        raise Fault(f"an object with {len(pairs):,} keys, over {MAX_COLUMNS:,}", "keep the keys that are needed")
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise Fault(f"the key {twice!r} is there twice", "keep one")
    return record


def _integer(digits: str) -> _Integer:
    if len(digits) > _MOST_DIGITS:
        raise Fault(f"an integer of {len(digits):,} digits", "write it in quotes")
    return _Integer(digits)


def _decimal(digits: str) -> _Decimal:
    if isinf(float(digits)):
        raise Fault(f"{digits[:20]} is beyond the numbers of JSON readers", "write it in quotes")
    return _Decimal(digits)


def _no_constant(name: str) -> Any:
    raise Fault(f"{name} is not JSON", "write null or leave the key out; a text goes in quotes")


_NAMES: dict[type, str] = {
    str: "a string",
    _Integer: "an integer",
    _Decimal: "a number with a fraction",
    bool: "a boolean",
    type(None): "null",
    list: "a list",
    dict: "an object",
}
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_no_constant)
