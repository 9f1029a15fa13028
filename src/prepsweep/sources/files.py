"""Opening a data file: which files there are, what they are by their bytes, and where in them a fault lies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from prepsweep.errors import Refused, nearest
from prepsweep.schema import UNSPLIT

# No text that a model reads is longer; without a bound one broken quote or one bomb takes all memory.
MAX_CELL_BYTES = 4_000_000
MAX_COLUMNS = 1000
_PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
# Text packs to a tenth or so, the same line over and over to a few hundredths; a bomb to a thousandth.
MAX_RATIO = 100
_LEAST_UNPACKED = 1 << 26
_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 12
# What is often found under another ending: first bytes, name, fix.
_KINDS = (
    (rb"PAR1", "a Parquet file", "use data=parquet"),
    (rb"PARE", "an encrypted Parquet file", "decrypt it and use data=parquet"),
    (rb"ARROW1|FEA1", "an Arrow or Feather file", "write it as Parquet and use data=parquet"),
    (rb"\x89PNG", "a PNG image", "name the file with the rows"),
    (rb"\xff\xd8\xff|GIF8", "an image", "name the file with the rows"),
    (rb"%PDF-", "a PDF document", "name the file with the rows"),
    (rb"\x1f\x8b", "a gzip archive", "unpack it with gzip -d"),  # a text file may be packed once, see `_unpacked`
    (rb"BZh[1-9]1AY&SY", "a bzip2 archive", "unpack it with bzip2 -d"),
    (rb"\xfd7zXZ\x00", "an xz archive", "unpack it with xz -d"),
    (rb"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it with zstd -d"),
    (rb"PK\x03\x04|PK\x05\x06", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV in UTF-8"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save the sheet as CSV in UTF-8"),
    (rb"\x80[\x02-\x05]", "a Python pickle, which can run code and is not read", "write the rows as CSV, JSON lines or Parquet"),
    (rb"\x93NUMPY", "a NumPy array", "write the rows as CSV, JSON lines or Parquet"),
    (rb"\x89HDF", "an HDF5 file", "write the rows as CSV, JSON lines or Parquet"),
    (rb"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (rb"version https://git-lfs\.github\.com/spec/", "a Git LFS pointer, the data itself is not here", "run git lfs pull"),
    (rb"\s*<(?i:!doctype html|html|head|\?xml)", "a web page or XML, not rows", "download the file itself: this may be an error page"),
    (rb"\xff\xfe|\xfe\xff|\x00\x00\xfe\xff", "UTF-16 or UTF-32 text", "save the file as UTF-8"),
)


@dataclass(frozen=True)
class GivenFile:
    """One file of the user's: where its name was given, and the split of its rows."""

    path: Path
    key: str
    split: str

    def other(self, file: str) -> str:
        """How to name another file."""
        return f"name {file} in {self.key}"


@dataclass(frozen=True)
class TextFile:
    """A file's bytes, known to be UTF-8 without NUL.

    The text lies between `start`, after a byte order mark, and `end`, before the empty lines at the end of the file.
    """

    path: Path
    data: bytes
    start: int
    end: int

    def line(self, offset: int) -> int:
        """Line of a byte as an editor shows it: from 1, ended by LF, CR or CRLF."""
        before = self.data[:offset]
        return before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1

    def place(self, offset: int) -> str:
        """`file:line:column` of a byte; the column counts characters from 1."""
        begin = max(self.start, self.data.rfind(b"\n", 0, offset) + 1, self.data.rfind(b"\r", 0, offset) + 1)
        return f"{self.path}:{self.line(offset)}:{len(self.data[begin:offset].decode()) + 1}"


def given_files(*, path: str, dev_path: str | None, test_path: str | None) -> list[GivenFile]:
    """The files that were named, each there and none of them twice; refused otherwise.

    Rows of `path` are all for training only where dev and test files are both given; else they wait for the split.
    """
    named = {"data.path": path, "data.dev_path": dev_path, "data.test_path": test_path}
    splits = {"data.path": "train" if dev_path and test_path else UNSPLIT, "data.dev_path": "dev", "data.test_path": "test"}
    files = [GivenFile(Path(name), key, splits[key]) for key, name in named.items() if name is not None]
    for file in files:
        _check_is_there(file)
    for place, file in enumerate(files):
        for earlier in files[:place]:
            if _same_content(earlier.path, file.path):
                same = "is the same file as" if earlier.path.samefile(file.path) else "holds the same bytes as"
                fix = f"name another file, or leave {file.key} out: it is cut from data.path then"
                raise Refused(file.key, f"{file.path} {same} {earlier.key}", fix)
    return files


def near(word: str, known: Iterable[str]) -> str:
    """`nearest`, but where nothing is close a list is printed only if it is short."""
    names = sorted(set(known))
    hint = nearest(word[:80], names)
    return hint if len(hint) <= 300 else f"none of the {len(names)} there is close to {short(word)}"


def short(value: str) -> str:
    """`value` in quotes, cut for a message of one line."""
    return repr(value) if len(value) <= 80 else f"{value[:80]!r}…"


def said(error: BaseException) -> str:
    """The first line of what a library says, for a message of one line."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


def open_text(file: GivenFile) -> TextFile:
    """The file in memory, checked to be UTF-8 text; another format is refused by its first bytes."""
    data = read_bytes(file)
    refuse_other_kind(file, data[:_HEAD_BYTES])
    start, end = 3 if data.startswith(b"\xef\xbb\xbf") else 0, len(data)
    while end > start and data[end - 1] in b"\r\n":
        end -= 1
    text = TextFile(file.path, data, start, end)
    if error := _utf8_error(data):
        if error.reason == "unexpected end of data":
            raise Refused(text.place(error.start), "the file ends in the middle of a character", "it is cut off: fetch it again")
        fix = "save the file as UTF-8 (it may be Latin-1 or Windows-1252)"
        raise Refused(text.place(error.start), f"byte 0x{data[error.start]:02X} is not UTF-8", fix)
    nul = data.find(b"\0")
    if nul >= 0:
        fix = "save the file as UTF-8" if data[:_HEAD_BYTES].count(0) > len(data[:_HEAD_BYTES]) // 4 else "take it out"
        raise Refused(text.place(nul), "a NUL character, which no text holds", fix)
    return text


def read_bytes(file: GivenFile) -> bytes:
    """All bytes of a file that is not empty; one that gzip or zstd has packed is unpacked."""
    try:
        size = file.path.stat().st_size
        if size > _room():
            raise Refused(file.key, f"{file.path} has {size:,} bytes, more than half of the free memory", "take a part of it")
        data = file.path.read_bytes()
    except OSError as error:
        raise Refused(file.key, f"cannot read {file.path}: {error.strerror}", "check its permissions") from error
    if not data:
        raise Refused(f"{file.path}:1", "the file is empty (0 bytes)", file.other("another file"))
    packing = next((name for magic, name in _PACKINGS.items() if data.startswith(magic)), None)
    return data if packing is None else _unpacked(file, data, packing)


def _unpacked(file: GivenFile, data: bytes, packing: str) -> bytes:
    """The bytes that were packed; refused where they are far more than text packs to, long before they fill the memory."""
    parts: list[bytes] = []
    limit, n_bytes = most_unpacked(len(data)), 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), packing) as stream:
            while part := stream.read(_BLOCK_BYTES):
                parts.append(part)
                n_bytes += len(part)
                if n_bytes > limit:
                    what = f"{len(data):,} bytes of {packing} unpack to over {limit:,}, which no text does"
                    raise Refused(str(file.path), what, "unpack it and look at it")
    except (OSError, pa.ArrowException) as error:
        raise Refused(str(file.path), f"damaged {packing}: {said(error)}", "it is cut off or broken: fetch it again") from error
    if not n_bytes:
        raise Refused(f"{file.path}:1", f"the file is empty (0 bytes in {packing})", file.other("another file"))
    return b"".join(parts)


def most_unpacked(n_packed: int) -> int:
    """Bytes that rows in so many bytes of a file can come to, and the memory hold."""
    return min(max(_LEAST_UNPACKED, MAX_RATIO * n_packed), _room())


def _room() -> int:
    """Bytes that a file may have: rows are made of it, which take as much again."""
    import psutil

    return int(psutil.virtual_memory().available) // 2


def refuse_other_kind(file: GivenFile, head: bytes, *, but: str = "") -> None:
    """Refuse a file whose first bytes say that it is something else than text (or than `but`)."""
    for magic, kind, fix in _KINDS:
        if kind != but and re.match(magic, head):
            raise Refused(f"{file.path}:1", f"this is {kind}", fix)


def _check_is_there(file: GivenFile) -> None:
    path = file.path
    if path.is_file():
        return
    if path.is_dir():
        inside = sorted(found.name for found in path.iterdir() if found.is_file())
        name = inside[0] if inside else "…"
        raise Refused(file.key, f"{path} is a folder", f"name one file in it, such as {file.key}={path / name}")
    if path.exists():
        raise Refused(file.key, f"{path} is not a regular file", file.other("a file on a disk"))
    if str(path).startswith("~/"):
        raise Refused(file.key, f"no such file: {path}", f"~ is not expanded here: {file.key}={path.expanduser()}")
    if not path.parent.is_dir():
        raise Refused(file.key, f"no such file: {path}", f"there is no folder {path.parent}; the path is looked up from {Path.cwd()}")
    there = [found.name for found in path.parent.iterdir() if found.is_file()]
    raise Refused(file.key, f"no such file: {path}", near(path.name, there) if there else f"the folder {path.parent} holds no files")


def _same_content(one: Path, other: Path) -> bool:
    if one.samefile(other):
        return True
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(_BLOCK_BYTES):
            if block != right.read(_BLOCK_BYTES):
                return False
    return True


def _utf8_error(data: bytes) -> UnicodeDecodeError | None:
    # Arrow checks at several GB/s and makes no copy; Python's decoder would make one of up to four times the size.
    offsets = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            return error
    return None
