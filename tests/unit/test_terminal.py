"""The end of a run on the terminal, for many classes as for few."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from prepsweep.terminal import _classes


def stage(group: str, name: str, split: str | None, counts: dict[str, int]) -> dict[str, Any]:
    cells = {label: {"rows_out": n_rows} for label, n_rows in counts.items()}
    return {"group": group, "name": name, "split": split, "per_class": {"train": cells}, "rows_per_split": {"train": sum(counts.values())}}


def test_rows_of_each_class_fit_the_terminal_whatever_their_number() -> None:
    counts = {f"intent [{number}]": 1000 + number for number in range(77)}
    doubled = {label: 2 * n_rows for label, n_rows in counts.items()}
    splits = {split: {"per_class": {"intent [5]": 3}, "rows": 3} for split in ("train", "dev", "test")}
    stages = [stage("split", "stratified", None, counts), stage("augment", "eda", "train", doubled)]
    shown = StringIO()
    console = Console(file=shown, width=80)
    console.print(_classes({"classes": list(counts), "stages": stages, "splits": splits}))
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert ["intent", "[5]", "1,005", "2,010", "3", "3"] in lines
    assert ["intent", "[76]", "1,076", "2,152", "0", "0"] in lines
    assert ["all", f"{sum(counts.values()):,}", f"{sum(doubled.values()):,}", "3", "3"] in lines
