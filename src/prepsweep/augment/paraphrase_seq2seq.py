"""Paraphrases by a sequence-to-sequence checkpoint that was trained to paraphrase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prepsweep.augment.values import check_whole
from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_folder
from prepsweep.lineage import add_children, table_of
from prepsweep.pretrained import checkpoint_folder

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "augment.paraphrase_seq2seq"


def paraphrase_seq2seq(
    dataset: Dataset,
    *,
    paraphraser: str,
    paraphraser_revision: str,
    prefix: str,
    num_beams: int,
    n_aug: int,
    max_length: int,
    batch_tokens: int,
    device: str,
) -> Dataset:
    """`n_aug` children per row, the best texts of a beam search by `paraphraser`, a folder or a name on the hub.

    `prefix` goes before each text, as the checkpoint was trained ("paraphrase: " for T5). Nothing is drawn, equal texts
    are paraphrased once, and their order does not matter. What comes back empty, with the words of the text, or with the
    words of a better beam says nothing new and leaves as `unchanged`. The label stays as far as the checkpoint keeps the
    meaning; a text longer than `max_length` tokens loses its end, and what stood there.
    """
    from prepsweep.translators.seq2seq import generate, load

    check(num_beams=num_beams, n_aug=n_aug, max_length=max_length, batch_tokens=batch_tokens)
    folder = checkpoint_folder(paraphraser, paraphraser_revision, where=f"{_WHERE}.paraphraser")
    tokenizer, model = load(folder, paraphraser, where=f"{_WHERE}.paraphraser")
    texts: list[str] = table_of(dataset).column("text").to_pylist()
    distinct = sorted(set(texts))
    made = generate(
        distinct,
        tokenizer=tokenizer,
        model=model,
        prefix=prefix,
        n_returned=n_aug,
        num_beams=num_beams,
        max_length=max_length,
        batch_tokens=batch_tokens,
        device=device,
        task=f"paraphrase with {paraphraser}",
    )
    new = {text: new_or_same(text, returned) for text, returned in zip(distinct, made, strict=True)}
    parents = [row for row in range(len(texts)) for _ in range(n_aug)]
    return add_children(dataset, parents=parents, texts=[child for text in texts for child in new[text]], stage="paraphrase_seq2seq")


def new_or_same(text: str, returned: list[str]) -> list[str]:
    """`returned`, with `text` in the place of each that has no words, its words, or those of one before."""
    seen: list[list[str]] = [[], text.split()]
    children = []
    for child in returned:
        words = child.split()
        children.append(text if words in seen else child)
        seen.append(words)
    return children


def check(*, num_beams: int, n_aug: int, max_length: int, batch_tokens: int, **_: object) -> None:
    """Refuse numbers below 1, and more children than beams."""
    for name, value in (("num_beams", num_beams), ("n_aug", n_aug), ("max_length", max_length), ("batch_tokens", batch_tokens)):
        check_whole(value, where=f"{_WHERE}.{name}")
    if n_aug > num_beams:
        what = f"asks for {n_aug} texts of {num_beams} beams"
        raise Refused(f"{_WHERE}.n_aug", what, f"set {_WHERE}.num_beams={n_aug} or more")


def fingerprint(*, paraphraser: str, paraphraser_revision: str, **_: object) -> dict[str, str]:
    """Content hash of the checkpoint, fetched from the hub if it is not on this machine."""
    return {"paraphraser": hash_folder(checkpoint_folder(paraphraser, paraphraser_revision, where=f"{_WHERE}.paraphraser"))}
