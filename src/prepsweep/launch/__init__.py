"""The local launcher: a fresh process for every run, started from one server that has the heavy imports loaded."""
