"""The report beside the runs: in W&B, in TensorBoard, and again and again while a sweep goes on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console
from rich.text import Text

from prepsweep.cli import main
from prepsweep.compare.findings import Findings, find
from prepsweep.compare.records import read_studies
from prepsweep.compare.sinks import scalars, to_tensorboard, to_wandb
from prepsweep.compare.watch import watch
from tests.unit.compare.made_study import fail, make_study


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("multirun") / "reviews"
    return make_study(folder, augment=("none", "backtranslate"), balance=("none",), n_seeds=4, n_rows=200, effects={"backtranslate": 0.2})


@pytest.fixture(scope="module")
def found(study_dir: Path) -> Findings:
    return find(read_studies([study_dir]), metric="macro_f1", delta=0.01, baselines={}, by=("class",))


def test_numbers_have_flat_names(found: Findings) -> None:
    flat = scalars(found)
    assert flat["effect/augment=backtranslate"] == 100 * found.contrasts[0].effect.estimate
    assert flat["low/augment=backtranslate"] < flat["effect/augment=backtranslate"] < flat["high/augment=backtranslate"]
    assert flat["arm/augment=none"] == pytest.approx(100 * found.costs[1].mean)


def test_tensorboard_gets_numbers_seeds_and_the_report(found: Findings, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    to_tensorboard(found, tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"effect/augment=backtranslate", "by seed/augment=backtranslate", "report"} <= set(tags)
    (text,) = events.Tensors("report")
    assert "**Use `augment=backtranslate`" in text.tensor_proto.string_val[0].decode()
    assert set(events.Tags()["images"]) == {"effects", "learning curves", "effect on each class"}
    for name in events.Tags()["images"]:
        (image,) = events.Images(name)
        with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
            assert picture.size == (image.width, image.height)
            assert len(picture.getcolors(1 << 20)) > 8, "something is drawn on it"


def test_wandb_gets_a_run_of_the_study_and_it_is_closed(study_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prepsweep import wandb_runs

    runs: list[Any] = []

    def opened(**given: Any) -> Any:
        runs.append((given, real(**given)))
        return runs[-1][1]

    real = wandb_runs.open_run
    monkeypatch.setattr(wandb_runs, "open_run", opened)
    assert main(["compare", str(study_dir), "--out", str(tmp_path), "--wandb"]) == 0
    ((given, run),) = runs
    assert (given["mode"], given["group"], given["job_type"], given["project"]) == ("offline", "reviews", "compare", "prepsweep")
    assert run._is_finished
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert any(file.suffix == ".html" for file in folder.rglob("*"))


def test_wandb_is_closed_when_something_fails(found: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prepsweep import wandb_runs

    class Broken:
        summary: dict[str, float] = {}  # noqa: RUF012
        ended: int | None = None

        def log(self, values: object) -> None:
            raise OSError("disk full")

        def finish(self, exit_code: int) -> None:
            self.ended = exit_code

    run = Broken()
    monkeypatch.setattr(wandb_runs, "open_run", lambda **_: run)
    (tmp_path / "report.html").write_text("x")
    with pytest.raises(OSError, match="disk full"):
        to_wandb(found, tmp_path / "report.html", mode="offline")
    assert run.ended == 1


def test_watching_looks_again_when_a_run_ends_and_stops_when_all_have(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "x", augment=("none",), balance=("none",), n_seeds=2, n_rows=30)
    file = folder / f"{1:012x}" / "run.json"
    finished = file.read_text()
    file.write_text(json.dumps(json.loads(finished) | {"status": "running", "finished": None}))
    looks: list[int] = []

    def look() -> Text:
        looks.append(len(read_studies([folder]).runs))
        file.write_text(finished + " ")
        return Text(f"{looks[-1]} runs")

    out = io.StringIO()
    watch([folder], look, console=Console(file=out), seconds=0.01, quiet_seconds=0.0)
    assert looks == [1, 2]
    assert "2 runs" in out.getvalue()


def test_watching_ends_with_ctrl_c(tmp_path: Path) -> None:
    def look() -> Text:
        raise KeyboardInterrupt

    folder = make_study(tmp_path / "x", augment=("none",), balance=("none",), n_seeds=2, n_rows=30)
    watch([folder], look, console=Console(file=io.StringIO()))


def test_watching_waits_for_the_first_finished_run(study_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sweep all of whose runs failed: nothing to compare, said once and in one line, and no waiting for ever."""
    folder = make_study(tmp_path / "x", augment=("none",), balance=("none",), n_seeds=1, n_rows=30)
    fail(folder / f"{0:012x}", "ValueError", "no good")
    import os

    os.utime(folder / f"{0:012x}" / "run.json", (1, 1))
    assert main(["compare", str(folder), "--watch"]) == 2
    shown = capsys.readouterr()
    assert "waiting: " in shown.out
    assert "holds no finished run" in shown.err
