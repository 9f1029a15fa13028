"""Which data preparation helps a fine-tuned text model: declared in YAML, swept over seeds, answered with evidence."""

__version__ = "0.1.0"
