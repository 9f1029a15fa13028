"""One spelling for each class."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.errors import Refused, nearest
from prepsweep.label_spellings import folded
from prepsweep.lineage import Result, table_of, with_column
from prepsweep.schema import ONE_CLASS

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS,)
_WHERE = "clean.fix_labels.mapping"


def check(*, mapping: Mapping[str, str] | None) -> None:
    """Refuse a mapping to a blank name, to no text, or of one name over another to a third."""
    if mapping is not None and not isinstance(mapping, Mapping):
        raise Refused(_WHERE, f"must map old names to new, got {mapping!r}", f"write {_WHERE}={{neg:negative,pos:positive}}")
    for old, new in (mapping or {}).items():
        for name in (old, new):
            if not isinstance(name, str) or not _tidy(name):
                raise Refused(_WHERE, f"{name!r} is not the name of a class", f"quote it: {_WHERE}={{'{old}':'{new}'}}")
        if new != old and new in (mapping or {}):
            raise Refused(_WHERE, f"maps {old!r} to {new!r}, which it maps on to {(mapping or {})[new]!r}", f"map {old!r} to the last name")


def check_rows(dataset: Dataset, *, mapping: Mapping[str, str] | None) -> None:
    """Refuse a key of the mapping that no row has."""
    tidied = set(_one_spelling(_counts(dataset)).values())
    for old in mapping or {}:
        if old not in tidied:
            raise Refused(_WHERE, f"no row has the label {old!r}", nearest(old, tidied))


def fix_labels(dataset: Dataset, *, mapping: Mapping[str, str] | None) -> Result:
    """Labels in one spelling each: NFC, white space trimmed and single, of several cases the most frequent, then mapped.

    Of two cases equally frequent the one that sorts first stays. `mapping` has the names as they are after that. Rows of
    every split are changed: a spelling is no judgement. Where spellings differ the source refuses them as a likely
    mistake, unless `data.classes=any`; the classes are then those that the rows have after cleaning.
    """
    check(mapping=mapping)
    check_rows(dataset, mapping=mapping)
    counts = _counts(dataset)
    renamed = {label: (mapping or {}).get(tidied, tidied) for label, tidied in _one_spelling(counts).items()}
    encoded = table_of(dataset).column("label").combine_chunks().dictionary_encode()
    names = pa.array([renamed[label] for label in encoded.dictionary.to_pylist()], pa.string())
    changed = {f"{old} -> {new}": counts[old] for old, new in sorted(renamed.items()) if old != new}
    return Result(with_column(dataset, "label", names.take(encoded.indices)), {"relabelled": changed} if changed else {})


def _counts(dataset: Dataset) -> dict[str, int]:
    labels = table_of(dataset).column("label").value_counts()
    return dict(zip(labels.field("values").to_pylist(), labels.field("counts").to_pylist(), strict=True))


def _one_spelling(counts: Mapping[str, int]) -> dict[str, str]:
    """Label as it is → its one spelling, before the mapping."""
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, n_rows in counts.items():
        spellings[folded(label)][_tidy(label)] += n_rows
    best = {folded: min(found, key=lambda name: (-found[name], name)) for folded, found in spellings.items()}
    return {label: best[folded(label)] for label in counts}


def _tidy(label: str) -> str:
    return " ".join(unicodedata.normalize("NFC", label).split())
