"""Language models behind an OpenAI-compatible endpoint: asked, asked again where they fail, every reply recorded."""
