"""Rows of a data set on the Hugging Face hub, or of a folder that holds a copy of one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prepsweep.errors import Refused
from prepsweep.fingerprints import hash_folder
from prepsweep.lineage import table_of
from prepsweep.schema import UNSPLIT
from prepsweep.sources.files import near, said
from prepsweep.sources.hooks import check
from prepsweep.sources.table import Columns, Rows, as_names, dataset_from, first, texts_of, typed_further
from prepsweep.sources.task_labels import as_json

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from prepsweep.label_kinds import Labels

__all__ = ["check", "fingerprint", "hub"]
_SMALL = ["README.md"]
_OFFLINE = (
    "download it once where the hub can be reached (then HF_HUB_OFFLINE=1 uses that copy), set data.name to a folder, or use data=csv"
)


def hub(
    *,
    name: str,
    config: str | None,
    revision: str | None,
    text_column: str,
    text_pair_column: str | None,
    label_column: str,
    group_column: str | None,
    time_column: str | None,
    carry_columns: list[str],
    train_split: str,
    dev_split: str | None,
    test_split: str | None,
    classes: list[str] | str | None,
    labels: Labels | None,
) -> Dataset:
    """The rows of one to three splits; class numbers become the names that the data set gives them.

    `name` is a hub name or a folder with the files of a data set (then `revision` says nothing). The files of one commit
    are fetched once into the hub's cache, all of them, and read from there: no code of the data set runs, and a copy of
    another commit is never taken for it.
    """
    columns = Columns(text_column, text_pair_column, label_column, group_column, time_column, carry_columns, False)
    folder = Path(name) if Path(name).is_dir() else _fetched(name, revision)
    if (folder / f"{Path(name).name}.py").is_file():
        fix = "set data.revision=refs/convert/parquet, or data.name to a copy in Parquet"
        raise Refused("data.name", f"{name} is made by a script, and code from a hub is not run", fix)
    loaded = _loaded(folder, name, config, columns)
    wanted = {"data.train_split": train_split, "data.dev_split": dev_split, "data.test_split": test_split}
    splits = {"data.train_split": "train" if dev_split and test_split else UNSPLIT, "data.dev_split": "dev", "data.test_split": "test"}
    given = {key: split for key, split in wanted.items() if split is not None}
    for place, (key, split) in enumerate(given.items()):
        if split not in loaded:
            raise Refused(key, f"{name} has no split {split!r}", near(split, loaded))
        if split in list(given.values())[:place]:
            raise Refused(key, f"the split {split!r} is named twice", f"name another split, or set {key}=null: it is cut from train then")
    parts = {splits[key]: _rows(loaded[split], f"{name}:{split}", columns, labels) for key, split in given.items()}
    return dataset_from(parts, classes=classes, labels=labels)


def fingerprint(*, name: str, revision: str | None, **_: object) -> dict[str, str]:
    """The commit that `revision` stands for now, or the content of a folder."""
    return {"folder": hash_folder(Path(name))} if Path(name).is_dir() else {"commit": _commit(name, revision)}


@cache
def _commit(name: str, revision: str | None) -> str:
    """The commit of `revision`: as the hub says where it can be reached, else that of the copy in its cache.

    Asked once in a process, so that the rows are those of the commit in the cache key.
    """
    if revision is not None and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    with _refused_in_onesaid(name, revision):
        return Path(_snapshot(name, revision, allow_patterns=_SMALL)).name


def _fetched(name: str, revision: str | None) -> Path:
    """The folder in the hub's cache with all files of the commit."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    commit = _commit(name, revision)
    with _refused_in_onesaid(name, revision):
        try:
            # Without a network this fails at once, where listing a commit tries again for half a minute.
            _snapshot(name, None, allow_patterns=_SMALL)
        except LocalEntryNotFoundError:
            return Path(_snapshot(name, commit, local_files_only=True))
        return Path(_snapshot(name, commit))


def _snapshot(name: str, revision: str | None, **arguments: Any) -> str:
    # One call that tells a dead network, a missing data set and a copy in the cache apart.
    from huggingface_hub import snapshot_download

    return str(snapshot_download(name, repo_type="dataset", revision=revision, **arguments))


@contextmanager
def _refused_in_onesaid(name: str, revision: str | None) -> Iterator[None]:
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except HFValidationError as error:
        raise Refused("data.name", f"{name!r} is no folder and no hub name", "write it as owner/name, or check the path") from error
    except RevisionNotFoundError as error:
        raise Refused("data.revision", f"{name} has no revision {revision!r}", "use a branch, a tag or a commit of it") from error
    except RepositoryNotFoundError as error:
        raise Refused(
            "data.name", f"the hub has no data set {name!r} that may be read", "check the name, or log in with hf auth login"
        ) from error
    except LocalEntryNotFoundError as error:
        raise Refused("data.name", f"the hub cannot be reached and its cache has no whole copy of {name}", _OFFLINE) from error
    except OSError as error:
        raise Refused("data.name", f"cannot fetch {name}: {said(error)}", _OFFLINE) from error


def _loaded(folder: Path, name: str, config: str | None, columns: Columns) -> DatasetDict:
    """All splits in memory; the files that the library makes on the way are removed again.

    Its own cache is not used: for local files it goes by size and time, and gives old rows where only the content changed.
    """
    import datasets
    from datasets.exceptions import DatasetsError

    shows_bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        configs = datasets.get_dataset_config_names(str(folder))
        if config not in configs and (config is not None or (len(configs) > 1 and "default" not in configs)):
            what = f"{name} has no configuration {config!r}" if config is not None else f"{name} has {len(configs)} configurations"
            raise Refused("data.config", what, near(str(config), configs))
        with tempfile.TemporaryDirectory(prefix="prepsweep-") as made:
            builder = datasets.load_dataset_builder(str(folder), config, cache_dir=made)
            _keep_strings(builder.config, columns)
            builder.download_and_prepare()
            return builder.as_dataset(in_memory=True)
    except Refused:
        raise
    except (DatasetsError, OSError, ValueError) as error:
        fix = "use data=csv, jsonl or parquet with data.path"
        raise Refused("data.name", f"cannot read {name}: {said(error.__cause__ or error)}", fix) from error
    finally:
        if shows_bars:
            datasets.enable_progress_bars()


def _keep_strings(reading: Any, columns: Columns) -> None:
    """Stop the CSV reader of the library from guessing: there `NA` and `None` are missing, and `007` is 7."""
    if hasattr(reading, "keep_default_na"):
        reading.keep_default_na = reading.na_filter = False
        if reading.features is None:
            reading.converters = dict.fromkeys(columns.named.values(), str)


def _rows(split: Dataset, where: str, columns: Columns, labels: Labels | None) -> Rows:
    columns.check(split.column_names, where, "there is no column")
    if not len(split):
        raise Refused(where, "the split has no rows", "name another split")
    table = table_of(split)
    given, feature = table.column(columns.label), split.features[columns.label]
    # Of a list of class numbers the names are those of its items.
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if labels is not None:
        given = as_json(_named_lists(given, names, where) if names else given)
    else:
        given = _named(given, names, where) if names else as_names(given, columns.label, where, role="label")
    texts = texts_of(table, columns, where, labels)
    return Rows(texts, given, typed_further(table, columns, where), where=lambda row: f"{where}:{row + 1}")


def _named_lists(lists: pa.ChunkedArray, names: list[str], where: str) -> pa.ListArray:
    column = lists.combine_chunks()
    values = _named(pa.chunked_array([column.flatten()]), names, where).combine_chunks()
    return pa.ListArray.from_arrays(pc.cast(column.offsets, pa.int32()), values)


def _named(numbers: pa.ChunkedArray, names: list[str], where: str) -> pa.ChunkedArray:
    """Class numbers as class names; -1 is how the hub marks rows whose label is kept secret."""
    row = first(pc.less(numbers, 0))
    if row is not None:
        raise Refused(f"{where}:{row + 1}", "the row has no label (-1), as in the test split of a competition", "name another split")
    taken = pc.take(pa.array(names, pa.string()), numbers)
    return taken if isinstance(taken, pa.ChunkedArray) else pa.chunked_array([taken])
