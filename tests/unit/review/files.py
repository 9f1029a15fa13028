"""A review file for the rows of the contract suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepsweep.review.marks import data_mark, written_place, written_uid


@pytest.fixture
def review_file(tmp_path: Path) -> Path:
    """Decisions of one person that give the first three of `make_reviews` another class."""
    from tests.conftest import make_reviews, rows_of

    rows = rows_of(make_reviews(40)).select(range(3))
    lines = [
        f"{written_place(place, 3)},{written_uid(uid)},{data_mark(uid, [text])},rotten\n"
        for place, (uid, text) in enumerate(zip(rows["uid"], rows["text"], strict=True), start=1)
    ]
    file = tmp_path / "review.csv"
    file.write_text("row,uid,data,decision\n" + "".join(lines), encoding="utf-8")
    return file
