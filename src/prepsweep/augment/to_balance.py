"""Augmentation as a balancing step: new text for the smaller classes only, instead of copies."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prepsweep.augment.wrapped import Augment, Made, make_inner, with_children
from prepsweep.balance.targets import Strategy, check_strategy, sampling_targets
from prepsweep.lineage import Result, dataset_of, drop, table_of
from prepsweep.randomness import draw_by_label
from prepsweep.schema import ONE_CLASS
from prepsweep.text import whole_texts

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = (ONE_CLASS,)
_WHERE = "augment.to_balance.sampling_strategy"


def check(*, sampling_strategy: Strategy, **_: object) -> None:
    """Refuse a strategy that imbalanced-learn does not know."""
    check_strategy(sampling_strategy, where=_WHERE)


def check_rows(dataset: Dataset, *, sampling_strategy: Strategy, **_: object) -> None:
    """Refuse a strategy that these classes cannot follow."""
    sampling_targets(table_of(dataset).column("label").to_pylist(), sampling_strategy, where=_WHERE, kind="over-sampling")


def to_balance(dataset: Dataset, *, seed: int, stage: Augment, sampling_strategy: Strategy, num_proc: int) -> Result:
    """Children that `stage` makes of rows of the smaller classes, until each has the size that `sampling_strategy` asks for.

    At first as many parents, in random order, are tried as children are missing; where these do not make enough, all
    others of the class. Every parent's first child is taken before any second one. What is beyond the target leaves
    as `surplus`, and a text that the class has already as `repeated`, unless it is the parent's own, which a stage
    makes on purpose (`duplicate`, the control). Where a class stays short, the facts say by how many rows.
    """
    labels, uids = (table_of(dataset).column(name).to_pylist() for name in ("label", "uid"))
    wanted = sampling_targets(labels, sampling_strategy, where=_WHERE, kind="over-sampling")
    parents = draw_by_label(uids, labels, seed=seed, stage="to_balance")
    place_of = {uids[row]: place for rows in parents.values() for place, row in enumerate(rows)}
    first = [row for label, n_rows in wanted.items() for row in parents[label][:n_rows]]
    passes = [make_inner(dataset, stage, rows=sorted(first), wrapper="to_balance", seed=seed, num_proc=num_proc)]
    reasons, short = _choose(dataset, passes, wanted, place_of)
    rest = [row for label in short for row in parents[label][wanted[label] :]]
    if rest:
        passes.append(make_inner(dataset, stage, rows=sorted(rest), wrapper="to_balance", seed=seed, num_proc=num_proc))
        reasons, short = _choose(dataset, passes, wanted, place_of)
    children = dataset_of(pa.concat_tables(made.children for made in passes))
    for reason in ("repeated", "surplus"):
        children = drop(children, reason, [found == reason for found in reasons])
    facts: dict[str, Any] = {"passes": len(passes)} | ({"short": short} if short else {})
    facts |= {"stage": [dict(made.facts) for made in passes]} if any(made.facts for made in passes) else {}
    evidence = [made.evidence for made in passes if made.evidence is not None]
    return Result(with_children(dataset, [table_of(children)]), facts, pa.concat_tables(evidence) if evidence else None)


def _choose(
    dataset: Dataset, passes: list[Made], wanted: dict[str, int], place_of: dict[str, int]
) -> tuple[list[str | None], dict[str, int]]:
    """Per child why it cannot stay, None for those that can; and how many rows each class is short of."""
    given = table_of(dataset)
    text_of = dict(zip(given.column("uid").to_pylist(), whole_texts(given).to_pylist(), strict=True))
    taken = set(zip(given.column("label").to_pylist(), text_of.values(), strict=True))
    made = pa.concat_tables(found.children for found in passes)
    texts, children = whole_texts(made).to_pylist(), made.select(["parent_uid", "label", "dropped"]).to_pylist()
    nth: defaultdict[str, int] = defaultdict(int)
    turns = []
    for number, child in enumerate(children):
        if child["dropped"] is None:
            turns.append((nth[child["parent_uid"]], place_of[child["parent_uid"]], number))
            nth[child["parent_uid"]] += 1
    reasons: list[str | None] = [None] * len(children)
    missing = Counter(wanted)
    for _, _, number in sorted(turns):
        label, text = children[number]["label"], texts[number]
        if text != text_of[children[number]["parent_uid"]] and (label, text) in taken:
            reasons[number] = "repeated"
        elif not missing[label]:
            reasons[number] = "surplus"
        else:
            missing[label] -= 1
            taken.add((label, text))
    return reasons, {label: n_rows for label, n_rows in sorted(missing.items()) if n_rows}
