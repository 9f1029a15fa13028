"""What the fuzz targets in fuzz/ demand of the readers, on their seeds, cut and altered; `make fuzz` goes on for hours."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "fuzz"
NAMES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "harness")
# (where, of the length of what is there; how many bytes go; what comes in their place)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), max_size=4)


@pytest.fixture(params=NAMES, scope="module")
def fuzzed(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield import_module(request.param)


def test_there_is_a_target_for_each_reader() -> None:
    assert NAMES == ["check_yaml", "read_csv", "read_jsonl", "read_parquet"]


def test_seeds_and_each_beginning_of_them_are_read_exactly_or_refused(fuzzed: ModuleType) -> None:
    for seed in fuzzed.SEEDS:
        for end in range(0, len(seed) + 1, max(1, len(seed) // 60)):
            fuzzed.target(seed[:end])
        fuzzed.target(seed)


def test_edited_seeds_are_read_exactly_or_refused(fuzzed: ModuleType) -> None:
    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(fuzzed.SEEDS), EDITS)
    def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> None:
        for share, n_gone, new in edits:
            at = round(share * len(data))
            data = data[:at] + new + data[at + n_gone :]
        fuzzed.target(data)

    edited()
