"""Back-translation by two neural checkpoints, one for each direction."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from prepsweep.augment.backtranslate import there_and_back
from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_folder
from prepsweep.pretrained import checkpoint_folder
from prepsweep.translators.marian import marian

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "augment.backtranslate_marian"


def backtranslate_marian(
    dataset: Dataset,
    *,
    forward: str,
    forward_revision: str,
    backward: str,
    backward_revision: str,
    source: str | None,
    pivot: str | None,
    num_beams: int,
    max_length: int,
    batch_tokens: int,
    device: str,
) -> Dataset:
    """One child per row: its text translated by `forward` and then by `backward`; see `marian` for the arguments.

    A text that comes back with the same words, or with none, is its parent's own text and leaves as `unchanged`.
    """
    check(num_beams=num_beams, max_length=max_length, batch_tokens=batch_tokens)
    translate = partial(marian, num_beams=num_beams, max_length=max_length, batch_tokens=batch_tokens, device=device)

    def there(texts: Iterable[str]) -> Iterable[str]:
        return translate(texts, checkpoint=forward, revision=forward_revision, source=source, target=pivot)

    def back(texts: Iterable[str]) -> Iterable[str]:
        return translate(texts, checkpoint=backward, revision=backward_revision, source=pivot, target=source)

    return there_and_back(dataset, there=there, back=back, stage="backtranslate_marian")


def check(*, num_beams: int, max_length: int, batch_tokens: int, **_: object) -> None:
    """Refuse numbers below 1."""
    for name, value in (("num_beams", num_beams), ("max_length", max_length), ("batch_tokens", batch_tokens)):
        if not (isinstance(value, int) and value >= 1):
            raise Refused(f"{_WHERE}.{name}", f"must be at least 1, got {value!r}", f"leave {name} at its default")


def fingerprint(*, forward: str, forward_revision: str, backward: str, backward_revision: str, **_: object) -> dict[str, str]:
    """Content hashes of both checkpoints, fetched from the hub if they are not on this machine."""
    there = checkpoint_folder(forward, forward_revision, where=f"{_WHERE}.forward")
    back = checkpoint_folder(backward, backward_revision, where=f"{_WHERE}.backward")
    return {"forward": hash_folder(there), "backward": hash_folder(back)}
