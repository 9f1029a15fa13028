"""Hydra configuration of prepsweep, shipped inside the wheel."""
