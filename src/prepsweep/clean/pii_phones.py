"""Where a text has phone numbers, by Google's metadata (library `phonenumbers`), and not what looks like them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from prepsweep.clean.pii_kinds import Span
from prepsweep.errors import Refused, nearest

# The library needs a millisecond a text, so it is asked only about texts with seven digits near each other.
_CANDIDATE = re.compile(r"[0-9](?:[ ().\-/~]{0,3}[0-9]){6}")
_DATE = re.compile(r"(?:19|20)[0-9]{2}([./-])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([./-])[0-9]{1,2}\2(?:19|20)?[0-9]{2}(?![0-9])")
# A network address or mask, thousands parted by dots, and the shape of a US social security number.
_OTHER_SHAPE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{3}-[0-9]{2}-[0-9]{4}")
_LONE_DIGIT = re.compile(r"(?<![0-9])[0-9](?![0-9])")
_ISBN = re.compile(r"isbn[^\n]{0,12}$", re.IGNORECASE)
# Behind these a number without blanks or hyphens is no phone number, unless a phone is named after them.
_NUMBERED = re.compile(
    r"(?:\b(?:order|invoice|ref|reference|tracking|ticket|case|account|acct|serial|model|item|product|sku|id|no|nr|number|code|part|"
    r"bestellung|rechnung|pedido|factura)|#|№|订单|单号|编号|账号)[^0-9\n]{0,12}$",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?:\b(?:phone|telephone|tel|call|mobile|cell|fax|whatsapp|contact|ring|dial|text|telefon|handy|tel[eé]fono|m[oó]vil)|电话|手机|致电)"
    r"[^0-9\n]{0,20}$",
    re.IGNORECASE,
)


def phone(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """Numbers that are valid in one of `regions`, or anywhere with a country code ("+49 …").

    Dates, ISBNs, network addresses, rows of single digits, and bare numbers behind "order no." and the like are none.
    """
    if not _CANDIDATE.search(text):
        return
    from phonenumbers import Leniency, PhoneNumberMatcher

    for region in regions:
        for found in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            if _CANDIDATE.search(found.raw_string) and not _looks_like_another(found.raw_string, text, found.start):
                yield found.start, found.end


def _looks_like_another(number: str, text: str, start: int) -> bool:
    before = text[max(0, start - 32) : start]
    if _DATE.match(number) or _OTHER_SHAPE.fullmatch(number) or len(_LONE_DIGIT.findall(number)) >= 4 or _ISBN.search(before):
        return True
    # In an address of the web, or in a file's name.
    if before.endswith(("/", "=", "_", "#")):
        return True
    return number.isdigit() and _NUMBERED.search(before) is not None and _PHONE.search(before) is None


def check_regions(regions: Sequence[str], *, where: str) -> None:
    """Refuse a missing library, and regions that it does not know."""
    try:
        from phonenumbers import SUPPORTED_REGIONS
    except ModuleNotFoundError as error:
        raise Refused(
            where, "phone numbers need the library phonenumbers", "pip install 'prepsweep[pii]', or leave phone out of kinds"
        ) from error
    for region in regions:
        if region not in SUPPORTED_REGIONS:
            raise Refused(where, f"unknown region {region!r}", nearest(str(region).upper(), SUPPORTED_REGIONS))
