"""Labels from votes that the data brings: of rules, of other models, of weak supervision done elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.annotate.ballots import ballots_of, coded
from prepsweep.annotate.consensus import labelled, learned_from
from prepsweep.annotate.label_models import check_label_model
from prepsweep.annotate.lists import listed, refuse_missing
from prepsweep.annotate.origins import check_on_abstain, check_rows_asked
from prepsweep.errors import Refused
from prepsweep.lineage import Result, table_of

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "annotate.votes"


def votes(
    dataset: Dataset,
    *,
    columns: list[str],
    names: list[str] | None,
    classes: Mapping[str, str] | None,
    abstain: list[Any],
    label_model: str,
    soft: bool,
    rows: str,
    on_abstain: str,
) -> Result:
    """The label that the votes in `columns` make of each row, by `label_model`: `majority`, `dawid_skene`, `mace` or `generative`.

    A column holds one vote a row, or a list of them in JSON (`data.carry_columns` brings it along), always of the same
    voters in the same order, whom `names` names. A vote is the name of a class, or what `classes` maps to one (`{0: HAM,
    1: SPAM}`); those in `abstain`, nulls and empty strings are none.
    """
    check(columns=columns, names=names, classes=classes, label_model=label_model, rows=rows, on_abstain=on_abstain)
    check_rows(dataset, columns=columns, names=names, classes=classes, abstain=abstain)
    given = _voters(table_of(dataset), columns)
    mapped = [_classes(column, classes, abstain) for column in given.values()]
    matrix, found = coded(mapped)
    ballots = ballots_of(matrix, names or list(given), found, learned_from(dataset))
    return labelled(dataset, ballots, label_model=label_model, soft=soft, origin="rule", rows=rows, on_abstain=on_abstain)


def check(
    *, columns: Sequence[str], names: Sequence[str] | None, classes: Any, label_model: str, rows: str, on_abstain: str, **_: object
) -> None:
    """Refuse no columns, names that are not distinct, and an unknown label model."""
    if isinstance(columns, str) or not columns:
        raise Refused(f"{_WHERE}.columns", "no column of votes is named", f"set {_WHERE}.columns=[…], and data.carry_columns to the same")
    if names is not None and len(set(names)) < len(names):
        raise Refused(f"{_WHERE}.names", "two voters have one name", "name each once")
    if classes is not None and not isinstance(classes, Mapping):
        raise Refused(
            f"{_WHERE}.classes", f"must map votes to classes, got {classes!r}", f"write '{_WHERE}.classes={{0:HAM,1:SPAM}}', in quotes"
        )
    check_label_model(label_model, _WHERE)
    check_rows_asked(rows, _WHERE)
    check_on_abstain(on_abstain, _WHERE)


def check_rows(
    dataset: Dataset, *, columns: Sequence[str], names: Sequence[str] | None, classes: Any, abstain: Sequence[Any], **_: object
) -> None:
    """Refuse rows without these columns or with other numbers of votes, and votes that no class is named by."""
    table = table_of(dataset)
    refuse_missing(table, columns, f"{_WHERE}.columns")
    given = _voters(table, columns)
    if names is not None and len(names) != len(given):
        raise Refused(f"{_WHERE}.names", f"names {len(names)} voters, and a row has {len(given)} votes", "name each of them, in order")
    if classes is not None:
        known = {_said(vote) for vote in [*classes, *abstain, None]}
        unknown = sorted({vote for column in given.values() for vote in pc.unique(column).to_pylist()} - known - {None})
        if unknown:
            fix = f"add it to {_WHERE}.classes or {_WHERE}.abstain"
            raise Refused(f"{_WHERE}.classes", f"a vote is {unknown[0]!r}, which names no class", fix)


def _voters(table: pa.Table, columns: Sequence[str]) -> dict[str, pa.Array]:
    """Name of a voter → their votes as text."""
    found: dict[str, pa.Array] = {}
    for name in columns:
        values = listed(table[name])
        if values is None:
            found[name] = table[name].combine_chunks()
            continue
        sizes = pc.unique(pc.list_value_length(values)).to_pylist()
        if len(sizes) != 1 or not sizes[0]:
            what = f"has lists of {', '.join(map(str, sizes[:5]))} votes: a list must have a place for each voter"
            raise Refused(f"{_WHERE}.columns", f"the column {name!r} {what}", "for lists of whoever voted use annotate=crowd")
        found |= {f"{name}[{place}]": pc.list_element(values, place) for place in range(sizes[0])}
    return found


def _classes(votes: pa.Array, classes: Mapping[Any, str] | None, abstain: Sequence[Any]) -> pa.Array:
    none = {"", *(_said(vote) for vote in abstain)}
    names = {_said(vote): name for vote, name in (classes or {}).items()}
    encoded = votes.dictionary_encode()
    told = [None if vote in none else names.get(vote, vote) for vote in encoded.dictionary.to_pylist()]
    return pa.array(told, pa.string()).take(encoded.indices)


def _said(vote: Any) -> str:
    return vote if isinstance(vote, str) else json.dumps(vote)
