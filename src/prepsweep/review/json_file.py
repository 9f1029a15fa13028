"""The elements of a JSON array one by one, so that a broken or cut file is refused by the number of the element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from prepsweep.errors import Refused
from prepsweep.sources.files import TextFile

_SPACE = re.compile(r"[ \t\r\n]*")


def elements(text: TextFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the array with its place, counted from 1; what is not one whole array of objects is refused."""
    body = text.data[text.start : text.end].decode()
    at, number = _after(body, _space(body, 0), "[", str(text.path)), 0
    last = body[at : at + 1]
    if last == "]":
        at = _after(body, at, "]", str(text.path))
    while last != "]":
        number += 1
        where = f"{text.path}: element {number}"
        value, at = _decoded(body, at, where)
        yield where, value
        last = body[at : at + 1]
        at = _after(body, at, ",]", where)
    if body[at:]:
        raise Refused(str(text.path), "more text after the end of the array", "keep one array")


def lines(text: TextFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every line's object with its place; the last line must be ended, or it may be cut."""
    body = text.data[text.start :].decode()
    for number, line in enumerate(body.split("\n")[:-1], start=1):
        where = f"{text.path}:{number}"
        value, at = _decoded(line, _space(line, 0), where)
        if line[at:].strip():
            raise Refused(where, "more text after the object", "write one object a line")
        yield where, value
    if not body.endswith("\n"):
        raise Refused(f"{text.path}:{body.count(chr(10)) + 1}", "the last line has no line end: it is cut off", _CUT)


def string(value: Any, where: str, name: str) -> str:
    """`value`, which must be text."""
    if isinstance(value, str):
        return value
    raise Refused(where, f"{name!r} is {str(value)[:80]!r}, not text", "put back what the program wrote there")


_CUT = "fetch or write it again whole"


def _decoded(body: str, at: int, where: str) -> tuple[dict[str, Any], int]:
    try:
        value, end = _DECODER.raw_decode(body, at)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(body) or error.msg.startswith("Unterminated")
        raise Refused(where, "the file is cut off here" if ended else f"not JSON: {error.msg}", _CUT) from error
    except RecursionError as error:
        raise Refused(where, "objects or lists nested too deep", "use the file as the program exported it") from error
    if not isinstance(value, dict):
        raise Refused(where, f"{str(value)[:80]!r} is no object", "use the file as the program exported it")
    return value, _space(body, end)


def _after(body: str, at: int, wanted: str, where: str) -> int:
    if at >= len(body):
        raise Refused(where, "the file is cut off here", _CUT)
    if body[at] not in wanted:
        raise Refused(where, f"{body[at]!r} where {' or '.join(wanted)} should be", "use the file as the program exported it")
    return _space(body, at + 1)


def _space(body: str, at: int) -> int:
    found = _SPACE.match(body, at)
    return found.end() if found else at


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise json.JSONDecodeError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice", "", 0)
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_no_key_twice)
