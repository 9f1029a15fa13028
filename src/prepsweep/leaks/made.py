"""What the preparation of train itself has put into it: another class's name, or the text of a dev or test row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.leaks.leak import Leak, leak
from prepsweep.leaks.words import Mask, class_names, codes, folded, stream_of
from prepsweep.schema import CLASSES, SPLITS, text_columns
from prepsweep.sources.files import short
from prepsweep.text import as_one


def made_leaks(whole: pa.Table, train: pa.Table) -> Iterator[Leak]:
    """Leaks of the rows with a new text in `train`, made from the train rows of `whole`."""
    children, parents = _rewritten(whole, train)
    if len(children):
        if CLASSES not in whole.column_names:
            yield from _names_of_others(children, parents, sorted(pc.unique(whole.column("label")).to_pylist()))
        yield from _texts_of_others(children, parents, whole)


def _rewritten(whole: pa.Table, train: pa.Table) -> tuple[pa.Table, pa.ChunkedArray]:
    """The made rows whose text is not their parent's, and the parents' texts."""
    known = pa.concat_tables([whole.select(["uid", "text"]), train.select(["uid", "text"])])
    made = train.filter(pc.is_valid(train.column("parent_uid")))
    at = pc.index_in(made.column("parent_uid").combine_chunks(), known.column("uid").combine_chunks())
    made, at = made.filter(pc.is_valid(at)), at.drop_null()
    parents = known.column("text").take(at)
    changed = pc.not_equal(made.column("text"), parents)
    return made.filter(changed), parents.filter(changed)


def _names_of_others(children: pa.Table, parents: pa.ChunkedArray, classes: list[str]) -> Iterator[Leak]:
    n_rows = len(children)
    words = stream_of(pa.chunked_array([*children.column("text").chunks, *parents.chunks], pa.string())).words
    for label, name in class_names(classes):
        named = words.rows_with(name)
        other = pc.not_equal(children.column("label"), label).to_numpy()
        new: Mask = named[:n_rows] & ~named[n_rows:] & other
        if new.any():
            found = children.filter(pa.array(new))
            origins = ", ".join(sorted(pc.unique(found.column("origin")).to_pylist()))
            what = f"{len(found):,} of {n_rows:,} rows made by {origins} name the class {short(label)}, which is not theirs"
            yield leak("made_text_names_another_class", "medium", ("train",), what, found.column("uid").to_pylist())


def _texts_of_others(children: pa.Table, parents: pa.ChunkedArray, whole: pa.Table) -> Iterator[Leak]:
    """Made rows whose text is, but for case and punctuation, that of a dev or test row, where their parent's is not.

    The second text of a pair is the parent's own, and must be that of the dev or test row too.
    """
    read = text_columns(children.column_names)
    for split in SPLITS[1:]:
        rows = whole.filter(pc.equal(whole.column("split"), split))
        first = [folded(column) for column in (children.column("text"), parents, rows.column("text"))]
        others = [[folded(table.column(name)) for table in (children, children, rows)] for name in read[1:]]
        texts = [as_one(columns) for columns in zip(first, *others, strict=True)]
        numbers = codes(pa.chunked_array([chunk for column in texts for chunk in column.chunks], pa.string()))
        child, parent, there = np.split(numbers, [len(children), 2 * len(children)])
        new = np.isin(child, there) & ~np.isin(parent, there) & pc.not_equal(first[0], "").to_numpy()
        if new.any():
            what = f"{new.sum():,} rows made from train rows have the text of a {split} row"
            uids = children.column("uid").filter(pa.array(new)).to_pylist()
            yield leak("made_text_in_another_split", "high", ("train", split), what, uids)
