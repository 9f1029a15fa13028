"""Personal data is found by the rules of its kind; look-alikes stay; nothing found leaves the text."""

from __future__ import annotations

import builtins
import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.clean.pii import check, fingerprint, pii
from prepsweep.clean.pii_kinds import KINDS, luhn_holds
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import rows_of

ALL: dict[str, Any] = {"action": "mask", "kinds": [*KINDS, "phone"], "regions": ["US", "GB", "DE", "CN", "ES"]}


def masked(text: str, **options: Any) -> str:
    result: str = table_of(pii(rows_of([(text, "x")]), **ALL | options, num_proc=1).rows).column("text")[0].as_py()
    return result


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("mail bob.o'brien+x@mail.example.co.uk, 'a@b.io' or <müller@bücher.de>.", "mail [EMAIL], '[EMAIL]' or <[EMAIL]>."),
        ("邮箱是bob@qq.com电话13812345678。", "邮箱是[EMAIL]电话[PHONE]。"),
        ("call (212) 736-5000 or +44 20 7946 0958 now", "call [PHONE] or [PHONE] now"),
        ("020 7946 0958; 0151 23456789; 91 123 45 67", "[PHONE]; [PHONE]; [PHONE]"),
        ("手机１３８１２３４５６７８", "手机[PHONE]"),
        ("phone number: 2127365000", "phone number: [PHONE]"),
        ("card 4111 1111 1111 1111, 5555555555554444 ok", "card [CARD], [CARD] ok"),
        ("3782 822463 10005 / 6011-1111-1111-1117", "[CARD] / [CARD]"),
        ("DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432", "[IBAN] and [IBAN]"),
        ("from gb82 west 1234 5698 7654 32.", "from [IBAN]."),
        ("192.168.0.1:80, 10.0.0.1/24, 93.184.216.34.", "[IP]:80, [IP]/24, [IP]."),
        ("2001:db8::1 fe80::1 ::ffff:93.184.216.34", "[IP] [IP] [IP]"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "[IP]"),
        ("ssn 123-45-6789", "ssn [US_SSN]"),
        ("SSN: 123456789, Social Security number 123 45 6789", "SSN: [US_SSN], Social Security number [US_SSN]"),
        ("身份证11010519491231002X", "身份证[CN_ID]"),
        ("Steuer-ID 86 095 742 719 oder 47036892816", "Steuer-ID [DE_TAX_ID] oder [DE_TAX_ID]"),
        ("NINO AB 12 34 56 C, AB123456C", "NINO [UK_NINO], [UK_NINO]"),
        ("DNI 12345678Z, 12.345.678-Z, NIE X1234567L", "DNI [ES_DNI], [ES_DNI], NIE [ES_DNI]"),
        ("a\u2028bob@x.org\u2028👍🏽", "a\u2028[EMAIL]\u2028👍🏽"),
    ],
)
def test_what_is_found(text: str, bare: str) -> None:
    assert masked(text) == bare
    assert masked(bare) == bare


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "version 10.2.3.44, v10.2.3.44, 1.2.3.4, 1.2.3.4.5 and 10.0.19041.1288",
        "127.0.0.1, 0.0.0.0, 255.255.255.0, 224.0.0.1, ::1 and 256.1.1.1",
        "std::vector, Bad::Face, a::b, 12:30:45, 00:1A:2B:3C:4D:5E",
        "2024-05-17, 17.05.2024, 05/17/2024, 2024.05.17 12:30, 1999-2003, 20240517",
        "$1,234,567.89, 1.234.567,89 EUR, 857.482.940 views, 10 000 000",
        "ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, 9780306406157, ISBN: 0306406152",
        "order no. 2127365000, order #2127365000, Invoice number: 2127365000, 订单号2127365000",
        "https://example.org/2127365000?id=2127365000",
        "1 2 3 4 5 6 7 8 9 10, 3.14159265, 1234567",
        "4111 1111 1111 1112, 4111111111111110, 1234 5678 1234 5670",
        "DE89 3704 0044 0532 0130 01, XX89370400440532013000, DE8937040044053201300",
        "000-12-3456, 666-45-6789, 900-45-6789, 123-00-6789, 123-45-0000, 123456789",
        "110105194912310021, 11010519491331002X",
        "86095742718, 47036892817",
        "QQ123456C, GB123456A, AB123456E",
        "12345678A, X1234567A",
        "logo@2x.png, @bob, foo@bar, a @ b.com",
    ],
)
def test_look_alikes_stay(text: str) -> None:
    assert masked(text, regions=["US", "GB"]) == text


def test_only_the_kinds_asked_for_are_masked() -> None:
    text = "bob@x.org 4111111111111111 192.168.0.1"
    assert masked(text, kinds=["email"]) == "[EMAIL] 4111111111111111 192.168.0.1"
    assert masked(text, kinds=["ip", "card"]) == "bob@x.org [CARD] [IP]"


def test_of_overlapping_finds_the_surer_kind_counts_whatever_the_order_asked() -> None:
    text = "write to 2127365000@x.org"
    for kinds in (["phone", "email"], ["email", "phone"]):
        result = pii(rows_of([(text, "x")]), **ALL | {"kinds": kinds}, num_proc=1)
        assert table_of(result.rows).column("text").to_pylist() == ["write to [EMAIL]"]
        assert result.facts["found"] == {"email": 1, "phone": 0}


def test_drop_marks_the_rows_and_leaves_the_texts() -> None:
    rows = rows_of([("bob@x.org", "x"), ("nobody", "x"), ("call (212) 736-5000", "x"), ("", "x")])
    result = pii(rows, **ALL | {"action": "drop"}, num_proc=1)
    assert table_of(result.rows).column("dropped").to_pylist() == ["pii", None, "pii", None]
    assert result.rows[:]["text"] == rows[:]["text"]
    assert result.facts["rows"] == 2


def test_nothing_found_is_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    secrets = ["bob@x.org", "4111111111111111", "(212) 736-5000", "DE89370400440532013000", "123-45-6789", "93.184.216.34"]
    with caplog.at_level(logging.DEBUG):
        result = pii(rows_of([(f"see {secret}", "x") for secret in secrets]), **ALL, num_proc=1)
    assert result.facts == {
        "found": {
            "email": 1,
            "iban": 1,
            "card": 1,
            "cn_id": 0,
            "es_dni": 0,
            "de_tax_id": 0,
            "us_ssn": 1,
            "uk_nino": 0,
            "ip": 1,
            "phone": 1,
        },
        "rows": 6,
    }
    assert result.evidence is None
    told = json.dumps(dict(result.facts)) + caplog.text + "".join(capfd.readouterr()) + "".join(result.rows[:]["text"])
    assert not [secret for secret in secrets if secret in told]


@settings(deadline=None)
@given(st.integers(0, 10**14 - 1))
def test_luhn_finds_one_wrong_digit(number: int) -> None:
    digits = f"{number:014d}"
    (check_digit,) = (last for last in "0123456789" if luhn_holds(digits + last))
    wrong = str((int(digits[5]) + 1) % 10)
    assert not luhn_holds(digits[:5] + wrong + digits[6:] + check_digit)


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789 .-:@/+()xXaZ我＠１\n")))
def test_text_around_finds_stays_in_order(text: str) -> None:
    """Whatever is masked, the rest is there unchanged and in order."""
    place = 0
    for part in masked(f"é{text}é", regions=["US"]).split("["):
        rest = part.partition("]")[2] if place else part
        found = f"é{text}é".find(rest, place)
        assert found >= place
        place = found + len(rest)
    assert place == len(text) + 2


def test_hostile_text_is_done_in_reasonable_time() -> None:
    for text in ("a" * 100_000 + "@", "a.@" * 20_000, "1" * 50_000, "1:" * 30_000, "DE12" * 20_000, "x@" + "a-" * 30_000):
        assert isinstance(masked(text, kinds=[*KINDS]), str)


def test_two_processes_agree_with_one() -> None:
    rows = rows_of([(f"row {i}: bob{i}@x.org" if i % 2 else f"row {i}: (212) 736-5000", "x") for i in range(2100)])
    one, two = (pii(rows, **ALL, num_proc=num_proc) for num_proc in (1, 2))
    assert table_of(one.rows).equals(table_of(two.rows))
    assert one.facts == two.facts
    assert one.facts["found"]["email"] == one.facts["found"]["phone"] == 1050


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"action": "hide"}, "clean.pii.action: unknown action 'hide'"),
        ({"kinds": []}, "clean.pii.kinds: must be a list of kinds"),
        ({"kinds": "email"}, "clean.pii.kinds: must be a list of kinds, got 'email'"),
        ({"kinds": ["mail"]}, r"unknown kind 'mail'. fix: did you mean 'email'\?"),
        ({"regions": []}, "clean.pii.regions: must be a list of regions"),
    ],
)
def test_impossible_values_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        check(**ALL | options)


def test_unknown_regions_and_a_missing_library_are_refused_only_where_phones_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="unknown region 'UK'"):
        fingerprint(**ALL | {"regions": ["UK"]})
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "phonenumbers":
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Refused, match=r"pip install 'prepsweep\[pii\]'"):
        fingerprint(**ALL)
    assert fingerprint(**ALL | {"kinds": ["email"]}) == {}
    assert masked("bob@x.org", kinds=["email"]) == "[EMAIL]"
