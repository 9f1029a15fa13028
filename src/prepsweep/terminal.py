"""The end of a run on the terminal: where the rows went, how each class fares, what it cost, where things are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prepsweep.record import PREDICTIONS_FILE, RECORD_FILE

Values = Mapping[str, Any]


def show_run(record: Values, *, report: str, run_dir: Path, console: Console | None = None) -> None:
    """Print the report of a finished run to `console`, or stdout."""
    console = console or Console(highlight=False, width=None if Console().is_terminal else 120)
    console.print(_row_flow(record["data"]))
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


def _classes(data: Values) -> Table:
    """Rows of each class through the train split, then in dev and test."""
    table = Table(title="\nRows per class", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    for label in data["classes"]:
        table.add_column(escape(label), justify="right")
    table.add_column("all", justify="right")

    def add(name: str, counts: Mapping[str, int]) -> None:
        table.add_row(name, *(f"{counts.get(label, 0):,}" for label in data["classes"]), f"{sum(counts.values()):,}")

    split = next(stage for stage in reversed(data["stages"]) if stage["group"] == "split")
    add("train as split", {label: cell["rows_out"] for label, cell in split["per_class"]["train"].items()})
    for stage in data["stages"]:
        if stage["group"] in ("refine", "augment", "balance"):
            counts = {label: cell["rows_out"] for label, cell in stage["per_class"]["train"].items()}
            add(f"train after {escape(stage['name'])}", counts)
    for name in ("dev", "test"):
        add(name, data["splits"][name]["per_class"])
    return table


def _cost(record: Values) -> Table:
    cost, budget = record["cost"], record["budget"]
    table = Table(title="\nTime and cost", title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False)
    training = cost["train_seconds"] - cost["validate_seconds"]
    rate = budget["examples_seen"] / max(training, 1e-9)
    table.add_row("prepare", f"{cost['prepare_seconds']:.1f} s")
    table.add_row(
        "train",
        f"{training:.1f} s, {budget['steps']} steps, {budget['examples_seen']:,} examples "
        f"({rate:.0f}/s, {budget['real_token_fraction']:.0%} of tokens real)",
    )
    table.add_row("validate", f"{cost['validate_seconds']:.1f} s")
    table.add_row("test", f"{cost['test_seconds']:.1f} s")
    table.add_row("device", f"{cost['n_devices']} x {cost['device']}, {cost['precision']}, peak memory {cost['peak_rss_mb']:,.0f} MB")
    return table
