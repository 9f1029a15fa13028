"""The facts of a data set as one plain dict, counted over all its rows."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import Any

import ftfy
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.label_spellings import folded
from prepsweep.leaks.leak import Leak
from prepsweep.leaks.position import telling_columns, telling_order
from prepsweep.leaks.repeats import labels_in_conflict, repeats_across
from prepsweep.leaks.report import worst_first
from prepsweep.leaks.shortcuts import names_in_texts, telling_tokens
from prepsweep.leaks.splits import Splits
from prepsweep.leaks.words import Mask, Numbers
from prepsweep.profile.giveaways import giveaways
from prepsweep.progress import track
from prepsweep.row_classes import by_class, strata
from prepsweep.schema import CLASSES, TOKENS

N_EXAMPLES = 3
_QUANTILES = {"min": 0.0, "p10": 0.1, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_N_BINS = 24


def facts_of(table: pa.Table) -> dict[str, Any]:
    """Sizes, lengths, repeats, conflicts, odd texts and labels, and tokens that give a class away.

    `rows` of a repeat are the copies beyond the first of a text and label, which is what deduplication would drop.
    Every count is exact; `examples` are a few rows of it, by uid and text. Where a row has several classes it counts for
    each; what gives a class away is then asked of the classes of a row together.
    """
    given = Splits(table)
    rows = Splits(_with_one_class(table)) if CLASSES in table.column_names else given
    texts = table.column("text")
    counted = by_class(table.append_column("n_words", pa.array(rows.tokens.words.lengths)))
    classes = _counts(counted.column("label"))
    blank = pc.equal(pc.utf8_trim_whitespace(texts), "").to_numpy()
    return {
        "rows": len(table),
        "splits": {split or "all": n for split, n in _counts(table.column("split")).items()},
        "classes": classes,
        "classes_by_split": _by_split(counted),
        "imbalance_ratio": round(max(classes.values()) / min(classes.values()), 2),
        "length": _lengths(rows, counted),
        "repeats": _found(table, repeats := _copies(given.texts, given)),
        "repeats_but_for_case_and_marks": _found(table, _copies(_bare(given), given) & ~repeats),
        "leaks": [found.as_record() for found in _leaks(rows)],
        "conflicts": _conflicts(given),
        "blank_texts": _found(table, blank),
        "texts_without_words": _found(table, (rows.tokens.words.lengths == 0) & ~blank),
        "mojibake": _found(table, _mojibake(texts)),
        "replacement_characters": _found(table, pc.match_substring(texts, "\ufffd").to_numpy()),
        "label_spellings": _spellings(classes),
        "giveaways": giveaways(rows),
    }


def _with_one_class(table: pa.Table) -> pa.Table:
    together = table.set_column(table.column_names.index("label"), "label", strata(table))
    return together.drop_columns([name for name in (CLASSES, TOKENS) if name in table.column_names])


def _leaks(rows: Splits) -> list[Leak]:
    """What a run over these splits would report; repeats across splits only where the data brings splits along."""
    shortcuts = [*telling_tokens(rows), *names_in_texts(rows), *telling_order(rows.table), *telling_columns(rows.table)]
    return worst_first([*repeats_across(rows), *shortcuts])


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Value → how often, the most frequent first, ties by name."""
    counted = pc.value_counts(column.combine_chunks()).to_pylist()
    return {cell["values"]: cell["counts"] for cell in sorted(counted, key=lambda cell: (-cell["counts"], cell["values"]))}


def _by_split(table: pa.Table) -> dict[str, dict[str, int]]:
    counted = table.group_by(["split", "label"]).aggregate([([], "count_all")]).to_pylist()
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for cell in sorted(counted, key=lambda cell: (cell["split"], cell["label"])):
        found[cell["split"] or "all"][cell["label"]] = cell["count_all"]
    return dict(found)


def _found(table: pa.Table, mask: Mask) -> dict[str, Any]:
    examples = table.filter(pa.array(mask)).slice(0, N_EXAMPLES).select(["uid", "text"])
    return {"rows": int(mask.sum()), "examples": [{"uid": row["uid"], "text": row["text"]} for row in examples.to_pylist()]}


def _copies(texts: Numbers, rows: Splits) -> Mask:
    """Rows whose text and label an earlier row has."""
    pairs = texts * len(rows.classes) + rows.labels
    _, first = np.unique(pairs, return_index=True)
    copies = np.ones(len(pairs), dtype=bool)
    copies[first] = False
    return copies


def _bare(rows: Splits) -> Numbers:
    # Texts of nothing but marks (-1) are no copies of each other: each keeps a number of its own.
    return np.where(rows.folded < 0, rows.texts + rows.folded.max(initial=0) + 1, rows.folded)


def _conflicts(rows: Splits) -> dict[str, Any]:
    found = next(labels_in_conflict(rows), None)
    if found is None:
        return {"rows": 0, "examples": []}
    some = rows.table.filter(pc.is_in(rows.table.column("uid"), pa.array(found.examples))).select(["uid", "text", "label"])
    return {"rows": found.count, "examples": some.slice(0, N_EXAMPLES).to_pylist()}


def _lengths(rows: Splits, counted: pa.Table) -> dict[str, Any]:
    words = rows.tokens.words.lengths
    characters = pc.utf8_length(rows.table.column("text")).to_numpy()
    # The last bin is open: one text of a megabyte must not squeeze all others into the first.
    top = max(float(np.quantile(words, 0.99)), 1.0)
    edges = np.unique(np.ceil(np.linspace(0, top + 1, _N_BINS + 1)).astype(np.int64))
    encoded = counted.column("label").combine_chunks().dictionary_encode()
    codes, lengths = np.asarray(encoded.indices), counted.column("n_words").to_numpy()
    ends = np.cumsum(np.bincount(codes))[:-1]
    per_class = dict(zip(encoded.dictionary.to_pylist(), np.split(lengths[np.argsort(codes, kind="stable")], ends), strict=True))
    return {
        "words": _quantiles(words),
        "characters": _quantiles(characters),
        "words_by_class": {name: _quantiles(of_class) for name, of_class in per_class.items()},
        "histogram": {
            "edges": edges.tolist(),
            "by_class": {
                name: np.histogram(np.minimum(of_class, edges[-1] - 1), bins=edges)[0].tolist() for name, of_class in per_class.items()
            },
        },
    }


def _quantiles(values: Numbers) -> dict[str, float]:
    found = np.quantile(values, list(_QUANTILES.values()), method="inverted_cdf")
    return dict(zip(_QUANTILES, found.tolist(), strict=True)) | {"mean": round(float(values.mean()), 1)}


def _mojibake(texts: pa.ChunkedArray) -> Mask:
    """Texts that ftfy can read as UTF-8 that was taken for another encoding ("schÃ¶n")."""
    suspects = np.flatnonzero(~pc.string_is_ascii(texts).to_numpy())
    found = np.zeros(len(texts), dtype=bool)
    for row in track(suspects.tolist(), "looking for mojibake"):
        text = texts[row].as_py()
        found[row] = ftfy.fix_encoding(text) != text
    return found


def _spellings(classes: dict[str, int]) -> list[dict[str, int]]:
    """Groups of class names that are probably one in several spellings, in full width and half width among them."""
    groups: dict[str, dict[str, int]] = defaultdict(dict)
    for name, n_rows in classes.items():
        groups[folded(unicodedata.normalize("NFKC", name))][name] = n_rows
    return [group for group in groups.values() if len(group) > 1]
