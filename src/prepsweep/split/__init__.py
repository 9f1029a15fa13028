"""Assignment of rows to train, dev and test."""
