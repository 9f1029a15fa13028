"""Ways of fine-tuning: which parameters are trained, and which are added. One function each: `(model, **options) -> model`."""
