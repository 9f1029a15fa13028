"""Texts that are hardly language leave, by the rules of thumb of Gopher and C4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from prepsweep.clean.quality_rules import RULES, Measured
from prepsweep.errors import Refused
from prepsweep.lineage import Result, drop
from prepsweep.schema import ALL_KINDS
from prepsweep.text import per_text

if TYPE_CHECKING:
    from datasets import Dataset

WORKS_ON = ALL_KINDS
_SHARES = frozenset(
    ["few_letters", "bullet_lines", "ellipsis_lines", "repeated_lines", "top_ngram", "repeated_ngrams", "no_terminal_punctuation"]
)


def check(**limits: Any) -> None:
    """Refuse limits that are no numbers or shares, and a stage without a rule."""
    if all(limit is None for limit in limits.values()):
        raise Refused("clean.quality", "has no rule: all limits are null", "set one, or use clean=none")
    for rule, limit in limits.items():
        where = f"clean.quality.{rule}"
        if limit is None:
            continue
        if rule == "bad_markers":
            if not isinstance(limit, Sequence) or isinstance(limit, str) or not all(isinstance(one, str) and one for one in limit):
                raise Refused(where, f"must be a list of texts, got {limit!r}", f"write {where}=[lorem ipsum]")
        elif rule == "word_length":
            if not (isinstance(limit, Sequence) and len(limit) == 2 and all(map(_is_number, limit)) and 0 <= limit[0] < limit[1]):
                raise Refused(where, f"must be two numbers, the smaller first, got {limit!r}", f"write {where}=[2,12]")
        elif not _is_number(limit) or limit < 0 or (rule in _SHARES and limit > 1):
            kind = "a share from 0 to 1" if rule in _SHARES else "a number of at least 0"
            raise Refused(where, f"must be {kind}, got {limit!r}", f"write {where}=null to switch the rule off")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def quality(
    dataset: Dataset,
    *,
    few_words: int | None,
    many_words: int | None,
    word_length: Sequence[float] | None,
    symbols: float | None,
    few_letters: float | None,
    bullet_lines: float | None,
    ellipsis_lines: float | None,
    repeated_lines: float | None,
    top_ngram: float | None,
    repeated_ngrams: float | None,
    few_stop_words: int | None,
    no_terminal_punctuation: float | None,
    bad_markers: Sequence[str] | None,
    num_proc: int,
) -> Result:
    """Rows whose text breaks a rule leave with the rule's name as reason; null switches a rule off.

    Of several broken rules the first in the order of the arguments is the reason; the facts count every rule for itself.
    What each measures, also in scripts without spaces, is said in `quality_rules`. The rules were made to filter web pages:
    short texts need other limits (the option's own), and a rule can go with a class (complaints repeat themselves), so look
    at the ledger per class. Of a pair only `text` is judged: the second one is often a word (an answer, an aspect).
    """
    limits = {
        "few_words": few_words,
        "many_words": many_words,
        "word_length": word_length,
        "symbols": symbols,
        "few_letters": few_letters,
        "bullet_lines": bullet_lines,
        "ellipsis_lines": ellipsis_lines,
        "repeated_lines": repeated_lines,
        "top_ngram": top_ngram,
        "repeated_ngrams": repeated_ngrams,
        "few_stop_words": few_stop_words,
        "no_terminal_punctuation": no_terminal_punctuation,
        "bad_markers": bad_markers,
    }
    check(**limits)
    asked = {rule: limits[rule] for rule in RULES if limits[rule] is not None}
    broken = per_text(dataset, partial(_broken, limits=asked), num_proc=num_proc)
    rows = dataset
    for rule in asked:
        rows = drop(rows, rule, broken.column(rule))
    return Result(rows, {"broken": {rule: pc.sum(broken.column(rule)).as_py() or 0 for rule in asked}})


def _broken(texts: Sequence[str], *, limits: Mapping[str, Any]) -> dict[str, list[bool]]:
    measured = [Measured(text) for text in texts]
    return {rule: [RULES[rule](text, limit) for text in measured] for rule, limit in limits.items()}
