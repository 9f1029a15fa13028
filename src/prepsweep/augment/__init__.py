"""Augmentation: rows made from train rows; the rows they are made from stay as they are."""
