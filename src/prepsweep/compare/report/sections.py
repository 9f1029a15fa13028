"""The tables of the report, one function for each section; effects and scores are in the unit of the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prepsweep.compare.budgets import BudgetView
from prepsweep.compare.chosen import Chosen
from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.costs import ArmCost
from prepsweep.compare.flips import FlippedRow, Flips
from prepsweep.compare.interactions import Interaction
from prepsweep.compare.measures import POINTS, Unit, name_of, unit_of
from prepsweep.compare.report.curves import Points
from prepsweep.compare.report.tables import Cell, Column, Table, first_rows
from prepsweep.compare.slices import Slice

MAX_ROWS = 200


def verdicts(id: str, caption: str, found: Sequence[Contrast], unit: Unit) -> Table:
    """Contrasts with every number that a verdict is made of."""
    rows = [
        (
            *(one.name, one.baseline, *_effect(one.effect, unit), one.effect.n_seeds, one.n_settings, 100 * one.p_better),
            *(one.p_adjusted, one.p_sign_flip, one.seconds, str(one.verdict)),
        )
        for one in found
    ]
    columns = [
        Column("choice"),
        Column("against"),
        *_effect_columns(unit),
        Column("seeds", "d"),
        Column("settings", "d"),
        Column("better in, %", ".0f"),
    ]
    columns += [Column("p (Holm)", ".3f"), Column("p of signs", ".3f"), Column("seconds more", "+.0f"), Column("verdict")]
    shown, n_more = first_rows(rows, MAX_ROWS)
    return Table(id, caption, columns, shown, n_more)


def seeds(found: Sequence[Contrast], unit: Unit) -> Table:
    """The difference of each seed: the dots of the forest plot."""
    rows = [(one.name, seed, unit.factor * value) for one in found for seed, value in one.by_seed.items()]
    shown, n_more = first_rows(rows, 2 * MAX_ROWS)
    return Table(
        "seeds", "Effect in each seed (of split/data/model)", (Column("choice"), Column("seeds"), _effect_columns(unit)[0]), shown, n_more
    )


def interactions(found: Sequence[Interaction], unit: Unit) -> Table:
    """What two choices are worth together beyond the sum of both."""
    rows = [
        (
            *(one.factor_a + "=" + one.choice_a, one.factor_b + "=" + one.choice_b, unit.factor * one.effect_a_without_b.estimate),
            *(
                unit.factor * one.effect_a_with_b.estimate,
                *_effect(one.effect, unit),
                one.n_seeds,
                one.p_adjusted,
                one.p_permutation,
                together(one),
            ),
        )
        for one in sorted(found, key=lambda one: one.p_adjusted)
    ]
    signed = f"+{unit.exact}"
    columns = [Column("choice"), Column("beside"), Column("effect without it", signed), Column("effect with it", signed)]
    columns += [
        Column("more together", signed),
        *_effect_columns(unit)[1:],
        Column("seeds", "d"),
        Column("p (Holm)", ".3f"),
        Column("p of signs", ".3f"),
    ]
    shown, n_more = first_rows(rows, MAX_ROWS)
    return Table(
        "interactions-table", f"Effects of a choice without and with another, in {unit.name}", [*columns, Column("verdict")], shown, n_more
    )


def together(one: Interaction) -> str:
    """The verdict of an interaction in words that are about two choices."""
    words = {"helps": "more together", "hurts": "less together", "equivalent": "they add up"}
    return words.get(one.verdict.word, str(one.verdict))


def chosen_in(found: Chosen) -> Table:
    """The arms that the other seeds' dev scores chose."""
    columns = (Column("arm"), Column("seeds it was chosen for", "d"))
    return Table(
        "chosen-table", "The arm that the dev scores of all other seeds choose", columns, list(found.times_chosen.items())[:MAX_ROWS]
    )


def untold(found: Sequence[tuple[str, str]]) -> Table:
    """Choices of which nothing can be said."""
    shown, n_more = first_rows(found, MAX_ROWS)
    return Table("left-out-table", "Choices of which nothing can be said", (Column("choice"), Column("why")), shown, n_more)


def by_budget(views: Sequence[BudgetView], unit: Unit) -> Table:
    """The same choice under each budget, one beside the other."""
    names = list(dict.fromkeys(one.name for view in views for one in view.contrasts))
    found = {(view.budget, one.name): one for view in views for one in view.contrasts}
    rows: list[list[Cell]] = []
    for name in names:
        row: list[Cell] = [name]
        for view in views:
            one = found.get((view.budget, name))
            row += [unit.factor * one.effect.estimate, str(one.verdict)] if one else [None, None]
        rows.append(row)
    columns = [Column("choice")]
    for view in views:
        columns += [Column(f"{view.budget}, {unit.name}", f"+{unit.exact}"), Column(f"{view.budget}, verdict")]
    return Table("budgets", "Effect under each budget", columns, rows[:MAX_ROWS], max(0, len(rows) - MAX_ROWS))


def curves(points: Mapping[str, Points], metric_name: str, unit: Unit) -> Table:
    """The points of the learning curves."""
    rows = [(arm, step, score) for arm, curve in points.items() for step, score in curve]
    shown, n_more = first_rows(rows, 2 * MAX_ROWS)
    columns = (Column("arm"), Column("step", ",.0f"), Column(f"dev {unit.of(metric_name)}", unit.exact))
    return Table("curves", "Dev score of each arm, mean over its seeds", columns, shown, n_more)


def in_slices(found: Sequence[Slice], *, of_class: bool) -> Table:
    """Slices by class, which the heat map shows, or all others."""
    kept = [one for one in found if (one.kind == "class") == of_class]
    measure = kept[0].measure if kept else "accuracy"
    unit = unit_of(measure)
    rows = [(one.contrast, one.kind, one.value, one.n_rows, *_effect(one.effect, unit), one.p_adjusted) for one in kept]
    columns = [
        Column("choice"),
        Column("by"),
        Column("slice"),
        Column("test rows", ",d"),
        *_effect_columns(unit),
        Column("p (Holm)", ".3f"),
    ]
    shown, n_more = first_rows(rows, MAX_ROWS)
    what = f"{name_of(measure)} {'of each class' if of_class else 'within each slice'}"
    return Table("classes-table" if of_class else "slices-table", f"Effect on the {what}, in {unit.name}", columns, shown, n_more)


def flips(found: Sequence[Flips]) -> Table:
    """How many rows each choice wins and loses."""
    rows = [(one.contrast, one.n_rows, one.n_gained, one.n_lost, one.n_by_chance) for one in found]
    columns = (Column("choice"), Column("test rows", ",d"), Column("won", ",d"), Column("lost", ",d"), Column("of each by chance", ",.1f"))
    return Table("flips-table", "Rows won and lost", columns, rows)


def flipped(found: Flips, number: int) -> Table:
    """The clearest rows won and lost."""
    rows = [_flipped(row, "won") for row in found.gained] + [_flipped(row, "lost") for row in found.lost]
    columns = [Column("how"), Column("row"), Column("label"), Column("predicted before"), Column("predicted after")]
    columns += [Column("right before, %", ".0f"), Column("right after, %", ".0f")]
    return Table(f"flips-{number}", f"Clearest rows won and lost by {found.contrast}", columns, rows)


def confused(found: Sequence[Mapping[str, Any]]) -> Table:
    """The confusion matrices, a line for each cell."""
    rows = [
        (one["arm"] or "(one arm)", row["label"], name, cell.value)
        for one in found
        for row in one["rows"]
        for name, cell in zip(one["classes"], row["cells"], strict=True)
    ]
    columns = (Column("arm"), Column("label"), Column("prediction"), Column("% of the label's rows", ".1f"))
    return Table("confusions-table", "What is taken for what", columns, rows)


def row_flow(flows: Sequence[Mapping[str, Any]]) -> Table:
    """The ledger of each flow."""
    rows = [
        (", ".join(flow["arms"]) or "(one arm)", step["name"], step["added"], step["dropped"], sum(step["rows"].values()), step["reasons"])
        for flow in flows
        for step in flow["steps"]
    ]
    numbers = (Column("added", ",d"), Column("dropped", ",d"), Column("rows after", ",d"))
    shown, n_more = first_rows(rows, 2 * MAX_ROWS)
    return Table("flow-table", "Rows through each stage", (Column("arms"), Column("stage"), *numbers, Column("reasons")), shown, n_more)


def arms(found: Sequence[ArmCost], metric_name: str, unit: Unit) -> Table:
    """Score and cost of each arm; the number is that of its dot."""
    rows = [
        (
            *(number, arm.arm or "(one arm)", arm.n_runs, unit.factor * arm.mean, None if arm.sd is None else unit.factor * arm.sd),
            *(arm.prepare_seconds, arm.train_seconds, arm.steps),
            *(None if arm.gain is None else unit.factor * arm.gain, arm.seconds_per_point, "yes" if arm.pareto else ""),
        )
        for number, arm in enumerate(found, 1)
    ]
    columns = [Column("#", "d"), Column("arm"), Column("runs", "d"), Column(metric_name, unit.exact), Column("sd", unit.exact)]
    columns += [Column("prepare, s", ",.1f"), Column("train, s", ",.1f"), Column("steps", ",.0f")]
    columns += [Column("gain", f"+{unit.exact}"), Column("s a point" if unit is POINTS else "s a unit", ",.0f"), Column("best")]
    shown, n_more = first_rows(rows, MAX_ROWS)
    return Table(
        "arms",
        f"Score in {unit.name} and cost of each arm, means over its runs; best: no other is both better and cheaper",
        columns,
        shown,
        n_more,
    )


def missing(found: Sequence[tuple[str, str]]) -> Table:
    """Runs that did not finish, with the reason."""
    shown, n_more = first_rows(found, MAX_ROWS)
    return Table("missing-table", "Runs that are left out", (Column("run"), Column("why")), shown, n_more)


def _effect_columns(unit: Unit) -> list[Column]:
    signed = f"+{unit.exact}"
    return [Column(f"effect, {unit.name}", signed), Column("low", signed), Column("high", signed)]


def _effect(effect: Any, unit: Unit) -> tuple[float, float, float]:
    low, high = effect.interval()
    return unit.factor * effect.estimate, unit.factor * low, unit.factor * high


def _flipped(row: FlippedRow, how: str) -> tuple[Cell, ...]:
    return how, row.uid, row.label, row.before, row.after, 100 * row.share_before, 100 * row.share_after
