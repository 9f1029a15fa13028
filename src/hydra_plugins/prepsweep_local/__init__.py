"""Hydra's door to `prepsweep.launch`: `hydra/launcher=local`. Hydra takes launchers from this namespace only."""
