"""A fine-tuned classifier from its folder, and its predictions for texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prepsweep.checkpoints import own_code_refused
from prepsweep.errors import Refused
from prepsweep.methods.saved import config_folder, is_plain, load_model
from prepsweep.padded import Lists, inputs_of
from prepsweep.predict.answers import KINDS, TAGS, columns_of, kind_of
from prepsweep.predict.preparation import Preparation
from prepsweep.preprocess.tokenize import TYPES
from prepsweep.pretrained import hardware_of
from prepsweep.schema import WORD_STARTS
from prepsweep.sources.files import said

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


def model_folder(given: Path) -> Path:
    """The folder with the model: of a run its `model/`; refused where there is none that may be loaded."""
    where = str(given)
    inside = given / "model"
    folder = inside if inside.is_dir() else given
    if not (config_folder(folder) / "config.json").is_file():
        what = "has no config.json and no model/ with one" if given.is_dir() else "no such folder"
        raise Refused(where, what, "name the folder of a run, its model/, or one that transformers saved")
    own_code_refused(config_folder(folder), where)
    if not any(folder.glob("*.safetensors")):
        pickles = any(found for pattern in _PICKLES for found in folder.glob(pattern))
        what = "its weights are a pickle, which can run code and is not loaded" if pickles else "has no weights (*.safetensors)"
        raise Refused(where, what, "save it again with save_pretrained of a current transformers")
    return folder


def loaded(folder: Path) -> tuple[Any, Any, str]:
    """Model, tokenizer and kind of task; whatever is wrong with the files is one line."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
    from transformers.utils import logging

    where = str(folder)
    logging.disable_progress_bar()
    shown = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        config = AutoConfig.from_pretrained(config_folder(folder))
        kind = kind_of(config)
        if kind is None:
            what = f"is no classifier but {(config.architectures or ['a model without a head'])[0]}"
            raise Refused(where, what, "name a model that was fine-tuned for classes, numbers or tags; transformers runs the others")
        words = {"add_prefix_space": True} if kind == TAGS else {}
        tokenizer = AutoTokenizer.from_pretrained(folder, **words)
        auto: Any = AutoModelForTokenClassification if kind == TAGS else AutoModelForSequenceClassification
        plain = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        model, info = auto.from_pretrained(folder, **plain) if is_plain(folder) else (load_model(folder), {"missing_keys": ()})
    except Refused:
        raise
    except Exception as error:
        raise Refused(where, f"cannot be loaded: {said(error)}", "fetch or save the model again") from error
    finally:
        logging.set_verbosity(shown)
    if info["missing_keys"]:
        what = f"its weights lack {min(info['missing_keys'])!r}"
        raise Refused(where, what, "name a model that was fine-tuned: a new head knows nothing")
    if not tokenizer.is_fast:
        raise Refused(where, "has no fast tokenizer", "name a model with a tokenizer.json")
    return model.eval(), tokenizer, kind


@dataclass(frozen=True)
class Predictor:
    """A model on its device, with the way to its texts; `batch_tokens` are computed at once, padding included."""

    model: Module
    tokenizer: Any
    preparation: Preparation
    kind: str
    classes: list[str]
    device: Any
    precision: str
    batch_tokens: int

    @classmethod
    def of(cls, folder: Path, *, device: str, precision: str | None, batch_size: int) -> Predictor:
        """The model in `folder`; a batch is `batch_size` texts of full length, or more of shorter ones."""
        import torch

        model, tokenizer, kind = loaded(folder)
        preparation = Preparation.of(folder, tokenizer, model)
        try:
            place = torch.device(hardware_of(device))
            model = model.to(place)
        except (RuntimeError, AssertionError) as error:
            raise Refused("--device", f"no device {device!r} here: {said(error)}", "use --device cpu") from error
        classes = [model.config.id2label[i] for i in range(model.config.num_labels)]
        tokens = batch_size * preparation.max_length
        return cls(model, tokenizer, preparation, kind, classes, place, precision or preparation.precision, tokens)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that are predicted."""
        return columns_of(self.kind, self.classes)

    def predictions(self, texts: pa.Table) -> tuple[pa.Table, NDArray[np.bool_]]:
        """A row of predictions for each row of `texts`, and whether its text was cut; the words of a tag task are `tokens`."""
        tokens = self.preparation.tokens(self.tokenizer, self.preparation.cleaned(texts) if self.kind != TAGS else texts)
        cut = np.zeros(len(texts), dtype=bool)
        rows = tokens.column("row").to_numpy()
        cut[rows] = tokens.column("truncated").to_numpy(zero_copy_only=False)
        if self.kind == TAGS:
            return self._tags(tokens), cut
        logits = np.zeros((len(tokens), len(self.classes)), dtype=np.float32)
        for places, found, _ in self._batches(tokens):
            logits[places] = found
        # The windows of a row are neighbours, and what is said of it is their mean, as in evaluation.
        _, starts, n_windows = np.unique(rows, return_index=True, return_counts=True)
        means = np.divide(np.add.reduceat(logits, starts, axis=0), n_windows[:, None], dtype=np.float32)
        self._check(means)
        return KINDS[self.kind](means, self.classes, self.preparation.decision), cut

    def _tags(self, tokens: pa.Table) -> pa.Table:
        """The tag of each word's first piece; a word without one is none of the tags, the first (`O`)."""
        sentences: list[list[str]] = [[] for _ in range(len(tokens))]
        starts = tokens.column(WORD_STARTS).to_pylist()
        for places, found, _ in self._batches(tokens):
            self._check(found)
            for place, numbers in zip(places.tolist(), found.argmax(axis=2), strict=True):
                sentences[place] = [self.classes[numbers[start] if start >= 0 else 0] for start in starts[place]]
        return pa.table({"prediction": pa.array(sentences, pa.list_(pa.string()))})

    def _batches(self, tokens: pa.Table) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]]:
        """Places, logits and lengths of batches, longest texts first."""
        import torch

        ids = Lists.of(tokens.column("input_ids").combine_chunks())
        types = Lists.of(tokens.column(TYPES).combine_chunks()) if TYPES in tokens.column_names else None
        lengths = np.diff(ids.offsets)
        order = np.argsort(-lengths, kind="stable")
        start = 0
        with torch.inference_mode():
            while start < len(order):
                longest = max(1, int(lengths[order[start]]))
                places = order[start : start + max(1, self.batch_tokens // longest)]
                start += len(places)
                of_batch = lengths[places]
                padded = ids.padded(places, of_batch, self.tokenizer.pad_token_id or 0, longest)
                batch = {"input_ids": padded, "attention_mask": (np.arange(longest) < of_batch[:, None]).astype(np.int64)}
                if types is not None:
                    batch[TYPES] = types.padded(places, of_batch, 0, longest)
                yield places, self._logits({name: torch.from_numpy(array) for name, array in batch.items()}), of_batch

    def _logits(self, batch: dict[str, Tensor]) -> NDArray[np.float32]:
        import torch

        kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self.precision)
        try:
            with torch.autocast(self.device.type, kind) if kind else nullcontext():
                given = inputs_of(self.model, {name: tensor.to(self.device) for name, tensor in batch.items()})
                found: NDArray[np.float32] = self.model(**given).logits.float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise Refused("--batch-size", "the device has no room for a batch", "try half of it") from error
        return found

    def _check(self, logits: NDArray[np.float32]) -> None:
        if not np.isfinite(logits).all():
            fix = "try --precision 32-true" if self.precision != "32-true" else "its weights are broken: train it again"
            raise Refused("MODEL", f"gives logits that are no numbers, in {self.precision}", fix)
