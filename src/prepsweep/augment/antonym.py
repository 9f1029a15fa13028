"""Antonym replacement: "a good film" becomes "a bad film". A negative control, never an augmentation to gain by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prepsweep.augment.synonym import check as check_synonym
from prepsweep.augment.synonym import replace_words
from prepsweep.augment.wordnet import check_wordnet
from prepsweep.errors import Refused
from prepsweep.scripts import refuse_other_scripts

if TYPE_CHECKING:
    from datasets import Dataset

LABEL_PRESERVING = False
_WHERE = "augment.antonym"


def antonym(
    dataset: Dataset,
    *,
    seed: int,
    wordnet_dir: str,
    replaced_fraction: float,
    n_copies: int,
    allow_label_change: bool,
    num_proc: int,
) -> Dataset:
    """`n_copies` children per row, `replaced_fraction` of the words that have a WordNet antonym (at least one) replaced by it.

    Useful as a negative control: the children keep the label although many now say the opposite, so a study in which
    this arm does no worse than `synonym` is not able to tell good augmentation from bad. What is replaceable, and how,
    is as in `synonym`; a text without a replaceable word leaves as `unchanged`. English only.
    """
    check(replaced_fraction=replaced_fraction, n_copies=n_copies, allow_label_change=allow_label_change)
    check_wordnet(wordnet_dir, where=f"{_WHERE}.wordnet_dir")
    values: dict[str, Any] = {"seed": seed, "wordnet_dir": wordnet_dir, "replaced_fraction": replaced_fraction, "n_copies": n_copies}
    return replace_words(dataset, relation="antonym", num_proc=num_proc, **values)


def check(*, replaced_fraction: float, n_copies: int, allow_label_change: bool, **_: object) -> None:
    """Refuse to put wrong labels into train unless that is asked for, and values that replace nothing."""
    if allow_label_change is not True:
        fix = f"set {_WHERE}.allow_label_change=true for a negative control, or use augment=synonym"
        raise Refused(f"{_WHERE}.allow_label_change", "an antonym often turns a text into one of another class", fix)
    try:
        check_synonym(replaced_fraction=replaced_fraction, n_copies=n_copies)
    except Refused as error:
        raise Refused(error.where.replace("synonym", "antonym"), error.what, error.fix) from error


def check_rows(dataset: Dataset, **_: object) -> None:
    """Refuse rows mostly in a script that WordNet has no words of."""
    refuse_other_scripts(dataset, known="Latin", where=_WHERE, tool="WordNet is English")


def fingerprint(*, wordnet_dir: str, **_: object) -> dict[str, str]:
    """Nothing to add (the folder is hashed as an argument); refuses a folder that is not WordNet's."""
    check_wordnet(wordnet_dir, where=f"{_WHERE}.wordnet_dir")
    return {}
