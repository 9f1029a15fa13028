"""The sinks that a run is copied to: Weights & Biases, TensorBoard, CSV. None of them is needed by anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import pyarrow.compute as pc
from omegaconf import DictConfig
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.pipeline import Prepared
from prepsweep.record import RunRecord
from prepsweep.stages import instance
from prepsweep.wandb_runs import open_run

Values = Mapping[str, Any]
_PUBLIC_EXAMPLES = 50
_FILE_SOURCES = ("csv", "jsonl", "parquet", "conll")


class Tracker(Protocol):
    """One sink: opened when the run starts, told the whole record at its end, closed whatever happens."""

    def open(self, record: Values, run_dir: Path) -> Logger: ...
    def finish(self, record: Values, prepared: Prepared) -> None: ...
    def close(self, *, failed: bool) -> None: ...


class Trackers:
    """All sinks of a run; none is as good as several."""

    def __init__(self, trackers: list[Tracker], record: RunRecord) -> None:
        self.trackers, self.record = trackers, record
        self.loggers: list[Logger] = []

    @classmethod
    def of(cls, cfg: DictConfig, record: RunRecord) -> Trackers:
        """The sinks that `logger=…` names."""
        return cls([instance(node, f"logger.{name}") for name, node in cfg.logger.items()], record)

    def __enter__(self) -> Self:
        self.loggers = [tracker.open(self.record.values, self.record.run_dir) for tracker in self.trackers]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for tracker in self.trackers:
            tracker.close(failed=kind is not None)

    def lightning_loggers(self) -> list[Logger]:
        """What Lightning sends the training curves to."""
        return self.loggers

    def finish(self, record: Values, prepared: Prepared) -> None:
        """Send the final scores, the ledger and the examples."""
        for tracker in self.trackers:
            tracker.finish(record, prepared)


class WandbTracker:
    """One W&B run per run: group = study, tags = choices, the ledger and the scores in the summary."""

    def __init__(self, *, mode: Literal["offline", "online"], project: str, entity: str | None, examples: int | None) -> None:
        if mode not in ("offline", "online"):
            raise Refused("logger.wandb.mode", f"unknown mode {mode!r}", "choose 'offline' or 'online', or logger=none")
        self.mode, self.project, self.entity, self.examples = mode, project, entity, examples
        self.run: Any = None

    def open(self, record: Values, run_dir: Path) -> Logger:
        self.run = open_run(
            mode=self.mode,
            project=self.project,
            entity=self.entity,
            dir=str(run_dir),
            name=f"{record['study'] or 'single'}-{record['run_id']}",
            group=record["study"],
            job_type="train",
            tags=tags(record["choices"]),
            config=dict(record["config"]) | {"choices": named(record["choices"])},
        )
        return WandbLogger(experiment=self.run)

    def finish(self, record: Values, prepared: Prepared) -> None:
        import wandb

        self.run.summary.update(summary(record))
        classes, tables = record["data"]["classes"], {}
        # Only one class a row can be taken for another.
        if (counts := record["metrics"]["test"].get("confusion")) is not None:
            cells = [[true, predicted, counts[i][j]] for i, true in enumerate(classes) for j, predicted in enumerate(classes)]
            tables["test/confusion"] = wandb.Table(["label", "prediction", "rows"], cells)
        rows = [
            [s["group"], s["name"], s["split"] or "all", s["rows_in"], s["rows_added"], s["rows_out"]] for s in record["data"]["stages"]
        ]
        tables["ledger"] = wandb.Table(["group", "stage", "split", "rows in", "rows added", "rows out"], rows)
        limit = self.examples
        if limit is None:
            limit = 0 if record["data"]["source"]["kind"] in _FILE_SOURCES else _PUBLIC_EXAMPLES
        pairs = before_and_after(prepared, limit)
        if pairs:
            tables["examples"] = wandb.Table(["stage", "label", "before", "after"], pairs)
        self.run.log(tables)

    def close(self, *, failed: bool) -> None:
        if self.run is not None:
            self.run.finish(exit_code=int(failed))


class TensorBoardTracker:
    """Event files in `tensorboard/` of the run directory, the final scores beside the choices."""

    def open(self, record: Values, run_dir: Path) -> Logger:
        try:
            self.logger = TensorBoardLogger(str(run_dir), name="", version="tensorboard")
        except ModuleNotFoundError as error:
            raise Refused("logger", "TensorBoard is not installed", "pip install 'prepsweep[tensorboard]'") from error
        return self.logger

    def finish(self, record: Values, prepared: Prepared) -> None:
        final = {name: value for name, value in summary(record).items() if isinstance(value, float) and name.startswith("test/")}
        self.logger.log_hyperparams({**named(record["choices"]), "seed": record["config"]["seed"]}, final)

    def close(self, *, failed: bool) -> None:
        self.logger.finalize("failed" if failed else "success")


class CsvTracker:
    """`csv/metrics.csv` in the run directory, a line per logged step; `csv-2` and so on for what a run that was cut off does next."""

    def open(self, record: Values, run_dir: Path) -> Logger:
        # A run that goes on writes beside what it wrote before: Lightning would replace it.
        n_before = len(list(run_dir.glob("csv*")))
        self.logger = CSVLogger(str(run_dir), name="", version=f"csv-{n_before + 1}" if n_before else "csv")
        return self.logger

    def finish(self, record: Values, prepared: Prepared) -> None:
        self.logger.log_metrics({name: value for name, value in summary(record).items() if isinstance(value, float)})

    def close(self, *, failed: bool) -> None:
        self.logger.finalize("failed" if failed else "success")


def tags(choices: Mapping[str, Any]) -> list[str]:
    """`augment=backtranslate` and the like, each at most the 64 characters that W&B takes."""
    return [f"{group}={option}"[:64] for group, option in named(choices).items()]


def named(choices: Mapping[str, Any]) -> dict[str, str]:
    """The option of each group as one name, several parted by `+`: what runs are grouped and filtered by."""
    return {group: "+".join(option) if isinstance(option, list) else str(option) for group, option in choices.items()}


def summary(record: Values) -> dict[str, Any]:
    """The final numbers under flat names: `test/macro_f1`, `test/f1/<class>`, `cost/train_seconds`, `ledger/augment.eda/rows_out`.

    A leak is the number of its rows, `leaks/same_text_across_splits/train-test`.
    """
    flat: dict[str, Any] = {}
    for split in ("val", "test"):
        found = record["metrics"][split]
        flat |= {f"{split}/{name}": value for name, value in found.items() if isinstance(value, float)}
        flat |= {f"{split}/f1/{name}": cell["f1"] for name, cell in found["per_class"].items()}
    flat |= {f"cost/{name}": value for name, value in record["cost"].items()}
    flat |= {f"budget/{name}": value for name, value in record["budget"].items()}
    flat |= {f"leaks/{leak['name']}/{'-'.join(leak['splits'])}": leak["count"] for leak in record["data"]["leaks"]}
    for stage in record["data"]["stages"]:
        at = f"ledger/{stage['group']}.{stage['name']}" + (f"/{stage['split']}" if stage["group"] == "preprocess" else "")
        flat |= {f"{at}/{name}": stage[name] for name in ("rows_in", "rows_added", "rows_out")}
    return flat


def before_and_after(prepared: Prepared, limit: int) -> list[list[str]]:
    """Up to `limit` augmented rows as `[stage, label, text before, text after]`, spread over the rows."""
    if limit < 1:
        return []
    table = table_of(prepared.train.dataset)
    parents = pc.index_in(table.column("parent_uid"), table.column("uid"))
    made, parents = table.filter(pc.is_valid(parents)), pc.drop_null(parents)
    before = table.column("text").take(parents)
    changed = pc.indices_nonzero(pc.not_equal(before, made.column("text")))
    chosen = changed[:: max(1, len(changed) // limit)][:limit]
    columns = (made.column("origin"), made.column("label"), before, made.column("text"))
    return [list(row) for row in zip(*(column.take(chosen).to_pylist() for column in columns), strict=True)]
