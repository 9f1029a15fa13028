"""Values that a signature cannot check: ranges, and keys that were added to a group that has none such."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from prepsweep.errors import Refused, nearest
from prepsweep.leaks.report import REACTIONS

_POSITIVE_INT = {
    "model.batch_size",
    "model.eval_batch_size",
    "budget.epochs",
    "budget.steps",
    "budget.evaluations",
    "budget.patience",
    "model.average_last",
    "runtime.num_proc",
    "data.limit",
}
_POSITIVE = {"model.learning_rate", "model.max_grad_norm", "model.layer_decay", "trainer.checkpoint_seconds"}
_FRACTION = {"model.warmup_fraction", "model.weight_decay"}
_SEED = {"seed", "seeds.split", "seeds.data", "seeds.model"}
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
# Groups whose options are read key by key; stages are checked against their signatures instead.
PLAIN_GROUPS = ("model", "budget", "trainer", "paths", "runtime", "seeds", "guards")


def check_values(config: DictConfig | Mapping[str, Any]) -> None:
    """Refuse the first value that cannot be meant, of a configuration as it was composed or in plain containers."""
    _check("seed", config["seed"])
    for group in PLAIN_GROUPS:
        values: Any = OmegaConf.to_container(config[group]) if isinstance(config, DictConfig) else config[group]
        known = _known_keys(group) or set(map(str, values))
        for key, value in values.items():
            if str(key) not in known:
                raise Refused(f"{group}.{key}", "unknown option", nearest(str(key), known))
            if value == "???":
                raise Refused(f"{group}.{key}", "is not set", f"add {group}.{key}=…")
            _check(f"{group}.{key}", config[group][key])
    _check("data.limit", config["data"].get("limit"))
    n_averaged, n_looks = config["model"]["average_last"], config["budget"]["evaluations"]
    if n_averaged > n_looks:
        what = f"cannot average {n_averaged} validations of {n_looks}"
        raise Refused("model.average_last", what, f"try budget.evaluations={n_averaged}")
    on_leak, precision = config["guards"]["on_leak"], config["trainer"]["precision"]
    if on_leak not in REACTIONS:
        raise Refused("guards.on_leak", f"unknown reaction {on_leak!r}", nearest(str(on_leak), REACTIONS))
    if precision not in PRECISIONS:
        raise Refused("trainer.precision", f"unknown precision {precision!r}", nearest(str(precision), PRECISIONS))


def _check(key: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if key in ("data.limit", "budget.patience") and value is None:
        return
    if key in _POSITIVE_INT and not (whole and value >= 1):
        raise Refused(key, f"must be a whole number of at least 1, got {value!r}", f"try {key}=1 or more")
    if key in _POSITIVE and not (number and value > 0):
        raise Refused(key, f"must be above 0, got {value!r}", f"give a positive number for {key}")
    if key == "model.layer_decay" and value > 1:
        raise Refused(key, f"must not be above 1, got {value!r}: lower layers would learn faster", f"try {key}=0.95; 1 is one rate for all")
    if key in _FRACTION and not (number and 0 <= value < 1):
        raise Refused(key, f"must be at least 0 and below 1, got {value!r}", f"try {key}=0.1")
    if key in _SEED and not (whole and 0 <= value < 2**32):
        raise Refused(key, f"must be a whole number from 0 to 2^32 - 1, got {value!r}", f"try {key}=0")


@cache
def _known_keys(group: str) -> set[str]:
    known: set[str] = set()
    folder = files("prepsweep.conf").joinpath(group)
    for option in folder.iterdir() if folder.is_dir() else ():
        if option.name.endswith(".yaml"):
            known |= set(yaml.safe_load(option.read_text(encoding="utf-8")) or {})
    return known - {"defaults"}
