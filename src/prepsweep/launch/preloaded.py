"""What every run imports, imported once by the server process from which the runs are forked."""

from __future__ import annotations

import datasets
import pytorch_lightning
import torch
import transformers
import wandb
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import prepsweep.pipeline
import prepsweep.tasks.text_classification
import prepsweep.training

__all__ = ["AutoModelForSequenceClassification", "AutoTokenizer", "datasets", "prepsweep"]
__all__ += ["pytorch_lightning", "torch", "transformers", "wandb"]
