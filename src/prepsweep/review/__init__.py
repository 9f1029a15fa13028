"""The review loop: a queue of rows for an expert, a page to decide on them, and the files that bring decisions back."""
