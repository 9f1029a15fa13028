"""Class balance of the train split: by rows or by weights."""
