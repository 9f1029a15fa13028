"""`report.json`: everything that was found, for programs; `report.schema.json` beside this file says what it holds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from prepsweep import __version__
from prepsweep.compare.contrasts import Contrast
from prepsweep.compare.findings import Findings, answer
from prepsweep.compare.interactions import Interaction
from prepsweep.compare.measures import score
from prepsweep.compare.report.commands import command_of
from prepsweep.compare.slices import Slice
from prepsweep.compare.statistics import Effect

SCHEMA_VERSION = 1
SCHEMA_FILE = "report.schema.json"


def document(found: Findings) -> dict[str, Any]:
    """The findings as plain values; effects and scores are fractions, not points, and squared errors with a minus sign."""
    runs = [
        {
            "run_dir": str(run.run_dir),
            "run_id": run.record["run_id"],
            "arm": arm,
            "seed": run.seed,
            "score": score(run, found.metric),
            "command": command_of(run.record),
        }
        for arm, runs in found.study.arms().items()
        for run in runs
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "prepsweep": __version__,
        "metric": found.metric,
        "delta": found.delta,
        "answer": answer(found),
        "contrasts": _contrasts(found.contrasts),
        "left_out": [{"choice": choice, "reason": reason} for choice, reason in found.left_out],
        "interactions": [_interaction(one) for one in found.interactions],
        "noise_floor": None if found.noise_floor is None else asdict(found.noise_floor),
        "chosen": None if found.chosen is None else asdict(found.chosen) | {"nested": effect(found.chosen.nested)},
        "concerns": [asdict(one) for one in found.concerns],
        "budgets": [{"budget": view.budget, "contrasts": _contrasts(view.contrasts)} for view in found.budgets],
        "controls": _contrasts(found.controls),
        "slices": [_slice(one) for one in found.slices],
        "flips": [asdict(one) for one in found.flips],
        "arms": [asdict(one) for one in found.costs],
        "runs": runs,
        "missing": [{"run_dir": run_dir, "reason": reason} for run_dir, reason in found.study.missing],
    }


def as_json(found: Findings) -> bytes:
    """`document` as text: no NaN, and a lone surrogate in a name as its code."""
    text = json.dumps(_finite(document(found)), indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def effect(found: Effect) -> dict[str, Any]:
    """An effect, its interval, and p before any adjustment."""
    low, high = found.interval()
    error = {"standard_error": found.standard_error, "n_seeds": found.n_seeds}
    return {"estimate": found.estimate, **error, "low": low, "high": high, "p": found.p_value()}


def _contrasts(found: Sequence[Contrast]) -> list[dict[str, Any]]:
    return [asdict(one) | {"effect": effect(one.effect), "verdict": one.verdict.word, "seeds_needed": one.verdict.n_seeds} for one in found]


def _interaction(one: Interaction) -> dict[str, Any]:
    effects = {name: effect(getattr(one, name)) for name in ("effect", "effect_a_without_b", "effect_a_with_b")}
    return asdict(one) | effects | {"verdict": one.verdict.word, "seeds_needed": one.verdict.n_seeds}


def _slice(one: Slice) -> dict[str, Any]:
    return asdict(one) | {"effect": effect(one.effect)}


def _finite(value: Any) -> Any:
    """The value with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
