"""What every run imports, imported once by the server process from which the runs are forked."""

from __future__ import annotations

import importlib
from contextlib import suppress

import datasets
import ftfy
import pytorch_lightning
import sklearn.metrics
import torch
import transformers
import wandb
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.bert import modeling_bert

import prepsweep.pipeline
import prepsweep.tasks.text_classification
import prepsweep.training

__all__ = ["AutoModelForSequenceClassification", "AutoTokenizer", "datasets", "ftfy", "modeling_bert", "prepsweep"]
__all__ += ["pytorch_lightning", "sklearn", "torch", "transformers", "wandb"]

# Each W&B run imports this part of it when it begins, which takes a second; a version without it needs it not.
with suppress(ImportError):
    importlib.import_module("wandb.sdk.launch")
