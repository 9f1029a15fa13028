"""A profile as text on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from prepsweep.profile.findings import command_line, findings
from prepsweep.visible import cut

if TYPE_CHECKING:
    from rich.console import Console

_MAX_CLASSES = 30
_BAR = 30
_CHARACTERS = 100


def print_profile(facts: Mapping[str, Any], out: Console) -> None:
    """Print sizes, classes and lengths, then what was found, then what to try."""
    sizes = ", ".join(f"{split} {n:,}" for split, n in facts["splits"].items())
    n_rows, n_classes = facts["rows"], len(facts["classes"])
    counts = f"{n_rows:,} row{'s' * (n_rows != 1)} in {n_classes} class{'es' * (n_classes != 1)}"
    out.print(Text(f"{counts} ({sizes})", style="bold"))
    out.print(_classes(facts))
    out.print(_lengths(facts))
    if facts["languages"]:
        out.print(Text("\nLanguages: " + ", ".join(f"{code} {n:,}" for code, n in facts["languages"].items())))
    found = [(f.what, f"{f.rows:,}", f.example) for f in findings(facts)]
    out.print(_table("Found", ("what", "rows", "for example"), found) if found else "\nNothing found.")
    if facts["giveaways"]:
        shown = facts["giveaways"][:_MAX_CLASSES]
        cells = ((t["token"], t["label"], f"{t['rows']:,}", f"{t['precision']:.3f}") for t in shown)
        out.print(_table("Tokens of one class only", ("token", "class", "rows", "precision"), cells))
        if (n_more := len(facts["giveaways"]) - len(shown)) > 0:
            out.print(f"and {n_more:,} more")
    if "baseline" in facts:
        out.print(_baseline(facts["baseline"]))
    to_try = ((s["stage"], s["why"], s["override"] or "(already on)") for s in facts["suggestions"])
    out.print(_table("To try", ("stage", "why", "override"), to_try) if facts["suggestions"] else "\nNothing to suggest.")
    if line := command_line(facts):
        out.print(Text(f"\n{line}"), soft_wrap=True)
    for name, trial in facts["stages"].items():
        if "refused" in trial:
            out.print(Text(f"not tried: clean.{name} ({cut(trial['refused'], 300)})"), soft_wrap=True)


def _classes(facts: Mapping[str, Any]) -> Table:
    table = _table("Classes", ("class", "rows", "share", ""), ())
    most = max(facts["classes"].values())
    for label, n_rows in list(facts["classes"].items())[:_MAX_CLASSES]:
        bar = "█" * max(1, round(_BAR * n_rows / most))
        table.add_row(Text(cut(label, _CHARACTERS)), f"{n_rows:,}", f"{n_rows / facts['rows']:.1%}", bar)
    if (n_more := len(facts["classes"]) - _MAX_CLASSES) > 0:
        table.add_row(f"and {n_more} more")
    return table


def _lengths(facts: Mapping[str, Any]) -> Table:
    names = ("min", "p10", "median", "mean", "p90", "p99", "max")
    rows = [(unit, *(f"{facts['length'][unit][name]:,}" for name in names)) for unit in ("words", "characters")]
    if tokens := facts.get("tokens"):
        rows.append(
            (f"tokens ({tokens['sampled']:,} texts)", "", "", "", f"{tokens['mean']:,}", f"{tokens['p90']:,}", "", f"{tokens['max']:,}")
        )
    return _table("Length", ("", *names), rows)


def _baseline(found: Mapping[str, Any]) -> Table | str:
    if "refused" in found:
        return f"\nNo baseline: {found['refused']}"
    cells = [(name, f"{found[key]['macro_f1']:.3f}", f"{found[key]['accuracy']:.3f}") for key, name in BASELINES.items()]
    return _table(f"Baseline ({found['folds']}-fold, {found['rows']:,} different texts)", ("", "macro F1", "accuracy"), cells)


BASELINES = {"majority": "most frequent class", "tfidf": "TF-IDF, logistic regression"}


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        numeric = name in ("rows", "share", "precision", "min", "p10", "median", "mean", "p90", "p99", "max", "macro F1", "accuracy")
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cut(cell, 400)) for cell in row))
    return table
