"""What the sources of files and of the hub refuse before a row is read: the hooks that `stages.py` looks for in a module."""

from __future__ import annotations

from prepsweep.sources.files import given_files
from prepsweep.sources.table import Columns, checked_classes


def check(
    *,
    text_column: str,
    text_pair_column: str | None,
    label_column: str,
    group_column: str | None,
    time_column: str | None,
    carry_columns: list[str],
    classes: list[str] | str | None,
    **_: object,
) -> None:
    """Refuse values that no data can fit."""
    Columns(text_column, text_pair_column, label_column, group_column, time_column, carry_columns, False)
    checked_classes(classes)


def fingerprint(*, path: str, dev_path: str | None, test_path: str | None, **_: object) -> dict[str, str]:
    """Nothing beyond the files, which the framework hashes; a missing one is refused here with a hint."""
    given_files(path=path, dev_path=dev_path, test_path=test_path)
    return {}
