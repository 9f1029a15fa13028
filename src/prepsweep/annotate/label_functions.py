"""Labels from labelling functions and rules that vote or abstain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from prepsweep.annotate.ballots import ballots_of, coded
from prepsweep.annotate.consensus import labelled, learned_from
from prepsweep.annotate.functions import WHERE, python_votes, refuse_untrusted
from prepsweep.annotate.label_models import check_label_model
from prepsweep.annotate.origins import check_on_abstain, check_rows_asked
from prepsweep.annotate.rules import files_of, read_rules, rule_votes
from prepsweep.errors import Refused
from prepsweep.identity import source_closure
from prepsweep.lineage import Result, table_of

if TYPE_CHECKING:
    from datasets import Dataset


def label_functions(
    dataset: Dataset,
    *,
    num_proc: int,
    functions_file: str | None,
    functions_module: str | None,
    rules_file: str | None,
    label_model: str,
    soft: bool,
    rows: str,
    on_abstain: str,
) -> Result:
    """The label that the votes of functions and rules make of each row, by `label_model`.

    Functions are the public ones of a Python file, or of a module of a trusted package: `(text) -> label or None`
    (`functions.python_votes`); rules stand in a YAML file (`rules.read_rules`). They vote on every row; the label model
    learns from rows outside a given dev or test file. Write them by reading train rows: the table of the voters judges
    them by gold labels outside a given test file, and a rule that was written on test rows makes the test no test.
    """
    voters = {"functions_file": functions_file, "functions_module": functions_module, "rules_file": rules_file}
    check(**voters, label_model=label_model, rows=rows, on_abstain=on_abstain)
    table = table_of(dataset)
    votes: dict[str, pa.Array] = {}
    if functions_file is not None or functions_module is not None:
        votes |= python_votes(table, file=functions_file, module=functions_module, num_proc=num_proc)
    if rules_file is not None:
        votes |= rule_votes(table, read_rules(Path(rules_file)), known=votes)
    matrix, classes = coded(list(votes.values()))
    ballots = ballots_of(matrix, list(votes), classes, learned_from(dataset))
    return labelled(dataset, ballots, label_model=label_model, soft=soft, origin="rule", rows=rows, on_abstain=on_abstain)


def check(
    *,
    functions_file: str | None,
    functions_module: str | None,
    rules_file: str | None,
    label_model: str,
    rows: str,
    on_abstain: str,
    **_: object,
) -> None:
    """Refuse nothing to vote, two places of functions, and an unknown label model."""
    if functions_file is not None and functions_module is not None:
        raise Refused(f"{WHERE}.functions_module", "functions_file is given too", "give one of them")
    if functions_module is not None:
        refuse_untrusted(functions_module)
    if functions_file is functions_module is rules_file is None:
        raise Refused(WHERE, "nothing votes", f"set {WHERE}.functions_file, .functions_module or .rules_file")
    check_label_model(label_model, WHERE)
    check_rows_asked(rows, WHERE)
    check_on_abstain(on_abstain, WHERE)


def fingerprint(*, functions_module: str | None, rules_file: str | None, **_: object) -> dict[str, str]:
    """What the functions of a module are by their source, and content hashes of the files that rules read."""
    found = dict(source_closure(functions_module)) if functions_module is not None else {}
    return found | (files_of(Path(rules_file)) if rules_file is not None and Path(rules_file).is_file() else {})
