"""The end of a run on the terminal: where the rows went, how each class fares, what it cost, where things are."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from prepsweep.annotate.origins import CHECKED
from prepsweep.fact_tables import fact_tables
from prepsweep.flow import TRAIN_ONLY
from prepsweep.record import PREDICTIONS_FILE, RECORD_FILE
from prepsweep.schema import SPLITS

Values = Mapping[str, Any]


def show_run(record: Values, *, report: str, run_dir: Path, console: Console | None = None) -> None:
    """Print the report of a finished run to `console`, or stdout."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal lacks is shown by its code: a run must not fail on its last lines.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = console or Console(highlight=False, width=None if Console().is_terminal else 120)
    console.print(_row_flow(record["data"]))
    for line in _annotated(record["data"]):
        console.print(line)
    console.print(_classes(record["data"]))
    console.print("\n[bold]Test, per class[/bold]")
    console.print(escape(report))
    console.print(_cost(record))
    if record["data"]["leaks"]:
        console.print("\n[bold red]Leaks[/bold red]")
        for leak in record["data"]["leaks"]:
            console.print(f"  [red]{_in_words(leak)}[/red]", soft_wrap=True)
    console.print("\n[bold]Where things are[/bold]")
    for name, path in (("record", RECORD_FILE), ("predictions", PREDICTIONS_FILE), ("model", "model")):
        console.print(f"  {name:12} {escape(str(run_dir / path))}", soft_wrap=True)


def warn_of_leaks(leaks: Iterable[Values]) -> None:
    """Print each leak that was found to stderr, a line each."""
    console = Console(stderr=True, highlight=False)
    for leak in leaks:
        console.print(f"[red]leak: {_in_words(leak)}[/red]", soft_wrap=True)


def _in_words(leak: Values) -> str:
    more = ", …" if leak["count"] > len(leak["examples"]) else ""
    return escape(f"{leak['severity']:6} {leak['what']} (rows {', '.join(leak['examples'])}{more})")


def _row_flow(data: Values) -> Table:
    table = Table(title="Row flow", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("stage", "split"):
        table.add_column(name)
    for name in ("rows in", "added", "dropped", "rows out"):
        table.add_column(name, justify="right")
    for name in ("reasons", "time"):
        table.add_column(name)
    for stage in data["stages"]:
        if stage["group"] == "preprocess" and not stage["dropped"]:
            continue
        reasons = ", ".join(f"{reason} {n_rows:,}" for reason, n_rows in stage["dropped"].items())
        label = stage["group"] if stage["group"] == "data" else f"{stage['group']}={stage['name']}"
        dropped = sum(stage["dropped"].values())
        numbers = [f"{n:,}" if n else "·" for n in (stage["rows_in"], stage["rows_added"], dropped, stage["rows_out"])]
        spent = "cached" if stage["cached"] else f"{stage['seconds']:.1f} s"
        name = escape(stage["name"] if stage["group"] == "data" else label)
        table.add_row(name, stage["split"] or "all", *numbers, escape(reasons), spent)
    return table


def _annotated(data: Values) -> Iterator[Table | Text | str]:
    """What the stages of annotate say of their labels, and in red where dev or test has labels that nobody checked."""
    for stage in data["stages"]:
        if stage["group"] == "annotate":
            yield from fact_tables(stage.get("facts", {}))
    for split, weak in weak_labels(data["stages"]).items():
        origins = ", ".join(f"{n_rows:,} by {origin}" for origin, n_rows in weak.items())
        yield f"[bold red]{split} is scored on labels that are not gold: {origins}[/bold red]"


def weak_labels(stages: Iterable[Values]) -> dict[str, dict[str, int]]:
    """`{split: {origin: rows}}` of the dev and test rows whose labels annotate made, by the records of the stages."""
    adopted = [stage["facts"]["label_origins"] for stage in stages if (stage["group"], stage["name"]) == ("annotate", "adopt")]
    origins: dict[str, dict[str, int]] = adopted[-1] if adopted else {}
    weak = {split: {name: n for name, n in origins.get(split, {}).items() if name not in CHECKED} for split in SPLITS[1:]}
    return {split: found for split, found in weak.items() if found}


def _classes(data: Values) -> Table:
    """Rows of each class, a line each, through the train split, then in dev and test."""
    split = next(stage for stage in reversed(data["stages"]) if stage["split"] is None)
    through = [("as split", split)] + [(f"after {one['name']}", one) for one in data["stages"] if one["group"] in TRAIN_ONLY]
    counted = {f"train {name}": _of_train(stage) for name, stage in through}
    counted |= {name: (data["splits"][name]["per_class"], data["splits"][name]["rows"]) for name in SPLITS[1:]}
    table = Table(title="\nRows per class", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    for name in counted:
        table.add_column(escape(name), justify="right")
    for label in data["classes"]:
        table.add_row(escape(label), *(f"{counts.get(label, 0):,}" for counts, _ in counted.values()))
    table.add_row("all", *(f"{n_rows:,}" for _, n_rows in counted.values()))
    return table


def _of_train(stage: Values) -> tuple[dict[str, int], int]:
    """Rows of each class in train after a stage, and of all."""
    return {label: cell["rows_out"] for label, cell in stage["per_class"]["train"].items()}, stage["rows_per_split"]["train"]


def _cost(record: Values) -> Table:
    cost, budget = record["cost"], record["budget"]
    table = Table(title="\nTime and cost", title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False)
    training = cost["train_seconds"] - cost["validate_seconds"]
    rate = budget["examples_seen"] / max(training, 1e-9)
    table.add_row("prepare", f"{cost['prepare_seconds']:.1f} s")
    table.add_row(
        "train",
        f"{training:.1f} s, {budget['steps']} steps, {budget['examples_seen']:,} examples "
        f"({rate:.0f}/s, {budget['real_token_fraction']:.0%} of tokens real){_unusual(budget)}",
    )
    table.add_row("validate", f"{cost['validate_seconds']:.1f} s")
    table.add_row("test", f"{cost['test_seconds']:.1f} s")
    table.add_row("device", f"{cost['n_devices']} x {cost['device']}, {cost['precision']}, peak memory {cost['peak_rss_mb']:,.0f} MB")
    return table


def _unusual(budget: Values) -> str:
    """What a run leaves out of the usual: steps of its budget, parameters of its model."""
    words = f", stopped early of {budget['planned_steps']} steps" if budget["steps"] < budget["planned_steps"] else ""
    trained, all_ = budget["trained_parameters"], budget["parameters"]
    return f"{words}, {trained / all_:.2%} of {all_:,} parameters trained" if trained < all_ else words
