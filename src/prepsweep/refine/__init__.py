"""What is learned from the train rows about the train rows: label errors, outliers. Runs after the split."""
