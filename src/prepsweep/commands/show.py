"""Show before and after of any stage on a few rows, without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from prepsweep.commands import Arguments, console, positive
from prepsweep.errors import Refused, nearest
from prepsweep.examples import Example, Span, around_changes, examples_of, word_changes
from prepsweep.fact_tables import fact_tables, is_table
from prepsweep.stages import PREPARATION
from prepsweep.visible import cut, visible
from prepsweep.walk import Step, configured, is_run_dir, walk

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"same": "", "gone": "red strike", "new": "bold green"}
# Where there is no colour, changes are marked as wdiff marks them.
_MARKS = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
_NOTE_CHARACTERS = 100
_GROUPS = [group for group in PREPARATION if group != "preprocess"]


def main(argv: list[str]) -> int:
    """Print a sample of the rows that a stage changed, made or dropped: the same sample whoever asks."""
    arguments = Arguments("show", "What a stage does to single rows; one that the configuration does not have is put in alone.")
    arguments.add_argument("stage", metavar="STAGE", help="such as augment.synonym")
    arguments.add_argument("targets", nargs="*", metavar="RUN_DIR | OVERRIDE", help="a run's folder, or overrides as for train")
    arguments.add_argument("--n", type=positive, default=10, metavar="N", help="examples of each kind of change")
    asked = arguments.parse(argv)
    steps = _steps(asked.stage, asked.targets)
    out = console()
    for step in steps:
        _print(step, asked.n, out)
    return 0


def changed_text(before: str, after: str, *, colour: bool) -> Text:
    """Both texts in one, the words that differ struck out and in bold."""
    spans = around_changes(word_changes(before, after))
    return Text.assemble(*((_marked(span, colour=colour), _STYLES[span.kind]) for span in spans))


def _steps(stage: str, targets: list[str]) -> list[Step]:
    group, _, name = stage.partition(".")
    if group == "data":
        raise Refused("stage", "the source makes rows of nothing, there is no before", "see prepsweep rows --stage=data")
    if group == "preprocess":
        raise Refused("stage", f"{stage} makes token ids, not text", f"see prepsweep rows --stage={stage} --format=jsonl")
    if group not in _GROUPS or not name:
        raise Refused("stage", f"{stage!r} is not GROUP.NAME", f"write it as augment.synonym; {nearest(group, _GROUPS)}")
    if not any(is_run_dir(target) for target in targets):
        targets = _with_stage(group, name, targets)
    walked = walk(targets, until=stage)
    return walked.of(stage)


def _with_stage(group: str, name: str, overrides: list[str]) -> list[str]:
    """The overrides, and the stage put in where the configuration lacks it and nobody says what the group holds."""
    # Options of the stage can be given only where it is.
    cfg: DictConfig = configured([override for override in overrides if not override.startswith(f"{group}.{name}.")])
    if name in ("adopt", "limit") or any(override.startswith(f"{group}=") for override in overrides) or name in cfg.get(group, {}):
        return overrides
    return [f"{group}={name}", *overrides]


def _print(step: Step, n: int, out: Console) -> None:
    counts = step.after.entry.stage
    dropped = sum(counts["dropped"].values())
    told = counts.get("facts", {})
    facts = "".join(f", {name} {value}" for name, value in told.items() if not is_table(value))
    rows = f"{counts['rows_in']:,} rows in, {counts['rows_added']:,} added, {dropped:,} dropped, {counts['rows_out']:,} out"
    out.print(Text(f"{step.where}: {rows}{cut(facts, 400)}", style="bold"))
    for table in fact_tables(told):
        out.print(table)
    examples = examples_of(step, n=n)
    if not examples:
        out.print("no row was changed, added or dropped")
    for kind, (n_rows, sample) in examples.items():
        out.print(_table(kind, f"\n{kind}: {n_rows:,} rows, {len(sample)} of them", sample, colour=out.is_terminal))


def _table(kind: str, title: str, sample: list[Example], *, colour: bool) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=True, expand=True)
    rewritten = {f"{name} changed": (name, "label") for name in ("text", "text_pair")}
    is_text = kind in (*rewritten, "added", "dropped")
    headings = {"dropped": ("text", "reason"), "added": ("parent → new row", "label"), **rewritten}
    table.add_column("uid", no_wrap=True)
    for heading, is_wide in zip(headings.get(kind, (kind.split()[0], "text")), (is_text, not is_text), strict=True):
        table.add_column(heading, overflow="fold", ratio=4 if is_wide else 1)
    for example in sample:
        if kind == "dropped":
            shown = Text(cut(example.before, 400))
        elif is_text:
            shown = changed_text(example.before, example.after, colour=colour)
        else:
            shown = Text(f"{cut(example.before, _NOTE_CHARACTERS)} → {cut(example.after, _NOTE_CHARACTERS)}")
        table.add_row(Text(example.uid[:10]), shown, Text(cut(example.note, 400 if not is_text else _NOTE_CHARACTERS)))
    return table


def _marked(span: Span, *, colour: bool) -> str:
    return visible(span.text) if colour else _MARKS[span.kind].format(visible(span.text))
