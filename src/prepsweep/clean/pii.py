"""Personal data masked, or the rows that have any dropped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from prepsweep.clean.pii_kinds import KINDS, Span, folded, resolved
from prepsweep.clean.pii_phones import check_regions, phone
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, drop
from prepsweep.text import per_text_column, with_texts

if TYPE_CHECKING:
    from datasets import Dataset

ACTIONS = ("mask", "drop")
_ALL_KINDS = (*KINDS, "phone")


def check(*, action: str, kinds: Sequence[str], regions: Sequence[str]) -> None:
    """Refuse actions and kinds that there are not, and phone numbers of no region."""
    if action not in ACTIONS:
        raise Refused("clean.pii.action", f"unknown action {action!r}", nearest(str(action), ACTIONS))
    if not isinstance(kinds, Sequence) or isinstance(kinds, str) or not kinds:
        raise Refused("clean.pii.kinds", f"must be a list of kinds, got {kinds!r}", nearest("", _ALL_KINDS))
    for kind in kinds:
        if kind not in _ALL_KINDS:
            raise Refused("clean.pii.kinds", f"unknown kind {kind!r}", nearest(str(kind), _ALL_KINDS))
    if "phone" in kinds and (not isinstance(regions, Sequence) or isinstance(regions, str) or not regions):
        raise Refused("clean.pii.regions", f"must be a list of regions, got {regions!r}", "write clean.pii.regions=[US,GB]")


def fingerprint(*, kinds: Sequence[str], regions: Sequence[str], **_: object) -> dict[str, str]:
    """Nothing to add; refuses phone numbers without their library, and regions that it does not know."""
    if "phone" in kinds:
        check_regions(regions, where="clean.pii.regions")
    return {}


def pii(dataset: Dataset, *, action: str, kinds: Sequence[str], regions: Sequence[str], num_proc: int) -> Result:
    """Texts with personal data as `[EMAIL]`, `[PHONE]`, `[US_SSN]`…, or rows with any dropped with the reason `pii`.

    A find counts only if it keeps the rules of its kind, see `pii_kinds` and `pii_phones`; names, addresses and birthdays
    are not looked for. Where finds overlap, the earlier in this order counts: email, iban, card, cn_id, es_dni, de_tax_id,
    us_ssn, uk_nino, ip, phone. Both texts of a pair are looked through. The facts are numbers by kind: no value found
    leaves the text.
    """
    check(action=action, kinds=kinds, regions=regions)
    fingerprint(kinds=kinds, regions=regions)
    asked = [kind for kind in _ALL_KINDS if kind in kinds]
    found = per_text_column(dataset, partial(_masked, kinds=asked, regions=list(regions)), num_proc=num_proc)
    has_any = reduce(pc.or_, [pc.not_equal(of_column.column("n_finds"), 0) for of_column in found.values()])
    counts = {kind: sum(pc.sum(of_column.column(kind)).as_py() or 0 for of_column in found.values()) for kind in asked}
    rows = drop(dataset, "pii", has_any) if action == "drop" else with_texts(dataset, found)
    return Result(rows, {"found": counts, "rows": pc.sum(has_any).as_py() or 0})


def _masked(texts: Sequence[str], *, kinds: Sequence[str], regions: Sequence[str]) -> dict[str, list[str] | list[int]]:
    spans = [_finds(text, kinds, regions) for text in texts]
    columns: dict[str, list[str] | list[int]] = {
        kind: [sum(found == kind for _, _, found in of_text) for of_text in spans] for kind in kinds
    }
    masked = [_mask(text, of_text) if of_text else text for text, of_text in zip(texts, spans, strict=True)]
    return columns | {"text": masked, "n_finds": [len(of_text) for of_text in spans]}


def _finds(text: str, kinds: Sequence[str], regions: Sequence[str]) -> list[tuple[int, int, str]]:
    plain = folded(text)
    has_digit = any(map(plain.__contains__, "0123456789"))
    found: list[tuple[str, Span]] = []
    for kind in kinds:
        if has_digit or kind == "email":
            found += [(kind, span) for span in (phone(plain, regions) if kind == "phone" else KINDS[kind](plain))]
    return resolved(found) if found else []


def _mask(text: str, finds: Sequence[tuple[int, int, str]]) -> str:
    parts, end = [], 0
    for start, stop, kind in finds:
        parts += [text[end:start], f"[{kind.upper()}]"]
        end = stop
    return "".join([*parts, text[end:]])
