"""Contextual replacement (Kobayashi 2018, https://aclanthology.org/N18-2072): words that a masked language model puts in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prepsweep.augment.values import check_fraction, check_whole
from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_folder
from prepsweep.lineage import add_children, table_of
from prepsweep.pretrained import checkpoint_folder

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "augment.contextual"


def contextual(
    dataset: Dataset,
    *,
    seed: int,
    masked_lm: str,
    masked_lm_revision: str,
    alpha: float,
    top_k: int,
    n_aug: int,
    batch_tokens: int,
    device: str,
) -> Dataset:
    """`n_aug` children per row, max(1, round(alpha * words)) words of each replaced by what fits between the others.

    The words are masked whole, all of a child at once, and `masked_lm` (a folder or a name on the hub) is asked for each.
    Of the tokens that are a whole word, of letters only, and other than the word that stood there, the `top_k` most
    likely are drawn from by their probability. Numbers and names of classes are not replaced, and no class name is put
    in; capitals stay, and so does all that is not replaced, also what lies beyond the model's longest input.

    What fits is not what means the same: "bad" fits where "good" stood, so this can flip a label that hangs on one word
    (conditioning on the label: Wu et al. 2019, https://arxiv.org/abs/1812.06705). A Chinese model replaces characters.
    The draws are the row's own; batches are made by length, and which texts share one can change the last bit of a
    probability, and so, once in a million draws, a word. A text with nothing to replace leaves as `unchanged`.
    """
    from prepsweep.augment.masking import replaced

    check(alpha=alpha, top_k=top_k, n_aug=n_aug, batch_tokens=batch_tokens)
    folder = checkpoint_folder(masked_lm, masked_lm_revision, where=f"{_WHERE}.masked_lm")
    uids, texts, labels = (table_of(dataset).column(name).to_pylist() for name in ("uid", "text", "label"))
    classes = frozenset(label.casefold() for label in labels if label)
    options: dict[str, Any] = {"alpha": alpha, "top_k": top_k, "n_aug": n_aug, "batch_tokens": batch_tokens, "device": device}
    children = replaced(uids, texts, classes, folder=folder, checkpoint=masked_lm, seed=seed, **options)
    parents = [row for row in range(len(texts)) for _ in range(n_aug)]
    return add_children(dataset, parents=parents, texts=children, stage="contextual")


def check(*, alpha: float, top_k: int, n_aug: int, batch_tokens: int, **_: object) -> None:
    """Refuse values that replace nothing, and numbers below 1."""
    check_fraction(alpha, where=f"{_WHERE}.alpha", try_value=0.15)
    if not alpha:
        raise Refused(f"{_WHERE}.alpha", "0 replaces nothing", "use augment=none for no replacement")
    for name, value in (("top_k", top_k), ("n_aug", n_aug), ("batch_tokens", batch_tokens)):
        check_whole(value, where=f"{_WHERE}.{name}")


def fingerprint(*, masked_lm: str, masked_lm_revision: str, **_: object) -> dict[str, str]:
    """Content hash of the checkpoint, fetched from the hub if it is not on this machine."""
    return {"masked_lm": hash_folder(checkpoint_folder(masked_lm, masked_lm_revision, where=f"{_WHERE}.masked_lm"))}
