"""One command gives the same prepared rows, predictions and weights wherever it is run, whatever its file is called, cold or warm.

`tests/contract/test_golden.py` holds each stage to this; here the whole way is, sources, tokens and training included.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prepsweep.cli import train
from prepsweep.fingerprints import hash_file
from prepsweep.identity import hash_json
from tests.conftest import make_reviews
from tests.integration.test_command_line import QUICK
from tests.records import record_of

STAGES = ["clean=[normalize_unicode,near_dedup]", "augment=[char_noise,aeda]", "balance=oversample", "logger=none"]
# More rows than two processes share a batch of.
ROWS = [*make_reviews(5000), ("我喜欢这部电影。", "fresh"), ("Ünïcödé 👍🏽 \u2028 “quotes”", "rotten"), ("", "plot")]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# Folder and file, processes, environment.
PLACES: dict[str, tuple[str, int, dict[str, str]]] = {
    "here": ("reviews.csv", 1, {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati"} | ASCII),
    "there": ("in a folder/of another name.csv", 2, {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns"}),
}


def command(data: str, model: Path, n_proc: int) -> list[str]:
    return ["data=csv", f"data.path='{data}'", f"model.name={model}", *QUICK, *STAGES, f"runtime.num_proc={n_proc}"]


def made(folder: Path) -> dict[str, Any]:
    """Hashes of what the run in `folder` made, and the keys of its stages."""
    (run_json,) = folder.glob("outputs/*/*/run.json")
    record = record_of(run_json.parent)
    files = [run_json.parent / "predictions.parquet", run_json.parent / "model" / "model.safetensors"]
    stages = {f"{stage['name']} {stage['split']}": (stage["key"], hash_json(stage["content"])) for stage in record["data"]["stages"]}
    return {"metrics": record["metrics"], **stages, **{file.name: hash_file(file) for file in files}}


def test_one_command_one_result(tmp_path: Path, tiny_model: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    started = []
    for name, (data, n_proc, told) in PLACES.items():
        file = tmp_path / name / data
        file.parent.mkdir(parents=True)
        file.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in ROWS), encoding="utf-8")
        environment = kept | told | {"OMP_NUM_THREADS": "1", "PREPSWEEP_CACHE_DIR": str(tmp_path / name / "cache")}
        code = [sys.executable, "-c", "import sys; from prepsweep.cli import train; sys.exit(train())"]
        started.append(subprocess.Popen([*code, *command(data, tiny_model, n_proc)], env=environment, cwd=tmp_path / name))
    assert [one.wait(timeout=300) for one in started] == [0, 0]
    here, there = (made(tmp_path / name) for name in PLACES)
    assert [name for name in here if here[name] != there[name]] == []

    warm = tmp_path / "warm"
    warm.mkdir()
    monkeypatch.chdir(warm)
    monkeypatch.setenv("PREPSWEEP_CACHE_DIR", str(tmp_path / "here" / "cache"))
    assert train(command("../here/reviews.csv", tiny_model, 1)) == 0
    (run_json,) = warm.glob("outputs/*/*/run.json")
    assert all(stage["cached"] for stage in record_of(run_json.parent)["data"]["stages"])
    again = made(warm)
    assert [name for name in here if here[name] != again[name]] == []
