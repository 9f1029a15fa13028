"""Predictions of a fine-tuned model for the rows of a file, of any number, in the memory of a few thousand."""
