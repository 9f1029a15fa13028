"""A run of Weights & Biases that says nothing of the machine: for training and for reports."""

from __future__ import annotations

from typing import Any


def open_run(**given: Any) -> Any:
    """`wandb.init(**given)` as a run of its own, without meta data and console capture."""
    import wandb

    # Meta data would hold the command line, the host name and the user; console capture would hold row text. The host stands
    # in the run as well, and a list of all that is installed beside it.
    hidden: dict[str, Any] = {"x_disable_meta": True, "x_disable_stats": True, "host": "", "x_save_requirements": False}
    settings = wandb.Settings(**hidden, console="off", silent=True)
    return wandb.init(**given, settings=settings, reinit="create_new")
