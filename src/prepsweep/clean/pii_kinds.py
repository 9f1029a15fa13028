"""Where a text names somebody: spans of e-mail addresses, phone, card and account numbers, network addresses, national numbers.

A number counts only if it keeps the rules of its kind (check digits, prefixes, lengths), since order numbers, versions,
dates and prices look alike. All patterns are for ASCII: `folded` brings other digits and signs to it, place by place.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache

Span = tuple[int, int]
_START, _END = "(?<![0-9A-Za-z])", "(?![0-9A-Za-z])"

_LETTER = "A-Za-z0-9À-ɏ"
_EMAIL = re.compile(
    rf"(?<![{_LETTER}])(?P<value>[{_LETTER}_][{_LETTER}._%+'-]{{0,63}}"
    rf"@(?:[{_LETTER}](?:[{_LETTER}-]{{0,61}}[{_LETTER}])?\.)+(?P<suffix>[A-Za-z]{{2,24}})){_END}"
)
# "logo@2x.png" is a file.
_FILE_SUFFIXES = frozenset(["png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "json", "html", "pdf", "txt"])
_IBAN_START = re.compile(rf"{_START}[A-Za-z]{{2}}[0-9]{{2}}")
# Length by country: SWIFT IBAN registry, release 99 (2024).
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18
    FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
    LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24
    SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
    """.split()  # noqa: SIM905 - a list of so many is hard to read
}
# As printed on the card (4-4-4-4, 4-6-5) or without gaps.
_CARD = re.compile(
    rf"{_START}(?P<value>[0-9]{{14,19}}|[0-9]{{4}}(?P<gap>[ -])(?:[0-9]{{4}}(?P=gap)){{2}}[0-9]{{4}}(?:(?P=gap)[0-9]{{3}})?"
    rf"|3[0-9]{{3}}(?P<gap2>[ -])[0-9]{{6}}(?P=gap2)[0-9]{{4,5}}){_END}"
)
# First digits by length (Visa, Mastercard, Amex, Discover, Diners, JCB, UnionPay). Visa's 13 digits are out of use, and EANs have 13.
_CARD_STARTS = {
    14: re.compile("30[0-5]|3[689]"),
    15: re.compile("3[47]"),
    16: re.compile("4|5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|6011|64[4-9]|65|62|35(?:2[89]|[3-8])"),
    17: re.compile("62"),
    18: re.compile("62"),
    19: re.compile("4|62|6011|64[4-9]|65"),
}
_CN_ID = re.compile(
    rf"{_START}(?P<value>[1-8][0-9]{{5}}(?:19|20)[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{{3}}[0-9Xx]){_END}"
)
_ES_DNI = re.compile(rf"{_START}(?P<value>(?:[0-9]{{8}}|[0-9]{{1,2}}\.[0-9]{{3}}\.[0-9]{{3}}|[XYZxyz][ -]?[0-9]{{7}})[ -]?[A-Za-z]){_END}")
_DE_TAX_ID = re.compile(rf"{_START}(?P<value>[1-9][0-9](?P<gap> ?)[0-9]{{3}}(?P=gap)[0-9]{{3}}(?P=gap)[0-9]{{3}}){_END}(?!(?P=gap)[0-9])")
# Without hyphens only behind its name: any nine digits would do.
_US_SSN = re.compile(
    rf"(?:{_START}(?<![0-9]-)|(?:ssn|social security)(?: (?:number|no\.?|#))?[^0-9\n]{{0,6}}(?=[0-9 ]{{9,11}}{_END}))"
    rf"(?P<value>(?!000|666|9)[0-9]{{3}}(?P<gap>[- ]?)(?!00)[0-9]{{2}}(?P=gap)(?!0000)[0-9]{{4}}){_END}(?!-[0-9])",
    re.IGNORECASE,
)
_UK_NINO = re.compile(
    rf"{_START}(?P<value>(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{{2}} ?[0-9]{{2}} ?[0-9]{{2}} ?[A-D]){_END}"
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_DOTTED = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_IP = re.compile(
    rf"(?<![0-9A-Za-z.:])(?P<value>(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_DOTTED}|[0-9A-Fa-f]{{0,4}})(?!:)|{_DOTTED})"
    r"(?![0-9A-Za-z]|\.[0-9]|-[A-Za-z])"
)
_VERSION = re.compile(
    r"(?:\b(?:v|ver|version|release|build|firmware|update|driver|section|chapter|paragraph|rev)\b|§|版本)[^0-9A-Za-z]*$", re.IGNORECASE
)


def email(text: str) -> Iterator[Span]:
    """E-mail addresses (RFC 5321 as people write them), not in disguise ("bob at example")."""
    if "@" in text:
        yield from (m.span("value") for m in _EMAIL.finditer(text) if m["suffix"].lower() not in _FILE_SUFFIXES)


def iban(text: str) -> Iterator[Span]:
    """Account numbers by ISO 13616: known country, its length, remainder 1 modulo 97."""
    for found in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(found[0][:2].upper(), 0)
        rest = _iban_rest(length - 4).match(text, found.end()) if length else None
        if rest and _iban_holds(found[0] + rest[0]):
            yield found.start(), rest.end()


@cache
def _iban_rest(n_signs: int) -> re.Pattern[str]:
    return re.compile(rf"(?:[ -]?[0-9A-Za-z]){{{n_signs}}}{_END}")


def _iban_holds(number: str) -> bool:
    plain = number.replace(" ", "").replace("-", "")
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def card(text: str) -> Iterator[Span]:
    """Payment cards: a network's first digits and length, and the check digit of Luhn (ISO/IEC 7812-1)."""
    for found in _CARD.finditer(text):
        digits = _digits(found["value"])
        starts = _CARD_STARTS.get(len(digits))
        if starts and starts.match(digits) and luhn_holds(digits):
            yield found.span("value")


def luhn_holds(digits: str) -> bool:
    """Whether the last digit is the check digit: from the right, every second one doubled and its digits added up."""
    doubled = "".join(str(2 * int(digit)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(map(int, doubled))) % 10 == 0


def cn_id(text: str) -> Iterator[Span]:
    """Chinese resident identity numbers (GB 11643-1999): date of birth, check sign by ISO 7064 mod 11-2."""
    for found in _CN_ID.finditer(text):
        number = found["value"].upper()
        remainder = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(number[:17])) % 11
        if number[17] == "10X98765432"[remainder]:
            yield found.span("value")


def es_dni(text: str) -> Iterator[Span]:
    """Spanish DNI and NIE: the letter is the number modulo 23; X, Y, Z of a NIE count as 0, 1, 2."""
    for found in _ES_DNI.finditer(text):
        plain = re.sub("[ .-]", "", found["value"]).upper()
        digits = plain[:-1].translate(str.maketrans("XYZ", "012"))
        if len(digits) == 8 and plain[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23]:
            yield found.span("value")


def de_tax_id(text: str) -> Iterator[Span]:
    """German tax identification numbers (§139b AO): of ten digits one is there twice or thrice, check by ISO 7064 mod 11, 10."""
    for found in _DE_TAX_ID.finditer(text):
        digits = _digits(found["value"])
        counts = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
        product = 10
        for digit in digits[:10]:
            product = ((int(digit) + product) % 10 or 10) * 2 % 11
        if counts[0] in (2, 3) and counts[1] == 1 and (11 - product) % 10 == int(digits[10]):
            yield found.span("value")


def us_ssn(text: str) -> Iterator[Span]:
    """US social security numbers: no check digit, but areas 000, 666 and 9xx, group 00 and serial 0000 are never given (SSA)."""
    for found in _US_SSN.finditer(text):
        if found["gap"] == "-" or found.start() < found.start("value"):
            yield found.span("value")


def uk_nino(text: str) -> Iterator[Span]:
    """British national insurance numbers: they have no check digit, but many letters are never given (HMRC, NIM39110)."""
    yield from (found.span("value") for found in _UK_NINO.finditer(text))


def ip(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses, but not those that name nobody (loopback, net masks, multicast) nor versions.

    Four numbers of one digit are taken for a version ("2.0.1.4"), and so is what stands behind "version", "v", "build"...
    """
    for found in _IP.finditer(text):
        value = found["value"]
        if ":" not in value and (len(value) == 7 or _VERSION.search(text[max(0, found.start() - 20) : found.start()])):
            continue
        if ":" in value and not any(sign.isdigit() for sign in value):
            continue  # "Bad::Face" is code.
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_unspecified or address.is_multicast or (address.version == 4 and address.is_reserved)):
            yield found.span("value")


# Surest first: where two finds overlap the one of the earlier kind counts, and of one kind the first.
KINDS: dict[str, Callable[[str], Iterator[Span]]] = {
    function.__name__: function for function in (email, iban, card, cn_id, es_dni, de_tax_id, us_ssn, uk_nino, ip)
}


def resolved(found: Sequence[tuple[str, Span]]) -> list[tuple[int, int, str]]:
    """(start, end, kind) in the order of the text, of `found` in the order of its kinds, without those that overlap one before."""
    kept: list[tuple[int, int, str]] = []
    for kind, (start, end) in found:
        if all(end <= other_start or start >= other_end for other_start, other_end, _ in kept):
            kept.append((start, end, kind))
    return sorted(kept)


def folded(text: str) -> str:
    """`text` with other scripts' digits, full-width signs, odd blanks and hyphens as ASCII has them, each in its place."""
    return text if text.isascii() else text.translate(_ascii())


@cache
def _ascii() -> dict[int, str]:
    digits = {code: str(unicodedata.decimal(chr(code))) for code in range(0x80, 0x10000) if unicodedata.category(chr(code)) == "Nd"}
    full_width = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    return full_width | digits | dict.fromkeys([0xA0, 0x2007, 0x202F, 0x3000], " ") | dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-")


def _digits(number: str) -> str:
    return number.replace(" ", "").replace("-", "")
