"""The model as ONNX, and that with weights of eight bits; each is run beside the original before it is kept."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prepsweep.errors import Refused
from prepsweep.padded import inputs_of
from prepsweep.predict.answers import KINDS, TAGS
from prepsweep.predict.model import Predictor
from prepsweep.preprocess.tokenize import TYPES

if TYPE_CHECKING:
    from torch import Tensor

ONNX_FILE, INT8_FILE = "model.onnx", "model.int8.onnx"
# Logits of one model in two runtimes differ by rounding, 1e-6 to 1e-5.
MAX_DIFFERENCE = 1e-4
# Larger than this a single file of ONNX cannot be; the weights stand in a file beside it then.
_MOST_IN_ONE_FILE = 1_900_000_000
# Of several lengths, scripts and kinds; the user's texts are not at hand, and would not belong here.
_TEXTS = (
    "A warm and funny film that never tries too hard.",
    "Dull from the first scene to the last, and twice as long as it needs to be.",
    "The parcel came two days late; the box was damaged but nothing inside was broken.",
    "No.",
    "",
    "¿Dónde está la estación? Está al final de la calle, a la izquierda.",
    "Das Hotel war sauber, das Frühstück leider kalt.",
    "这家餐厅的服务很好,但是价格有点贵。",
    "Цена выросла, а качество осталось прежним.",
    "Great!!! 😀😀 10/10 would buy again :)",
    "WARNING: disk 3 of 8 failed at 04:12:55 UTC, see https://example.org/alerts?id=7",
    "Shares fell 3.5% on Tuesday after the company cut its forecast for the third time this year. " * 4,
    "He said that she said that they had said it would rain, and it did not rain. " * 12,
)


@dataclass(frozen=True)
class Checked:
    """A file of ONNX beside the original, on the check texts: bytes, largest difference of a logit, share of equal answers."""

    n_bytes: int
    difference: float
    agreement: float


def refuse_without_libraries() -> None:
    """Refuse what cannot be exported here before anything is written."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused("--onnx", f"needs {' and '.join(missing)}", "pip install 'prepsweep[onnx]'")


def write_all(predictor: Predictor, folder: Path, *, int8: bool) -> list[str]:
    """Write the files into `folder` and say of each its size and how near it is; one that is not near raises `ArithmeticError`."""
    exported = write_onnx(predictor, folder / ONNX_FILE)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    said = [_said(ONNX_FILE, exported, size)]
    if not exported.difference <= MAX_DIFFERENCE:
        what = f"{ONNX_FILE} gives logits that differ from the model's by up to {exported.difference:.2g}, more than {MAX_DIFFERENCE:g}"
        raise ArithmeticError(f"{what}; nothing was written")
    if int8:
        said.append(_said(INT8_FILE, write_int8(predictor, folder / ONNX_FILE, folder / INT8_FILE), size))
    return said


def _said(name: str, found: Checked, size: int) -> str:
    return (
        f"{name}: {found.n_bytes / 1e6:.1f} MB ({found.n_bytes / size:.0%} of the weights), logits within {found.difference:.1e} "
        f"of the model's on {len(_TEXTS)} check texts, the same answer in {found.agreement:.0%}"
    )


def write_onnx(predictor: Predictor, file: Path) -> Checked:
    """Export by torch's exporter, with any number of texts and tokens, and run it."""
    import torch

    inputs = _inputs(predictor)
    wrapped = _logits_alone(predictor.model)
    sizes = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in inputs}
    n_bytes = sum(one.numel() * one.element_size() for one in predictor.model.parameters())
    with _quiet(), torch.inference_mode():
        try:
            torch.onnx.export(
                wrapped,
                (),
                file,
                kwargs=inputs,
                dynamo=True,
                dynamic_shapes=sizes,
                output_names=["logits"],
                external_data=n_bytes > _MOST_IN_ONE_FILE,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            what = f"torch cannot export a {type(predictor.model).__name__} to ONNX"
            raise Refused("--onnx", what, "export without --onnx") from error
    return _checked(predictor, file)


def write_int8(predictor: Predictor, exported: Path, file: Path) -> Checked:
    """Weights of matrix products in eight bits, activations as they come (onnxruntime's dynamic quantisation)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(exported, file, weight_type=QuantType.QInt8)
    return _checked(predictor, file)


def _logits_alone(model: Any) -> Any:
    """A module whose inputs have names and whose output is the logits."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Any:
            types = {} if token_type_ids is None else {TYPES: token_type_ids}
            return self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits

    return Logits().eval()


def _inputs(predictor: Predictor) -> dict[str, Any]:
    """The check texts as the model is given them, of a pair model each with the next one."""
    texts = [list(_TEXTS)]
    if predictor.preparation.pairs:
        texts.append([*_TEXTS[1:], _TEXTS[0]])
    given = predictor.tokenizer(
        *texts,
        truncation=True,
        max_length=predictor.preparation.max_length,
        padding=True,
        return_tensors="pt",
        return_token_type_ids=bool(predictor.preparation.pairs),
    )
    batch = {name: given[name] for name in ("input_ids", "attention_mask", TYPES) if name in given}
    return inputs_of(predictor.model, batch)


def _checked(predictor: Predictor, file: Path) -> Checked:
    import onnxruntime
    import torch

    inputs = _inputs(predictor)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(["logits"], {name: tensor.numpy() for name, tensor in inputs.items()})[0]
    with torch.inference_mode():
        wanted = predictor.model(**inputs).logits.numpy()
    read = inputs["attention_mask"].numpy().astype(bool) if wanted.ndim == 3 else np.ones(len(wanted), dtype=bool)
    n_bytes = sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*"))
    answers = zip(_answers(found, predictor, read), _answers(wanted, predictor, read), strict=True)
    return Checked(n_bytes, float(np.abs(found - wanted)[read].max()), float(np.mean([one == other for one, other in answers])))


def _answers(logits: NDArray[np.float32], predictor: Predictor, read: NDArray[np.bool_]) -> list[Any]:
    """What is decided by the logits, text by text or piece by piece; a number to a hundredth of the labels' deviation."""
    if predictor.kind == TAGS:
        tags: list[Any] = logits[read].argmax(axis=1).tolist()
        return tags
    if predictor.kind == "number":
        numbers: list[Any] = logits[:, 0].round(2).tolist()
        return numbers
    said: list[Any] = KINDS[predictor.kind](logits, predictor.classes, predictor.preparation.decision).column("prediction").to_pylist()
    return said


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch and onnxruntime say of their own insides."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
