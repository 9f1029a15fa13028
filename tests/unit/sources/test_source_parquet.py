"""Parquet: types that are taken, types and files that are not, and the row of a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prepsweep.sources.parquet import fingerprint, parquet
from tests.unit.sources.helpers import arguments, refusal

TEXTS = pa.array(["a", "b", "c"])


def write(name: str = "rows.parquet", **columns: Any) -> None:
    arrow_parquet.write_table(pa.table(columns), name)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array(["NA", "null", " x"]), ["NA", "null", " x"]),
        (pa.array(["x", "y", "z"], pa.large_string()), ["x", "y", "z"]),
        (pa.array(["x", "y", "z"], pa.string_view()), ["x", "y", "z"]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        (pa.array([2**63 - 1, -7, 0]), ["9223372036854775807", "-7", "0"]),
        (pa.array([2**64 - 1, 1, 0], pa.uint64()), ["18446744073709551615", "1", "0"]),
        (pa.array([3, 1, 3], pa.int8()).dictionary_encode(), ["3", "1", "3"]),
        (pa.array([True, False, True]), ["true", "false", "true"]),
    ],
    ids=["string", "large string", "view", "dictionary", "int64", "uint64", "int dictionary", "bool"],
)
def test_labels_by_type(labels: pa.Array, expected: list[str]) -> None:
    write(text=TEXTS, label=labels, other=pa.array([[1], [], None]))
    rows = parquet(**arguments(path="rows.parquet"))
    assert (rows[:]["text"], rows[:]["label"]) == (["a", "b", "c"], expected)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_texts_by_type(kind: pa.DataType) -> None:
    texts = ["", " \n", "a\0b ${x} 👨‍👩‍👧"]
    write(text=pa.array(texts).cast(kind), label=TEXTS)
    assert parquet(**arguments(path="rows.parquet"))[:]["text"] == texts


BAD_COLUMNS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "float labels": ({"text": TEXTS, "label": [0.5, 1.0, 2.0]}, "rows.parquet", "looks continuous: 'label' holds double", "integers"),
    "decimal labels": (
        {"text": TEXTS, "label": pa.array([1, 2, 3]).cast(pa.decimal128(21, 2))},
        "rows.parquet",
        "looks continuous",
        "integers",
    ),
    "dates": ({"text": TEXTS, "label": pa.array([1, 2, 3], pa.date32())}, "rows.parquet", "not names of labels", "data.label_column"),
    "lists": ({"text": TEXTS, "label": [["x"], [], ["y"]]}, "rows.parquet", "holds list", "data.label_column"),
    "number as text": ({"text": [1, 2, 3], "label": TEXTS}, "rows.parquet", "'text' holds int64, not text", "data.text_column"),
    "bytes as text": ({"text": pa.array([b"a", b"b", b"c"]), "label": TEXTS}, "rows.parquet", "holds binary", "data.text_column"),
    "null text": ({"text": ["a", None, "c"], "label": TEXTS}, "rows.parquet:2", "the text is missing", "take the row out"),
    "null label": ({"text": TEXTS, "label": ["x", "y", None]}, "rows.parquet:3", "the label is missing", "fill it in"),
    "null in a dictionary": (
        {"text": TEXTS, "label": pa.array(["x", None, "x"]).dictionary_encode()},
        "rows.parquet:2",
        "the label is missing",
        "fill it in",
    ),
    "blank label": ({"text": TEXTS, "label": ["x", "y", ""]}, "rows.parquet:3", "the label is blank", "fill it in"),
    "wrong name": ({"txt": TEXTS, "label": TEXTS}, "rows.parquet", "no column 'text'", "set data.text_column: did you mean 'txt'?"),
    "case variants": ({"text": TEXTS, "label": ["x", "y", "X"]}, "rows.parquet:3", "'X' differs from 'x' (rows.parquet:1)", "data.classes"),
    "no rows": ({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}, "rows.parquet", "no rows", "data.path"),
    "not UTF-8": (
        {
            "text": TEXTS,
            "label": pa.Array.from_buffers(
                pa.string(), 3, [None, pa.array([0, 1, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"xy\xff")]
            ),
        },
        "rows.parquet:3",
        "'label' is not UTF-8",
        "write the file again",
    ),
}


@pytest.mark.parametrize("case", BAD_COLUMNS)
def test_bad_columns_are_refused_at_their_row(case: str) -> None:
    columns, where, what, fix = BAD_COLUMNS[case]
    write(**columns)
    with refusal(where, what, fix):
        parquet(**arguments(path="rows.parquet"))


BAD_FILES: dict[str, tuple[bytes, str, str, str]] = {
    "0 bytes": (b"", "rows.parquet", "0 bytes", "data.path"),
    "csv": (b"text,label\na,b\n", "rows.parquet", "not Parquet", "data=csv"),
    "png": (b"\x89PNG\r\n\x1a\n", "rows.parquet:1", "a PNG image", "rows"),
    "pickle": (b"\x80\x05\x95", "rows.parquet:1", "pickle", "Parquet"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\n", "rows.parquet:1", "Git LFS", "git lfs pull"),
    "feather": (b"ARROW1\0\0", "rows.parquet:1", "Feather", "data=parquet"),
    "encrypted": (b"PARE\0\0PARE", "rows.parquet:1", "encrypted", "decrypt"),
    "cut off": (b"PAR1\x15\x04\x15", "rows.parquet", "cut off", "again"),
    "damaged": (b"PAR1\x15\x04\x15\xff\xff\xff\x0fPAR1", "rows.parquet", "damaged Parquet", "again"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_other_files_are_refused(case: str) -> None:
    data, where, what, fix = BAD_FILES[case]
    Path("rows.parquet").write_bytes(data)
    with refusal(where, what, fix):
        parquet(**arguments(path="rows.parquet"))


def test_a_bomb_is_refused_unread() -> None:
    arrow_parquet.write_table(
        pa.table({"text": ["x" * 20_000_000], "label": ["y"]}), "rows.parquet", compression="zstd", use_dictionary=False
    )
    assert Path("rows.parquet").stat().st_size < 100_000
    with refusal("rows.parquet", "unpack to over 4,000,000 bytes a row", "cut"):
        parquet(**arguments(path="rows.parquet"))


def test_a_text_that_is_there_once_for_all_rows_is_not_written_out() -> None:
    once = pa.DictionaryArray.from_arrays(pa.array([0] * 30), pa.array(["x" * 3_900_000]))
    arrow_parquet.write_table(pa.table({"text": once, "label": ["y", "z"] * 15}), "rows.parquet", compression="zstd")
    assert Path("rows.parquet").stat().st_size < 10_000
    with refusal("rows.parquet", "bytes of Parquet come to over 67,108,864 written out", "repeats"):
        parquet(**arguments(path="rows.parquet"))


# The second one's statistics speak of nulls: pyarrow ends the process when it is asked about the column.
@pytest.mark.parametrize(("was", "now"), [(b"text", b"\xffext"), (b"\x25\x02\x18\x04text", b"\x25\x00\x18\x04text")])
def test_damage_that_arrow_does_not_expect(was: bytes, now: bytes) -> None:
    write(text=TEXTS, label=["x", "y", "x"])
    path = Path("rows.parquet")
    assert was in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(was, now))
    with refusal("rows.parquet", "damaged Parquet", "fetch"):
        parquet(**arguments(path="rows.parquet"))


def test_two_columns_of_one_name() -> None:
    arrow_parquet.write_table(pa.Table.from_arrays([TEXTS, TEXTS, TEXTS], names=["text", "label", "text"]), "rows.parquet")
    with refusal("rows.parquet", "two columns are named 'text'", "rename"):
        parquet(**arguments(path="rows.parquet"))


def test_splits_groups_and_files() -> None:
    write(text=TEXTS, label=["x", "y", "x"], film=[1, 1, 2])
    write("test.parquet", text=TEXTS, label=["x", "x", "y"], film=[3, 3, 3])
    rows = parquet(**arguments(path="rows.parquet", dev_path="test.parquet", group_column="film"))
    assert (rows[:]["split"], rows[:]["group"]) == ([""] * 3 + ["dev"] * 3, ["1", "1", "2", "3", "3", "3"])
    with refusal("data.test_path", "no such file", "did you mean 'test.parquet'?"):
        fingerprint(**arguments(path="rows.parquet", test_path="tests.parquet"))
    write("float.parquet", text=TEXTS, label=["x", "y", "x"], film=[1.0, 2.0, 3.0])
    with refusal("float.parquet", "group column looks continuous", "integers"):
        parquet(**arguments(path="float.parquet", group_column="film"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text_makes_the_round_trip(texts: list[str]) -> None:
    write(text=pa.array(texts, pa.string()), label=[f"class {row}" for row in range(len(texts))])
    assert parquet(**arguments(path="rows.parquet"))[:]["text"] == texts


def test_times_that_are_coded_as_a_dictionary_are_read_as_others() -> None:
    times = ["2024-05-30", "2024-05-31", "2024-05-30"]
    write(text=TEXTS, label=["x", "y", "x"], at=pa.array(times).dictionary_encode())
    assert parquet(**arguments(path="rows.parquet", time_column="at"))[:]["time"] == times
