"""What somebody decided about a row, and what follows from all that was decided about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prepsweep.errors import Refused

REVIEWER, ADJUDICATOR = "reviewer", "adjudicator"
RULES = ("majority", "unanimous", "adjudicated")


@dataclass(frozen=True)
class Decision:
    """One person's class for one row; `data` and `text` are what the file says stood there, `where` is its place in the file."""

    uid: str
    label: str
    reviewer: str
    where: str
    role: str = REVIEWER
    decided_at: str | None = None
    data: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class ReviewFile:
    """What a file holds: its decisions, and how many rows it asked about without an answer."""

    decisions: list[Decision]
    n_undecided: int


def by_row(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """Uid → one decision of each person, in the order of the uids and of the names.

    Of two by one person the later counts; where no time says which that is, they must be equal.
    """
    latest: dict[tuple[str, str, str], Decision] = {}
    for new in decisions:
        key = (new.uid, new.reviewer, new.role)
        old = latest.setdefault(key, new)
        if old.label != new.label and (old.decided_at is None or new.decided_at is None or old.decided_at == new.decided_at):
            what = f"{new.reviewer!r} says {new.label!r} here and {old.label!r} in {old.where}, and no time tells which came later"
            raise Refused(new.where, what, "keep one of them, or name two reviewers")
        if (new.decided_at or "") > (old.decided_at or ""):
            latest[key] = new
    found: dict[str, list[Decision]] = {}
    for key in sorted(latest):
        found.setdefault(key[0], []).append(latest[key])
    return found


def verdict(decisions: Sequence[Decision], rule: str) -> str | None:
    """The label that the decisions on one row give it, None where they do not settle it.

    `majority`: more people than for any other class, an adjudicator among them. `unanimous`: all of them. `adjudicated`:
    the adjudicator, and where nobody had to be asked because all agree, all.
    """
    said = [decision for decision in decisions if decision.role == ADJUDICATOR] if rule == "adjudicated" else []
    votes = Counter(decision.label for decision in said or decisions).most_common(2)
    if len(votes) == 1:
        return votes[0][0]
    return votes[0][0] if rule == "majority" and votes[0][1] > votes[1][1] else None


def agreement(rows: Mapping[str, Sequence[Decision]], classes: Sequence[str]) -> dict[str, float | int | None]:
    """How far people agree beyond chance where at least two decided on one row, with a 95% interval; adjudicators left out.

    Krippendorff's alpha for any number of people, Cohen's kappa where there are two; None where it has no value, because all
    decisions are for one class.
    """
    import numpy as np

    from prepsweep.annotate.agreement import bootstrap_interval, cohen_kappa, krippendorff_alpha

    shared = {uid: [each for each in found if each.role == REVIEWER] for uid, found in rows.items()}
    shared = {uid: found for uid, found in shared.items() if len(found) > 1}
    if not shared:
        return {"rows_shared": 0}
    people = sorted({each.reviewer for found in shared.values() for each in found})
    codes, columns = {label: code for code, label in enumerate(classes)}, {name: column for column, name in enumerate(people)}
    values = np.full((len(shared), len(people)), np.nan)
    for place, uid in enumerate(sorted(shared)):
        for each in shared[uid]:
            values[place, columns[each.reviewer]] = codes[each.label]
    low, high = bootstrap_interval(lambda drawn: krippendorff_alpha(values[drawn], level="nominal"), len(values), seed=0)
    alpha = krippendorff_alpha(values, level="nominal")
    found = {"krippendorff_alpha": alpha, "alpha_low": low, "alpha_high": high}
    if len(people) == 2:
        found["cohen_kappa"] = cohen_kappa(values[:, 0].tolist(), values[:, 1].tolist())
    numbers = {name: None if value != value else round(value, 4) for name, value in found.items()}
    return {"rows_shared": len(shared), "rows_agreed": int((np.nanmin(values, 1) == np.nanmax(values, 1)).sum()), **numbers}
