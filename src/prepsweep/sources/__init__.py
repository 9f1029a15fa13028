"""Where raw rows come from: one reader per file, named as its data option."""
