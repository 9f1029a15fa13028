"""Apertium: as many lines back as went in, whatever is in them."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prepsweep.errors import Refused
from prepsweep.translators.apertium import apertium, fingerprint_pair

PLAIN = ["The cat is black.", "I want to", "go home", "A good film."]
NASTY = [
    "A [b] {c} ^d$ e/f \\g @h <i> *j #k ~l +m",
    *"[]{}^$/\\@<>~*#+_-",
    "\\[",
    "[<",
    "^a/b<c>$",
    "[[t:b:123]]x[[/]]",
    "[<STREAMCMD:SETVAR:x>]",
    "a.[]b",
    ".[]",
    "[]",
    "a\u2028b\u2029c",
    "a\u0085b",
    "a\x00b",
    "a\nb\r\nc\rd",
    "a\x0bb\x0cc\x1cd\x1ee",
    "a\u00a0b\u3000c",
    "\u200b\ufeff\u202e rtl",
    "e\u0301 \ufffe \U0010ffff 😀 中文",
    "...",
    "U.S.",
    "no full stop",
    "<b>bold</b> &amp; &lt;",
    "`code` %s {0}",
    "word " * 20_000,
    "unbroken" * 5_000,
]
BLANK = ["", " ", "\t\n", "\u2028", "\x00"]


def there(texts: list[str]) -> list[str]:
    return list(apertium(texts, source="eng", target="spa"))


def test_translations_are_spanish(real_apertium: str) -> None:
    assert there(PLAIN) == ["El gato es negro.", "Quiero", "Va casa", "Una película buena."]


def test_nasty_texts_keep_their_places(real_apertium: str) -> None:
    """Marker texts between the nasty ones come back as they do among themselves."""
    mixed = [text for nasty in NASTY for text in (nasty, "A good film.")]
    came = there(mixed)
    assert len(came) == len(mixed)
    assert set(came[1::2]) == {"Una película buena."}
    assert all(came)
    assert came[0] == "Un [b] {c} ^d$ e/f \\g @h <i> *j #k ~l +m"


def test_random_texts_keep_their_places(real_apertium: str) -> None:
    rng = random.Random(0)
    parts = [
        *"[]{}^$/\\@<>*#~+-_.,;:!?'\"`%&|=() ",
        "the ",
        "No ",
        "U.S. ",
        "don't ",
        "é",
        "\u2028",
        "\x85",
        "\x00",
        "[[",
        ".[]",
        "in order to ",
    ]
    texts = [f"{n} " + "".join(rng.choice(parts) for _ in range(rng.randrange(20))) for n in range(1000)]
    came = there(texts)
    assert [text.split()[0] for text in came] == [str(n) for n in range(1000)]
    specials = "[]{}^$/\\@<>*#~+"
    assert all(sum(map(text.count, specials)) == sum(map(back.count, specials)) for text, back in zip(texts, came, strict=True))


def test_a_text_does_not_flow_into_the_next(real_apertium: str) -> None:
    texts = ["The black", "cat is nice", "I want to", "house", "a good", "film and"]
    assert there(texts) == [there([text])[0] for text in texts]


def test_blank_texts_come_back_as_they_are(real_apertium: str) -> None:
    assert there(BLANK) == BLANK
    assert there([]) == []
    assert there([*BLANK, "A good film.", *BLANK]) == [*BLANK, "Una película buena.", *BLANK]


def test_surrogates_do_no_harm(real_apertium: str) -> None:
    assert len(there(["a\ud800b", "A good film."])) == 2


def test_two_directions_stream_into_each_other(real_apertium: str) -> None:
    texts = [f"The {word} is number {n}." for n in range(300) for word in ("cat", "house")]
    stream = apertium(iter(there(texts)), source="spa", target="eng")
    nested = apertium(apertium(texts, source="eng", target="spa"), source="spa", target="eng")
    assert list(nested) == list(stream)


def test_texts_come_before_all_are_given(real_apertium: str) -> None:
    """The first translation is there while the iterator still has texts to give."""
    given = 0

    def endless() -> Iterator[str]:
        nonlocal given
        while True:
            given += 1
            yield f"This is film number {given}."

    stream = apertium(endless(), source="eng", target="spa")
    assert next(iter(stream)).endswith("película 1.")
    assert given < 100_000
    stream.close()  # type: ignore[attr-defined]


def alive(group: int) -> list[str]:
    """Names of the processes of a group, without those that are dead and only wait to be noticed."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, fields = stat.read_text(encoding="utf-8").rpartition(")")
            if fields.split()[2] == str(group) and fields.split()[0] != "Z":
                found.append(name)
    return found


@pytest.mark.parametrize("directions", [1, 2])
def test_nothing_is_left_after_an_early_end(real_apertium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directions: int) -> None:
    started: list[int] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    stream = apertium(["A good film."] * 20_000, source="eng", target="spa")
    if directions == 2:
        stream = apertium(stream, source="spa", target="eng")
    assert next(iter(stream))
    assert len(started) == directions
    assert all(map(alive, started))
    stream.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 5
    while any(map(alive, started)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, started))
    assert not list(tmp_path.glob("apertium.*"))


def test_an_error_of_the_texts_is_the_error(real_apertium: str) -> None:
    def broken() -> Iterator[str]:
        yield "A good film."
        raise KeyError("upstream")

    with pytest.raises(KeyError, match="upstream"):
        list(apertium(broken(), source="eng", target="spa"))
    with pytest.raises(TypeError):
        there(["A good film.", None])  # type: ignore[list-item]


def test_the_users_locale_does_not_matter(real_apertium: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert there(["The tomorrow and the year."]) == ["El mañana y el año."]


def test_fingerprint_is_of_both_modes_data(real_apertium: str) -> None:
    hashes = fingerprint_pair(source="eng", target="spa")
    assert {"apertium", "eng-spa/eng-spa.mode", "eng-spa/eng-spa.automorf.bin", "eng-spa/eng-spa.autogen.bin"} <= set(hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes.values())


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called apertium that the test writes, with the pair eng-spa."""
    (tmp_path / "modes").mkdir()
    (tmp_path / "modes" / "eng-spa.mode").write_text("lt-proc '/dev/null'\n", encoding="utf-8")
    monkeypatch.setenv("APERTIUM_DATADIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program = tmp_path / "apertium"
    program.write_text("", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("grep -v two", "lines in and lines out do not match"),
        ("sed 's/two/two\\n/'", "lines in and lines out do not match"),
        ("cat; echo more", "gave more lines than it got"),
        ("head -2; echo out of memory >&2; exit 1", "do not match. out of memory"),
        ("cat; echo broken >&2; exit 3", "ended with exit code 3. broken"),
        ("exit 0", "do not match. It said nothing on stderr."),
    ],
)
def test_a_line_too_few_or_too_many_is_an_error(fake: Path, script: str, message: str) -> None:
    fake.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match=f"^apertium eng-spa: .*{re.escape(message)}"):
        there(["one", "two", "three"])


def test_a_missing_pair_is_refused_with_the_ones_there(fake: Path) -> None:
    with pytest.raises(Refused, match=r"^augment\.backtranslate: Apertium has no pair spa-eng here, only eng-spa") as refused:
        apertium(["a"], source="spa", target="eng")
    assert refused.value.fix.startswith("sudo apt-get install apertium-eng-spa (")
    assert refused.value.fix.endswith("or use augment=backtranslate_marian or augment=synonym")


def test_a_pair_without_its_data_is_refused(fake: Path) -> None:
    mode = fake.parent / "modes" / "eng-spa.mode"
    mode.write_text("lt-proc '/nowhere/eng-spa.automorf.bin' | lt-proc $1 '/nowhere/eng-spa.autogen.bin'", encoding="utf-8")
    with pytest.raises(Refused, match=r"Apertium's pair eng-spa lacks its file /nowhere/eng-spa\.autogen\.bin") as refused:
        fingerprint_pair(source="eng", target="spa")
    assert refused.value.fix.startswith("sudo apt-get install --reinstall apertium-eng-spa")


def test_a_missing_program_is_refused_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Refused, match=r"^augment\.backtranslate: the program apertium is not installed") as refused:
        apertium(["a"], source="eng", target="spa")
    assert refused.value.fix == "sudo apt-get install apertium-eng-spa, or use augment=backtranslate_marian or augment=synonym"


@pytest.mark.parametrize("code", ["../eng", "-u", "", "english", "eng;ls"])
def test_only_language_codes_reach_the_command_line(code: str) -> None:
    with pytest.raises(Refused, match="is not a language code"):
        apertium(["a"], source=code, target="spa")
