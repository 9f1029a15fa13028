"""Uids of source rows: they stay what they are from release to release."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from prepsweep.schema import child_uid, source_uids

ROW = st.tuples(st.text(max_size=6), st.sampled_from(["x", "y", "NA"]), st.sampled_from(["", "test"]))


def test_uids_are_those_of_the_first_release() -> None:
    rows = [("a film", "fresh", ""), ('我\'s "q" \u2028\\', "NA", "test"), ("a film", "fresh", ""), ("a film", "fresh", "")]
    first = hashlib.blake2b(b"('a film', 'fresh', '')", digest_size=12).hexdigest()
    odd = hashlib.blake2b("('我\\'s \"q\" \\u2028\\\\', 'NA', 'test')".encode(), digest_size=12).hexdigest()
    assert source_uids(rows) == [first, odd, child_uid(first, "repeat", 1), child_uid(first, "repeat", 2)]
    assert first == "21a86465a14515c620130d36"


@given(st.lists(ROW, max_size=20))
def test_uids_are_distinct_and_the_same_set_in_any_order(rows: list[tuple[str, str, str]]) -> None:
    found = source_uids(rows)
    assert len(set(found)) == len(rows)
    assert set(found) == set(source_uids(reversed(rows)))
