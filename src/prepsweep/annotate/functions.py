"""Labelling functions in Python: found in a file or in a module, called on the texts, their answers as columns of labels."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from prepsweep.errors import Refused
from prepsweep.processes import over_batches
from prepsweep.schema import text_columns
from prepsweep.targets import is_trusted

WHERE = "annotate.label_functions"
_BATCH = 5000
Functions = Mapping[str, Callable[..., Any]]


@cache
def functions_of(file: str | None, module: str | None) -> Functions:
    """The public functions that the file or module defines itself, in the order they stand there."""
    loaded = _from_file(Path(file)) if file is not None else _from_module(str(module))
    found = {
        name: value
        for name, value in vars(loaded).items()
        if inspect.isfunction(value) and value.__module__ == loaded.__name__ and not name.startswith("_")
    }
    if not found:
        raise Refused(str(file or module), "defines no function", "write one as def spam(text): return 'SPAM' if … else None")
    return found


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"labelling_functions_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise Refused(f"{WHERE}.functions_file", f"{path} is no Python file", "name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Refused(_line_in(error, path), _said(error), "the file must import by itself") from error
    return module


def _from_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Refused(f"{WHERE}.functions_module", f"no module {error.name!r}", "check the name and that it is installed") from error


def refuse_untrusted(module: str) -> None:
    """Refuse a module of a package that the environment does not trust: to import it is to run it."""
    if not is_trusted(f"{module}."):
        fix = "name its package in PREPSWEEP_PACKAGES, or give the file as functions_file"
        raise Refused(f"{WHERE}.functions_module", f"{module} is not in a trusted package", fix)


def python_votes(rows: pa.Table, *, file: str | None, module: str | None, num_proc: int) -> dict[str, pa.Array]:
    """Name of a function → its labels of the rows, null where it abstains.

    A function takes the text (of pairs both texts) and gives the name of a class or None; one whose first argument is
    annotated as an Arrow array takes whole columns, and gives as many labels. Integers and booleans are the classes that JSON
    writes so.
    """
    functions = functions_of(file, module)
    columns = [rows[column] for column in text_columns(rows.column_names)]
    n_texts = {name: _n_texts(function, name, at_most=len(columns)) for name, function in functions.items()}
    arrays = {name: columns[: n_texts[name]] for name, function in functions.items() if _takes_arrays(function)}
    whole = {name: _column(_called(functions[name], name, [given])[0], name, len(rows)) for name, given in arrays.items()}
    single = {name: n_texts[name] for name in functions if name not in whole}
    texts = list(zip(*(column.to_pylist() for column in columns), strict=True))
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)] if single else []
    asked = partial(_asked, file, module, single)
    parts = over_batches(asked, batches, num_proc=num_proc, description="labelling functions")
    answers = {name: _column([label for part in parts for label in part[name]], name, len(rows)) for name in single}
    return {name: (whole | answers)[name] for name in functions}


def _asked(file: str | None, module: str | None, names: Mapping[str, int], texts: Sequence[tuple[str, ...]]) -> dict[str, list[Any]]:
    """Answers of the functions `names` on each of `texts`, as they gave them; the number says how many texts each takes."""
    functions = functions_of(file, module)
    return {name: _called(functions[name], name, [both[:n_texts] for both in texts]) for name, n_texts in names.items()}


def _called(function: Callable[..., Any], name: str, arguments: Iterable[Sequence[Any]]) -> list[Any]:
    try:
        return [function(*given) for given in arguments]
    except Exception as error:
        where = _line_in(error, Path(inspect.getfile(function)))
        raise Refused(where, f"{name}: {_said(error)}", "return None where it cannot say") from error


def _column(answers: Any, name: str, n_rows: int) -> pa.Array:
    """The answers of a function as labels."""
    values = answers.to_pylist() if isinstance(answers, (pa.Array, pa.ChunkedArray)) else list(answers)
    if len(values) != n_rows:
        raise Refused(f"{WHERE}: {name}", f"gave {len(values)} labels for {n_rows} texts", "give one for each, None to abstain")
    kinds = {type(value) for value in set(values)}
    if kinds - {str, int, bool, type(None)}:
        other = next(value for value in values if type(value) not in (str, int, bool, type(None)))
        raise Refused(f"{WHERE}: {name}", f"gave {other!r}, which is no class", "return the name of a class, or None to abstain")
    if kinds & {int, bool}:
        values = [str(value).lower() if isinstance(value, bool) else value if value is None else str(value) for value in values]
    return pa.array(values, pa.string())


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    needed = inspect.signature(function).parameters.values()
    return [p for p in needed if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _n_texts(function: Callable[..., Any], name: str, *, at_most: int) -> int:
    n_texts = len(_parameters(function))
    if n_texts not in (1, 2):
        raise Refused(
            f"{WHERE}: {name}", f"takes {n_texts} arguments", "take the text, or of pairs both texts; hide helpers with a leading _"
        )
    if n_texts > at_most:
        raise Refused(f"{WHERE}: {name}", "takes two texts, and a row has one", "set data.text_pair_column, or take one")
    return n_texts


def _takes_arrays(function: Callable[..., Any]) -> bool:
    return "Array" in str(_parameters(function)[0].annotation)


def _line_in(error: BaseException, path: Path) -> str:
    """`file:line` of the last line of `path` that the error came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f"{path}:{lines[-1]}" if lines else str(path)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
