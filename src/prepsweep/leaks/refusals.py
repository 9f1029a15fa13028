"""Splits on which a test would be no test, whatever the model: refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.leaks.splits import PAIRS
from prepsweep.schema import SPLITS, UNSPLIT
from prepsweep.sources.files import short
from prepsweep.sources.times import as_instants
from prepsweep.text import whole_texts


def refuse_unfair(source: pa.Table, rows: pa.Table) -> None:
    """Refuse splits that cannot be tested on; `source` is what the data brought, `rows` what the split made of it."""
    # Before cleaning as well: it would hide that one file is part of another by emptying train.
    for table in (source, rows):
        _refuse_contained(table)
    _refuse_shared_groups(rows)
    _refuse_later_train(rows)


def _refuse_contained(table: pa.Table) -> None:
    """Refuse a dev or test split all of whose texts are in another split too."""
    whole = pa.table({"text": whole_texts(table), "split": table.column("split")})
    texts = {name: _of(whole, "text", [name, UNSPLIT] if name == "train" else [name]) for name in SPLITS}
    for one, other in ((later, earlier) for pair in PAIRS for earlier, later in (pair, pair[::-1])):
        if one == "train" or not len(texts[one]) or not len(texts[other]):
            continue
        if _is_contained(texts[one], texts[other]):
            chosen = "train" not in (one, other)
            why = "the model would be chosen by the test" if chosen else "a score would be that of rows seen in training"
            what = f"all {len(texts[one]):,} texts of {one} are in {other} too: {why}"
            raise Refused("data", what, f"give other rows for {one}; where it is cut from the rest, clean=exact_dedup drops the copies")


def _is_contained(one: pa.Array, other: pa.Array) -> bool:
    # In fair splits a few texts are enough to say no, and need no table of all.
    few = one.slice(0, 100)
    known = other.filter(pc.is_in(other, few))
    return bool(pc.all(pc.is_in(few, known)).as_py() and pc.all(pc.is_in(one, other)).as_py())


def _refuse_shared_groups(rows: pa.Table) -> None:
    """Refuse a value of `data.group_column` in two splits."""
    if "group" not in rows.column_names:
        return
    places = rows.select(["group", "split"]).group_by(["group", "split"]).aggregate([([], "count_all")])
    counts = places.group_by("group").aggregate([("split", "count"), ("split", "list")])
    shared = counts.filter(pc.greater(counts.column("split_count"), 1)).sort_by("group")
    if len(shared):
        group, there = shared.column("group")[0].as_py(), set(shared.column("split_list")[0].as_py())
        names = " and ".join(name for name in SPLITS if name in there)
        more = f", and so are {len(shared) - 1:,} others" if len(shared) > 1 else ""
        what = f"group {short(group)} is in {names}{more}"
        raise Refused("data.group_column", what, "use split=grouped, keep all rows of a group in one file, or set data.group_column=null")


def _refuse_later_train(rows: pa.Table) -> None:
    """Refuse a train row that is later than a test row, by `data.time_column`."""
    if "time" not in rows.column_names:
        return
    instants = as_instants(rows.column("time"))
    if instants is None:
        raise Refused("data.time_column", "the files write their times in different ways", "write all as ISO 8601 dates, or as numbers")
    ordered = rows.set_column(rows.column_names.index("time"), "time", instants)
    train, test = _of(ordered, "time", ["train"]), _of(ordered, "time", ["test"])
    first = pc.min(test)
    n_later = pc.sum(pc.greater(train, first)).as_py()
    if n_later:
        shown = {name: short(str(value.as_py()).removesuffix(" 00:00:00")) for name, value in (("train", pc.max(train)), ("test", first))}
        what = f"{n_later:,} train rows are later than the first test row (up to {shown['train']}, after {shown['test']})"
        raise Refused("data.time_column", what, "cut by time: give the latest rows in data.test_path, or set data.time_column=null")


def _of(table: pa.Table, column: str, splits: list[str]) -> pa.Array:
    return table.column(column).filter(pc.is_in(table.column("split"), pa.array(splits))).combine_chunks()
