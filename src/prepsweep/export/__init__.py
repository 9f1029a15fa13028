"""A trained model to hand on: its folder for transformers, ONNX files, and a card that says what it is."""
