"""What the fuzz targets share: coverage of our readers, an input as a file, a first corpus.

    pip install atheris
    python fuzz/read_csv.py -max_total_time=60

A target takes bytes and ends in silence, or with any exception where a reader did anything but give exactly the rows of
the file or refuse it. Options are libFuzzer's; a folder that is named keeps what was found worth going on from.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from prepsweep.errors import Refused


def instrumented(name: str, *packages: str) -> AbstractContextManager[None]:
    """Around the imports of a target called `name`: what it runs of `packages` is seen by the fuzzer, where one runs it."""
    if name != "__main__":
        return nullcontext()
    import atheris

    covered: AbstractContextManager[None] = atheris.instrument_imports(include=list(packages))
    return covered


def columns(**given: object) -> dict[str, Any]:
    """The arguments of a file source as its YAML has them, with `given` in their place."""
    empty = dict.fromkeys(("dev_path", "test_path", "text_pair_column", "group_column", "time_column", "classes", "labels"))
    return {**empty, "text_column": "text", "label_column": "label", "carry_columns": [], "unlabelled": False, **given}


def rows_or_refusal(data: bytes, ending: str, read: Callable[[str], Any]) -> list[tuple[str, str]] | None:
    """(text, label) of each row that `read` finds in a file of these bytes; None where it refuses it in one line."""
    with tempfile.NamedTemporaryFile(suffix=ending) as file:
        file.write(data)
        file.flush()
        found: list[Any] = []
        if refused(lambda: found.append(read(file.name))):
            return None
        return list(zip(found[0][:]["text"], found[0][:]["label"], strict=True))


def refused(read: Callable[[], object]) -> bool:
    """Whether `read` refuses, in one line; any other exception is a finding."""
    try:
        read()
    except Refused as error:
        lines = str(error).splitlines()
    else:
        return False
    assert len(lines) == 1, lines
    return True


def fuzz(target: Callable[[bytes], None], seeds: Sequence[bytes]) -> None:
    """Run `target` on whatever the fuzzer makes of `seeds`, as the command line says."""
    import atheris

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        # The first folder is written to, the others are only read.
        atheris.Setup([*sys.argv, corpus], target)
        atheris.Fuzz()
