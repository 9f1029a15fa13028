"""Labels that people decided on, read back from any file that the review loop writes or the tools around it export."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.annotate.origins import PROPOSED, check_on_abstain, propose
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, table_of
from prepsweep.review.decisions import RULES, Decision, agreement, by_row, verdict
from prepsweep.review.files import read_review
from prepsweep.review.marks import data_mark, same_words, shortened
from prepsweep.schema import UNLABELLED, text_columns
from prepsweep.sources.files import near

if TYPE_CHECKING:
    from datasets import Dataset

ON_OTHER_DATA = ("refuse", "skip")
_WHERE = "annotate.reviewed"
_EVIDENCE_ROWS = 10_000


def reviewed(dataset: Dataset, *, review_file: str, rule: str, partial: bool, on_other_data: str, on_abstain: str) -> Result:
    """Rows that people decided on get their label, by `rule`: `majority`, `unanimous` or `adjudicated` (`decisions.verdict`).

    `review_file` is a CSV queue as a spreadsheet left it, the journal of `review serve`, an export of Label Studio or
    Argilla, or a folder of such files: who reviewed in a file of their own is merged by uid. A row on which people
    disagree stays as it was and is counted as a tie; so does one that nobody decided on.
    A decision on a row that is not here, or whose text was another when it was read, is refused; `on_other_data=skip`
    counts it instead, for sweeps over cleaning. `partial` accepts a CSV file that lacks rows of its queue.
    Rows of dev and test keep the label that they came with (`origins.propose`).
    """
    check(rule=rule, on_other_data=on_other_data, on_abstain=on_abstain)
    file = read_review(Path(review_file), partial=partial)
    if not file.decisions:
        raise Refused(review_file, "nobody has decided anything in it", "fill in the column 'decision', or name another file")
    table = table_of(dataset)
    decisions, n_elsewhere = _of_these_rows(table, file.decisions, refuses=on_other_data == "refuse")
    # Where no row has a label yet, what people say is all that is known.
    classes = _classes(table) or sorted({decision.label.strip() for decision in decisions})
    rows = by_row(_in_classes(decision, classes) for decision in decisions)
    labels = {uid: verdict(found, rule) for uid, found in rows.items()}
    proposed = pa.array([labels.get(uid) for uid in table.column("uid").to_pylist()], pa.string())
    before = dict(zip(table.column("uid").to_pylist(), table.column("label").to_pylist(), strict=True))
    facts = {
        "rows_reviewed": len(rows),
        "rows_changed": sum(label is not None and label != before[uid] for uid, label in labels.items()),
        "rows_tied": sum(label is None for label in labels.values()),
        "rows_undecided": file.n_undecided,
        "decisions_on_other_data": n_elsewhere,
        "decisions_by": dict(sorted(Counter(decision.reviewer for decision in decisions).items())),
        "agreement": agreement(rows, classes),
    }
    return Result(propose(dataset, proposed, origin="reviewed", on_abstain=on_abstain), facts, _evidence(rows, before, labels))


def check(*, rule: str, on_other_data: str, on_abstain: str, **_: object) -> None:
    """Refuse an unknown rule."""
    for name, value, known in (("rule", rule, RULES), ("on_other_data", on_other_data, ON_OTHER_DATA)):
        if value not in known:
            raise Refused(f"{_WHERE}.{name}", f"no {name} {value!r}", nearest(str(value), known))
    check_on_abstain(on_abstain, _WHERE)


def _of_these_rows(table: pa.Table, decisions: list[Decision], *, refuses: bool) -> tuple[list[Decision], int]:
    """The decisions on rows of `table` as they were read, and the number of the others."""
    texts = [table.column(name).to_pylist() for name in text_columns(table.column_names)]
    here = dict(zip(table.column("uid").to_pylist(), zip(*texts, strict=True), strict=True))
    known = sum(decision.uid in here for decision in decisions)
    found = []
    for decision in decisions:
        fault = _fault(decision, here)
        if fault is None:
            found.append(decision)
        elif refuses:
            among = f" ({known:,} of {len(decisions):,} decisions are on rows of this data)"
            fix = "use the data and the cleaning of the export, or annotate.reviewed.on_other_data=skip"
            raise Refused(decision.where, fault + among, fix)
    return found, len(decisions) - len(found)


def _fault(decision: Decision, here: dict[str, tuple[str, ...]]) -> str | None:
    texts = here.get(decision.uid)
    if texts is None:
        return f"no row u:{decision.uid} here"
    if decision.data != data_mark(decision.uid, texts):
        return f"the row u:{decision.uid} had another text when the queue was written"
    if decision.text is not None and not same_words(decision.text, shortened(texts[0])):
        return f"the text beside u:{decision.uid} is not that row's: sorted or edited by itself"
    return None


def _classes(table: pa.Table) -> list[str]:
    """What a row can be: the labels that are there, and those proposed by a stage before."""
    names = ["label", *([PROPOSED] if PROPOSED in table.column_names else [])]
    return sorted({label for name in names for label in table.column(name).unique().to_pylist()} - {UNLABELLED, None})


def _in_classes(decision: Decision, classes: list[str]) -> Decision:
    for label in (decision.label, decision.label.strip()):
        if label in classes:
            return Decision(**(vars(decision) | {"label": label}))
    raise Refused(decision.where, f"{decision.label!r} is not one of the classes", near(decision.label, classes))


def _evidence(rows: dict[str, list[Decision]], before: dict[str, str], labels: dict[str, str | None]) -> pa.Table:
    """Who decided what and when: one line for each decision, at most 10,000."""
    found = [(uid, each) for uid, decisions in rows.items() for each in decisions][:_EVIDENCE_ROWS]
    columns = {
        "uid": [uid for uid, _ in found],
        "label": [before[uid] for uid, _ in found],
        "decision": [each.label for _, each in found],
        "reviewer": [each.reviewer for _, each in found],
        "role": [each.role for _, each in found],
        "decided_at": [each.decided_at for _, each in found],
        "reviewed": [labels[uid] for uid, _ in found],
    }
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
