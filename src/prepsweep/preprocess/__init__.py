"""From text to what the model reads."""
