"""`hydra/sweeper=checked`: Hydra's basic sweeper, less one of its steps."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class CheckedSweeper(BasicSweeper):
    """Every combination, as Hydra's basic sweeper has them."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Nothing: `prepsweep.preflight` has composed every run already, and Hydra takes a tenth of a second for each."""
