"""Rows from JSON lines files: one object a line, names and values exactly as written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.sources.files import GivenFile, TextFile, given_files, open_text
from prepsweep.sources.table import Columns, Rows, dataset_from

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS_PER_CHUNK = 100_000


class _Integer(str):
    """A JSON integer as it is written, so that no digit is lost."""


class _Decimal(str):
    """A JSON number with a fraction or an exponent, as it is written."""


class _Fault(ValueError):
    """What is wrong with a line, and how it is put right."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


def jsonl(
    *,
    path: str,
    dev_path: str | None,
    test_path: str | None,
    text_column: str,
    label_column: str,
    group_column: str | None,
    classes: list[str] | None,
) -> Dataset:
    """The rows of one to three JSON lines files, strictly one object a line.

    A text must be a string. A label may be a string, an integer or a boolean and becomes its JSON token (`3`, `true`);
    one file holds one kind of them.
    """
    columns = Columns(text_column, label_column, group_column)
    files = given_files(path=path, dev_path=dev_path, test_path=test_path)
    return dataset_from({file.split: _read(file, columns) for file in files}, classes=classes)


def fingerprint(*, path: str, dev_path: str | None, test_path: str | None, **_: object) -> dict[str, str]:
    """Nothing beyond the files, which the framework hashes; a missing one is refused here with a hint."""
    given_files(path=path, dev_path=dev_path, test_path=test_path)
    return {}


def _read(file: GivenFile, columns: Columns) -> Rows:
    text = open_text(file)
    chunks: dict[str, list[pa.Array]] = {argument: [] for argument in columns.named}
    values: dict[str, list[str]] = {argument: [] for argument in columns.named}
    kinds: dict[str, type] = {}
    n_lines = 0
    for n_lines, line in enumerate(_lines(text), start=1):
        where = f"{file.path}:{n_lines}"
        record = _parsed(line, where, text, columns)
        for argument, name in columns.named.items():
            values[argument].append(_value(record[name], name, argument, kinds, where))
        if n_lines % _ROWS_PER_CHUNK == 0:
            _flush(values, chunks, file, n_lines)
    _flush(values, chunks, file, n_lines)
    made = {argument: pa.chunked_array(arrays, pa.string()) for argument, arrays in chunks.items()}
    return Rows(made["text_column"], made["label_column"], made.get("group_column"), where=lambda row: f"{file.path}:{row + 1}")


def _lines(text: TextFile) -> Iterator[bytes]:
    """The lines without their ends: LF, CR or CRLF, never U+2028, which a text may hold; empty ones at the end are left out."""
    lines = text.data[text.start :].splitlines()
    while lines and not lines[-1]:
        lines.pop()
    return iter(lines)


def _parsed(line: bytes, where: str, text: TextFile, columns: Columns) -> dict[str, Any]:
    try:
        record = _DECODER.decode(line.decode())
    except json.JSONDecodeError as error:
        raise _broken(line, error, where, text) from error
    except RecursionError as error:
        raise Refused(where, "objects or lists nested too deep", "keep the text and the label only") from error
    except _Fault as fault:
        raise Refused(where, fault.what, fault.fix) from fault
    if not isinstance(record, dict):
        fix = "write one object a line" if isinstance(record, list) else "write it as {…}, or use data=csv"
        raise Refused(where, f"the line holds {_kind(record)}, not an object", fix)
    columns.check(record, where, what="key")
    return record


def _value(value: Any, name: str, argument: str, kinds: dict[str, type], where: str) -> str:
    """A text as it is, a class or group as its JSON token."""
    kind = type(value)
    if argument == "text_column":
        if kind is not str:
            raise Refused(where, f"{name!r} is {_kind(value)}, not a string", "write the text in quotes")
        text: str = value
        return text
    if kind is _Decimal:
        raise Refused(where, f"{name!r} is {value}, a number with a fraction: it looks continuous", "write classes as strings or integers")
    if kind not in (str, _Integer, bool):
        raise Refused(where, f"{name!r} is {_kind(value)}", "write a string, an integer or a boolean")
    if kinds.setdefault(argument, kind) is not kind:
        what = f"{name!r} is {_kind(value)} here and {_NAMES[kinds[argument]]} in the lines before"
        raise Refused(where, what, "write all of them the same way")
    if kind is bool:
        return "true" if value else "false"
    token: str = value
    return token


def _flush(values: dict[str, list[str]], chunks: dict[str, list[pa.Array]], file: GivenFile, n_lines: int) -> None:
    for argument, column in values.items():
        try:
            chunks[argument].append(pa.array(column, pa.string()))
        except UnicodeEncodeError as error:
            row = next(row for row, value in enumerate(column) if any("\ud800" <= c <= "\udfff" for c in value))
            where = f"{file.path}:{n_lines - len(column) + row + 1}"
            raise Refused(where, "half of a surrogate pair (\\ud8xx or \\udcxx alone), which is no character", "take it out") from error
        column.clear()


def _broken(line: bytes, error: json.JSONDecodeError, where: str, text: TextFile) -> Refused:
    if not line.strip():
        return Refused(where, "a blank line between the rows", "take it out")
    if text.data.rstrip(b"\r\n").endswith(line) and error.pos >= len(error.doc.rstrip()) or "Unterminated string" in error.msg:
        is_last = text.data.endswith(line)
        if is_last:
            return Refused(f"{where}:{error.colno}", "the file ends in the middle of a row", "it is cut off: fetch or write it again")
    fix = "write one object a line, without line breaks in it" if line.lstrip()[:1] in (b"{", b"[") else "use data=csv for a CSV file"
    return Refused(f"{where}:{error.colno}", f"not JSON: {error.msg}", fix)


def _kind(value: Any) -> str:
    return _NAMES[type(value)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise _Fault(f"the key {twice!r} is there twice", "keep one")
    return record


def _no_constant(name: str) -> Any:
    raise _Fault(f"{name} is not JSON", "write null or leave the key out; a text goes in quotes")


_NAMES: dict[type, str] = {
    str: "a string",
    _Integer: "an integer",
    _Decimal: "a number with a fraction",
    bool: "a boolean",
    type(None): "null",
    list: "a list",
    dict: "an object",
}
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_Integer, parse_float=_Decimal, parse_constant=_no_constant)
