"""Contractions with one reading are spelled out; all else stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prepsweep.clean.contractions import contractions
from prepsweep.lineage import table_of
from tests.conftest import rows_of


def spelled(text: str) -> str:
    result: str = table_of(contractions(rows_of([(text, "x")]), num_proc=1)).column("text")[0].as_py()
    return result


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("don't isn't wasn't couldn't", "do not is not was not could not"),
        ("can't won't shan't", "cannot will not shall not"),
        ("Don't Can't Won't", "Do not Cannot Will not"),
        ("DON'T CAN'T WON'T IT'S I'M", "DO NOT CANNOT WILL NOT IT IS I AM"),
        ("don’t, it’s; I’m", "do not, it is; I am"),
        ("I'm we're they've you'll John'll", "I am we are they have you will John will"),
        ("wouldn't've I'd've", "would not have I would have"),
        ("it's good, that's all, who's there", "it is good, that is all, who is there"),
        ("it's been fun and he's never got it", "it has been fun and he has never got it"),
        ("let's go, Let's go, LET'S GO", "let us go, Let us go, LET US GO"),
        ("'tis late, 'Twas late", "it is late, It was late"),
        ("do n't ca n't it 's we 're should 've", "do not cannot it is we are should have"),
        ("he said 'it's' (don't)", "he said 'it is' (do not)"),
        ("it's\u2028late", "it is\u2028late"),
    ],
)
def test_one_reading_is_spelled_out(short: str, long: str) -> None:
    assert spelled(short) == long


@pytest.mark.parametrize(
    "text",
    [
        "",
        "John's film, the actors' best, everyone's friend",
        "it's gone, he's finished, it's needed, it's own",
        "I'd better, she'd say, ain't, y'all",
        "ma'am, o'clock, rock 'n' roll, 'em, '90s",
        "cant wont im its whos",
        "l'été qu'il d'accord j'ai c'est aujourd'hui",
        "the 're-read' and 'real' ones",
        "我喜欢 '电影' 👍🏽",
    ],
)
def test_what_has_two_readings_or_is_no_contraction_stays(text: str) -> None:
    assert spelled(text) == text


@settings(deadline=None)
@given(st.text(st.sampled_from("isitdoncalve'’ SM我")))
def test_a_second_run_finds_nothing_more(text: str) -> None:
    assert spelled(spelled(text)) == spelled(text)


def test_two_processes_agree_with_one() -> None:
    rows = rows_of([(f"it's row {i} and I don't care", "x") for i in range(2100)])
    one = table_of(contractions(rows, num_proc=1))
    assert one.column("text")[7].as_py() == "it is row 7 and I do not care"
    assert table_of(contractions(rows, num_proc=2)).equals(one)
