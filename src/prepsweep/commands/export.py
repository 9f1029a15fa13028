"""Export a trained model: its folder for transformers, on request ONNX, and a model card."""

from __future__ import annotations

import sys
from pathlib import Path

from prepsweep.commands import Arguments
from prepsweep.errors import Refused


def main(argv: list[str]) -> int:
    """Write the folder, whole or not at all; 1 where the ONNX file does not compute what the model does."""
    arguments = Arguments("export", "A trained model as a folder for others: transformers, ONNX, a card that says what it is.")
    arguments.add_argument("model", type=Path, metavar="MODEL", help="a run's folder, its model/, or a folder that transformers saved")
    arguments.add_argument("out", type=Path, metavar="OUT_DIR", help="a new folder")
    arguments.add_argument("--onnx", action="store_true", help="model.onnx too, run beside the original")
    arguments.add_argument("--int8", action="store_true", help="model.int8.onnx too, with weights of eight bits")
    arguments.add_argument("--card-study", type=Path, metavar="STUDY", help="tell the verdicts of this study in the card: multirun/NAME")
    asked = arguments.parse(argv)

    from prepsweep.export.card import CARD_FILE, card, study_report
    from prepsweep.export.folder import copy_model, empty_folder, record_of
    from prepsweep.export.onnx_files import refuse_without_libraries, write_all
    from prepsweep.methods.saved import is_plain
    from prepsweep.predict.model import Predictor, model_folder
    from prepsweep.publish import publish_folder

    folder, out = model_folder(asked.model), empty_folder(asked.out)
    if not is_plain(folder):
        what = "has parameters of its own (prefix, prompt, adapter), which transformers alone does not load"
        raise Refused(str(folder), what, "predict with it here, or train with method=lora, which is merged")
    if asked.onnx or asked.int8:
        refuse_without_libraries()
    if asked.card_study:
        study_report(asked.card_study)
    record = record_of(folder)
    predictor = Predictor.of(folder, device="cpu", precision="32-true", batch_size=1)
    said: list[str] = []

    def write(private: Path) -> None:
        copy_model(folder, private)
        if asked.onnx or asked.int8:
            said.extend(write_all(predictor, private, int8=asked.int8))
        text = card(predictor, record, folder.parent, study=asked.card_study, files=said)
        (private / CARD_FILE).write_text(text, encoding="utf-8")

    try:
        publish_folder(out, write)
    except ArithmeticError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join([*said, f"exported: {out}"]))
    if record is None:
        print(f"no run.json beside {folder}: the card tells neither data nor scores", file=sys.stderr)
    return 0
