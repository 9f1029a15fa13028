"""The exported folder: what transformers and `prepsweep predict` read, without a path of this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from prepsweep.checkpoints import MODEL_FILES
from prepsweep.errors import Refused
from prepsweep.predict.preparation import PREPARATION_FILE, rewriting
from prepsweep.record import RECORD_FILE, read_record

# Where a checkpoint or its tokenizer lay when it was saved.
_PLACES = ("_name_or_path", "name_or_path")


def empty_folder(out: Path) -> Path:
    """`out`, which must not be there yet, or hold nothing: an export never takes the place of files."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused("OUT_DIR", f"{out} is there and not an empty folder", "name a new folder")
    if not out.absolute().parent.is_dir():
        raise Refused("OUT_DIR", f"there is no folder {out.absolute().parent}", "make it, or name another one")
    return out


def record_of(folder: Path) -> dict[str, Any] | None:
    """The record of the run that a model is of; None where its folder lies elsewhere."""
    record = read_record(folder.parent) if folder.absolute().name == "model" and (folder.parent / RECORD_FILE).is_file() else None
    return record if record is not None and record["status"] == "finished" else None


def copy_model(folder: Path, out: Path) -> None:
    """Weights and tokenizer as they are, configurations without places, and the preparation of texts as far as prediction needs it."""
    names = {file.name for pattern in MODEL_FILES for file in folder.glob(pattern) if file.is_file()}
    for name in sorted(names):
        if name in ("config.json", "tokenizer_config.json"):
            settings = json.loads((folder / name).read_bytes())
            _write_json(out / name, {key: value for key, value in settings.items() if key not in _PLACES})
        else:
            shutil.copyfile(folder / name, out / name)
    if (folder / PREPARATION_FILE).is_file():
        facts = json.loads((folder / PREPARATION_FILE).read_bytes())
        kept = {name: facts["preprocess"]["tokenize"][name] for name in ("max_length", "truncation", "stride")}
        _write_json(out / PREPARATION_FILE, facts | {"clean": rewriting(facts["clean"]), "preprocess": {"tokenize": kept}})


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
