"""Cleaning: repairs texts or drops rows, before the split."""
