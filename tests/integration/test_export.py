"""A run's model as a folder for others: it loads, predicts the same, and its card says what it was made of and no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from prepsweep.cli import main
from prepsweep.export import onnx_files
from prepsweep.export.card import without_places
from tests.integration.test_predict import read, reviews, trained


@pytest.fixture
def run_dir(tmp_path: Path, tiny_model: Path) -> Path:
    return trained(tmp_path, reviews(), tiny_model, "clean=[exact_dedup,html,pii]", "method=lora")


def test_a_folder_that_predicts_the_same_and_names_no_place(
    run_dir: Path, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run_dir), "out"]) == 0
    assert "exported: out" in capsys.readouterr().out
    for number, model in enumerate((run_dir, Path("out"))):
        assert main(["predict", str(model), str(tmp_path / "test.jsonl"), "--out", f"{number}.jsonl"]) == 0
    assert read(Path("0.jsonl")) == read(Path("1.jsonl"))
    written = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "preparation.json", "README.md"} <= set(written)
    for name, content in written.items():
        assert str(tmp_path).encode() not in content, name
        assert tiny_model.parent.name.encode() not in content, name


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("method", ["prompt", "adapter"])
def test_what_transformers_alone_cannot_load_is_not_exported(
    method: str, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = trained(tmp_path, reviews(), tiny_model, f"method={method}")
    capsys.readouterr()
    assert main(["export", str(run_dir), "out"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "which transformers alone does not load. fix: " in said[0]
    assert not Path("out").exists()


def test_the_card_tells_data_preparation_seeds_and_scores(run_dir: Path, tmp_path: Path) -> None:
    assert main(["export", str(run_dir / "model"), "out"]) == 0
    text = Path("out/README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---")[1])
    assert header == {"library_name": "transformers", "pipeline_tag": "text-classification", "tags": ["prepsweep"]}
    record = json.loads((run_dir / "run.json").read_text())
    assert "Source: jsonl (train.jsonl, test.jsonl)" in text
    assert "Seeds: split 0, data 0, model 0" in text
    assert "| clean.pii | 93 | 0 | 93 |  |" in text
    score = record["metrics"]["test"]["accuracy"]
    assert f"| accuracy | {score:.4f} | " in text
    low, high = map(float, text.split(f"| accuracy | {score:.4f} | ")[1].split(" |")[0].split(" to "))
    assert (low + high) / 2 == pytest.approx(score, abs=1e-4)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(score * (1 - score) / 29), abs=2e-4)
    assert "dull@example.org" not in text
    assert not any(row["text"] in text for row in reviews())


def test_the_verdicts_of_a_study(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {"answer": ["Use augment=eda."], "contrasts": []}
    one = {"factor": "augment", "choice": "eda", "baseline": "none", "verdict": "needs more seeds", "seeds_needed": 9}
    (study := tmp_path / "study" / "compare").mkdir(parents=True)
    (study / "report.json").write_text(json.dumps(report | {"contrasts": [one]}))
    assert main(["export", str(run_dir), "out", "--card-study", str(study.parent)]) == 0
    text = Path("out/README.md").read_text(encoding="utf-8")
    assert "Use augment=eda." in text
    assert "| augment | eda | none | needs 9 seeds |" in text
    (study / "report.json").write_text("[]")
    assert main(["export", str(run_dir), "out2", "--card-study", str(study.parent)]) == 2
    assert "is no report of compare" in capsys.readouterr().err
    assert not Path("out2").exists()


def test_a_study_without_a_report_is_compared(run_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(run_dir, tmp_path / "study" / "a")
    assert main(["export", str(run_dir), "out", "--card-study", str(tmp_path / "study")]) == 0
    assert "There is nothing to compare" in Path("out/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", ["text_classification", "multi_label", "regression", "token_classification"])
def test_onnx_and_eight_bits(task: str, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnxruntime
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

    model = shutil.copytree(tiny_model, tmp_path / "m")
    auto = AutoModelForTokenClassification if task == "token_classification" else AutoModelForSequenceClassification
    options = {"multi_label": {"problem_type": "multi_label_classification"}, "regression": {"num_labels": 1}}.get(task, {})
    auto.from_pretrained(model, ignore_mismatched_sizes=True, **options).save_pretrained(model)
    assert main(["export", str(model), "out", "--int8"]) == 0
    said = capsys.readouterr()
    assert "model.onnx: " in said.out
    assert "model.int8.onnx: " in said.out
    assert "no run.json" in said.err
    session = onnxruntime.InferenceSession("out/model.onnx", providers=["CPUExecutionProvider"])
    given = AutoTokenizer.from_pretrained("out")(["a film", "dull and boring and flat and so on"], padding=True, return_tensors="pt")
    found = session.run(["logits"], {name: given[name].numpy() for name in ("input_ids", "attention_mask")})[0]
    wanted = auto.from_pretrained("out")(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
    assert np.abs(found - wanted.detach().numpy()).max() < 1e-4
    assert Path("out/model.int8.onnx").stat().st_size < Path("out/model.onnx").stat().st_size
    assert "## ONNX" in Path("out/README.md").read_text()


def test_the_card_tells_what_the_logits_of_the_bare_model_mean(tmp_path: Path, tiny_model: Path) -> None:
    texts = [row["text"] for row in reviews()]
    for task, labels, said in [
        ("regression", [row % 5 for row in range(len(texts))], "whose number is {label_mean!r} + {label_deviation!r} * logit"),
        ("multi_label", ["a|b" if row % 2 else "b" for row in range(len(texts))], "have a sigmoid(logit) of at least {threshold!r}"),
    ]:
        (tmp_path / task).mkdir()
        rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
        run_dir = trained(tmp_path / task, rows, tiny_model, f"task={task}", "model.average_last=2", "budget.evaluations=3")
        assert main(["export", str(run_dir), task + "-out"]) == 0
        text = Path(f"{task}-out/README.md").read_text(encoding="utf-8")
        decision = json.loads((run_dir / "model" / "preparation.json").read_text())["decision"]
        assert said.format(**decision) in text
        assert not any(f"| {name} |" in text for name in decision), "what was decided is no score"
        averaged = "n_averaged" in json.loads((run_dir / "run.json").read_text())["metrics"]["val"]
        assert ("the mean of those at the last 2 looks" in text) == averaged


def test_a_folder_beside_is_no_model_of_the_hub(run_dir: Path) -> None:
    record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    record["config"]["model"]["name"] = "models/mine"
    (run_dir / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert main(["export", str(run_dir), "hub"]) == 0
    Path("models/mine").mkdir(parents=True)
    assert main(["export", str(run_dir), "beside"]) == 0
    assert ["base_model: models/mine" in Path(f"{out}/README.md").read_text(encoding="utf-8") for out in ("hub", "beside")] == [True, False]


def test_onnx_of_pairs_is_given_the_types_of_tokens(tmp_path: Path, tiny_model: Path) -> None:
    import onnxruntime

    rows = [{"text": row["text"], "other": "a film", "label": row["label"]} for row in reviews()]
    run_dir = trained(tmp_path, rows, tiny_model, "data.text_pair_column=other")
    assert main(["export", str(run_dir), "out", "--onnx"]) == 0
    session = onnxruntime.InferenceSession("out/model.onnx", providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} >= {"input_ids", "attention_mask"}


def test_a_file_that_computes_something_else_is_not_kept(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx_files, "MAX_DIFFERENCE", -1.0)
    assert main(["export", str(tiny_model), "out", "--onnx"]) == 1
    assert "differ from the model's" in capsys.readouterr().err
    assert not Path("out").exists()


def test_what_is_refused(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").write_text("kept")
    monkeypatch.setattr(onnx_files.importlib.util, "find_spec", lambda name: None)
    for argv, said in [
        ([str(tiny_model), "full"], "is there and not an empty folder"),
        ([str(tiny_model), "no/out"], "there is no folder"),
        (["nowhere", "out"], "no such folder"),
        ([str(tiny_model), "out", "--card-study", "nowhere"], "nowhere: no such folder"),
        ([str(tiny_model), "out", "--onnx"], "pip install 'prepsweep[onnx]'"),
    ]:
        assert main(["export", *argv]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert Path("full/mine.txt").read_text() == "kept"
    assert not Path("out").exists()


def test_a_path_becomes_its_last_name_and_a_hub_name_stays() -> None:
    text = "data.path=/home/me/x.csv, model=owner/name, a/b and ~/y.csv"
    assert without_places(text) == "data.path=x.csv, model=owner/name, a/b and y.csv"
