"""Print a sweep of Weights & Biases that drives this same command."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import yaml
from hydra.core.override_parser.types import IntervalSweep, Override

from prepsweep.commands import Arguments
from prepsweep.errors import Refused
from prepsweep.planning import built_stages
from prepsweep.preflight.choosing import refuse_choice_on_test
from prepsweep.preflight.compose import compose_runs, swept
from prepsweep.preflight.resolvers import register_resolvers
from prepsweep.preflight.sweepers import bounds, values_of
from prepsweep.preflight.values import check_values

_METHODS = ("grid", "random", "bayes")
# By whether the ends are whole numbers, and whether the interval is tagged `log`.
_DISTRIBUTIONS = {
    (False, False): "uniform",
    (False, True): "log_uniform_values",
    (True, False): "int_uniform",
    (True, True): "q_log_uniform_values",
}


def main(argv: list[str]) -> int:
    """Print `sweep.yaml` for `wandb sweep`: what has several values is its to choose, the rest is fixed in the command."""
    arguments = Arguments("wandb-sweep", "Write its output to sweep.yaml, then: wandb sweep sweep.yaml; wandb agent …")
    arguments.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="as for train -m, and interval(1e-5,1e-3)")
    arguments.add_argument("--method", choices=_METHODS, help="grid where all values are listed, else bayes")
    asked = arguments.parse(argv)
    register_resolvers()
    overrides = list(asked.overrides)
    if not any(override.startswith("study=") for override in overrides):
        overrides.append(f"study=wandb_{datetime.now():%Y-%m-%d_%H-%M-%S}")
    yaml.safe_dump(sweep_of(overrides, method=asked.method), sys.stdout, sort_keys=False, allow_unicode=True)
    return 0


def sweep_of(overrides: list[str], *, method: str | None) -> dict[str, Any]:
    """The sweep as W&B reads it; refused where one of its values is."""
    parsed = swept(overrides)
    chosen = [override for override in parsed if override.is_sweep_override()]
    intervals = [override.get_key_element() for override in chosen if override.is_interval_sweep()]
    if not chosen:
        raise Refused("command line", "nothing has several values", "sweep over something, such as augment=none,synonym")
    if intervals and method == "grid":
        raise Refused("--method", f"a grid cannot list the interval of {intervals[0]}", "choose --method bayes or random")
    fixed = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
    if not any(override.startswith("logger.wandb.mode=") for override in fixed):
        # Offline an agent would never hear the score.
        fixed.append("logger.wandb.mode=online")
    _check(bounds(parsed))
    return {
        "program": "train.py",
        "method": method or ("bayes" if intervals else "grid"),
        "metric": {"name": "val/macro_f1", "goal": "maximize"},
        "parameters": {override.get_key_element(): _parameter(override) for override in chosen},
        # With -m a run lies in multirun/<study>, where compare looks, and one that is finished is not run again.
        "command": ["${env}", "${interpreter}", "${program}", "-m", *fixed, "${args_no_hyphens}"],
    }


def _check(runs: list[list[str]]) -> None:
    for overrides in runs:
        (cfg,) = compose_runs(overrides, multirun=False)
        if "wandb" not in cfg.logger:
            raise Refused("logger", "the runs of a W&B sweep must report to it", "take out logger=…, or choose 'logger=[wandb,…]'")
        check_values(cfg)
        built_stages(cfg)
        refuse_choice_on_test(cfg)


def _parameter(override: Override) -> dict[str, Any]:
    value = override.value()
    if isinstance(value, IntervalSweep):
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        kind = _DISTRIBUTIONS[whole, "log" in value.tags]
        return {"distribution": kind, "min": value.start, "max": value.end}
    texts = [text.partition("=")[2] for text in values_of(override)]
    return {"values": [_number(text) for text in texts]}


def _number(text: str) -> int | float | str:
    """A number as one, so that a search knows which is larger; anything else as the command line spells it."""
    for kind in (int, float):
        try:
            number: int | float = kind(text)
        except ValueError:
            continue
        if str(number) == text:
            return number
    return text
