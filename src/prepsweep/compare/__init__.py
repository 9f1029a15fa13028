"""The verdict: what a preparation choice is worth, from the records of a sweep; nothing here needs torch."""
