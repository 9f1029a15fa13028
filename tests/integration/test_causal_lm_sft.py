"""Conversations, from a file to the record and to `compare`: answers are learned, all else of a conversation is only read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from prepsweep.cli import main
from prepsweep.compare.measures import score
from prepsweep.compare.records import Run, read_studies
from prepsweep.errors import Refused
from prepsweep.planning import built_stages
from prepsweep.training import train
from tests.conftest import compose
from tests.contract.stage_options import is_stage, options_of, tiny_values
from tests.records import record_of
from tests.writers import made_conversations, write_conversations

WORKS = {
    "clean": {"exact_dedup", "drop_short", "language", "near_dedup", "quality", "semantic_dedup"},
    "augment": {"duplicate"},
    "annotate": set(),
    "refine": set(),
    "balance": set(),
}


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    return write_conversations(tmp_path / "chats.jsonl", 120)


def given(data: Path, model: Path, *overrides: str) -> list[str]:
    options = [f"data.path={data}", f"model.name={model}", "preprocess.chat.max_length=128", "trainer=cpu", "logger=none"]
    return ["task=causal_lm_sft", "data=conversations", *options, "task.max_new_tokens=8", *overrides]


def run(run_dir: Path, options: list[str], **choices: Any) -> dict[str, Any]:
    best = train(compose(*options), run_dir=run_dir, choices=choices)
    record = record_of(run_dir)
    assert best == record["metrics"]["val"]["log_likelihood"]
    return record


def test_a_run_learns_to_answer(tmp_path: Path, chats: Path, tiny_writer: Path) -> None:
    record = run(tmp_path / "run", given(chats, tiny_writer, "budget.epochs=30", "model.learning_rate=3e-3"))
    test = record["metrics"]["test"]
    assert test["exact_match"] > 0.8
    assert test["perplexity"] == pytest.approx(math.exp(test["loss"])) == pytest.approx(math.exp(-test["log_likelihood"]))
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pydict()
    assert test["exact_match"] == pytest.approx(np.mean([a == b for a, b in zip(rows["label"], rows["prediction"], strict=True)]))
    assert test["loss"] == pytest.approx(sum(rows["answer_loss"]) / sum(rows["answer_tokens"]), rel=1e-5), "a token a vote"
    labels = [turns[-1]["content"] for turns in made_conversations(120)]
    assert set(rows["label"]) <= set(labels)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (kind.from_pretrained(tmp_path / "run" / "model") for kind in (AutoTokenizer, AutoModelForCausalLM))
    asked = [{"role": "user", "content": "7.0 capital of Spain"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    said = model.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(said, skip_special_tokens=True) == "Madrid", "the saved model has the template that it was trained with"


def test_what_is_written_is_what_greedy_decoding_writes(tmp_path: Path, chats: Path, tiny_writer: Path) -> None:
    run(tmp_path / "run", given(chats, tiny_writer, "budget.epochs=4", "model.learning_rate=3e-3"))
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (kind.from_pretrained(tmp_path / "run" / "model") for kind in (AutoTokenizer, AutoModelForCausalLM))
    asked = {turns[-2]["content"]: turns for turns in made_conversations(120)}
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pydict()
    texts = {stage["uid"]: stage["text"] for stage in _test_rows(given(chats, tiny_writer))}
    assert len(set(rows["prediction"])) > 1
    for uid, prediction in zip(rows["uid"], rows["prediction"], strict=True):
        turns = asked[texts[uid].split("\n")[-2]]
        prompt = tokenizer.apply_chat_template(turns[:-1], add_generation_prompt=True, return_tensors="pt", return_dict=True)
        said = model.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        assert tokenizer.decode(said, skip_special_tokens=True).strip() == prediction


def _test_rows(options: list[str]) -> list[dict[str, Any]]:
    from prepsweep.cache import Cache
    from prepsweep.pipeline import split_rows

    cfg = compose(*options)
    rows, _ = split_rows(cfg, Cache(Path(cfg.paths.cache_dir)), [])
    found: list[dict[str, Any]] = rows.of("test").dataset.to_list()
    return found


def test_prompts_and_answers_in_two_columns_are_the_same_conversations(tmp_path: Path, tiny_writer: Path) -> None:
    pairs = [(turns[-2]["content"], turns[-1]["content"]) for turns in made_conversations(60)]
    files = {name: tmp_path / f"pairs.{name}" for name in ("csv", "jsonl")}
    files["csv"].write_text("prompt,answer\n" + "".join(f"{asked},{said}\n" for asked, said in pairs), encoding="utf-8")
    files["jsonl"].write_text("".join(json.dumps(dict(zip(("prompt", "answer"), pair, strict=True))) + "\n" for pair in pairs))
    chats = tmp_path / "chats.jsonl"
    roles = ("user", "assistant")
    lines = [[{"role": role, "content": said} for role, said in zip(roles, pair, strict=True)] for pair in pairs]
    chats.write_text("".join(json.dumps({"messages": turns}) + "\n" for turns in lines))
    steps = ("budget=steps", "budget.steps=1", "budget.evaluations=1")
    found = [run(tmp_path / "chats", given(chats, tiny_writer, *steps))]
    for name, file in files.items():
        columns = (f"data={name}", "data.text_column=prompt", "data.label_column=answer", "task.labels.form=prompt")
        found.append(run(tmp_path / name, given(file, tiny_writer, *columns, *steps)))
    splits = [record["data"]["splits"] for record in found]
    assert splits[0] == splits[1] == splits[2]


@pytest.mark.parametrize("method", ["lora", "adalora", "prompt", "prefix", "last_layers", "adapter"])
def test_methods_of_fine_tuning(method: str, tmp_path: Path, chats: Path, tiny_writer: Path) -> None:
    values = ["method.n_layers=1"] if method == "last_layers" else []
    steps = ("budget=steps", "budget.steps=4", "budget.evaluations=2")
    record = run(tmp_path / "run", given(chats, tiny_writer, f"method={method}", *values, *steps))
    assert 0 < record["budget"]["trained_parameters"] < record["budget"]["parameters"]
    curve = [look["loss"] for look in record["metrics"]["val_curve"]]
    assert curve[-1] < curve[0], "it learns"


@pytest.mark.parametrize("group", WORKS)
def test_each_stage_works_or_is_refused_in_one_line(group: str, chats: Path, tiny_writer: Path, request: pytest.FixtureRequest) -> None:
    works, refused = set(), dict[str, str]()
    for option in (option for option in options_of(group) if is_stage(group, option)):
        values = tiny_values(group, option, request)
        try:
            built_stages(compose(*given(chats, tiny_writer, f"{group}={option}", *values)))
        except Refused as error:
            refused[error.where.rpartition(".")[2]] = option
        else:
            works.add(option)
    assert works == WORKS[group]
    assert all(name == option for name, option in refused.items()), "each for itself, not for an option of it"


def test_what_configures_the_loss_of_classes_is_refused(chats: Path, tiny_writer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("balance=focal", "augment=mixup"):
        assert main(["train", *given(chats, tiny_writer, option)]) == 2
        assert "CausalLmSft has no such option" in capsys.readouterr().err


BAD = {
    "no answer": ([{"role": "user", "content": "a"}], "a conversation without an answer of the assistant"),
    "empty": ([], "a conversation without messages"),
    "the assistant first": ([{"role": "assistant", "content": "a"}], "message 1 is of the assistant, where one of the user belongs"),
    "the user twice": (
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}],
        "message 2 is of the user, where one of the assistant belongs",
    ),
    "a late system": (
        [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "assistant", "content": "c"}],
        "message 2 is of the system, where one of the assistant belongs",
    ),
    "no last answer": (
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
        "a conversation that ends without an answer",
    ),
    "an unknown role": ([{"role": "tool", "content": "a"}], "message 1 has the role 'tool'"),
    "other keys": ([{"from": "human", "value": "a"}], "message 1 has the keys from, value, not role and content"),
    "a further key": ([{"role": "user", "content": "a", "weight": 0}], "message 1 has 'weight', which would not be read"),
    "a blank message": ([{"role": "user", "content": " \n"}, {"role": "assistant", "content": "b"}], "message 1 is blank"),
    "no text": ([{"role": "user", "content": ["a"]}, {"role": "assistant", "content": "b"}], "message 1 is no text"),
    "a text": ("hello", "'hello' is no list of messages"),
}


@pytest.mark.parametrize(("messages", "what"), BAD.values(), ids=BAD)
def test_a_bad_row_is_refused_with_its_line(
    messages: Any, what: str, chats: Path, tiny_writer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = chats.read_text(encoding="utf-8").splitlines()
    lines[4] = json.dumps({"messages": messages})
    chats.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["train", *given(chats, tiny_writer)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"error: {chats}:5: {what}. fix: "), said


def test_an_encoder_is_refused_before_anything_is_written(
    tmp_path: Path, chats: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *given(chats, tiny_model)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "is BertForSequenceClassification, which does not write text. fix: " in said
    assert {path.name for path in tmp_path.iterdir()} == {chats.name}


def test_arms_are_compared_by_the_likelihood_of_the_answers_and_by_exact_match(
    tmp_path: Path, chats: Path, tiny_writer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ("seeds.split=0", "split.stratified.test_fraction=0.4", "budget.epochs=2", "budget.evaluations=2", "model.learning_rate=3e-3")
    for augment in ("none", "duplicate"):
        for seed in (0, 1):
            cfg = compose(*given(chats, tiny_writer, *fixed, f"augment={augment}", f"seed={seed}"))
            choices = {"task": "causal_lm_sft", "augment": augment}
            train(cfg, run_dir=tmp_path / "runs" / f"{augment}-{seed}", choices=choices, overrides=[f"augment={augment}"])
    for metric, unit in (("log_likelihood", "nats"), ("exact_match", "points")):
        capsys.readouterr()
        assert main(["compare", str(tmp_path / "runs"), "--metric", metric]) == 0
        assert f"What each choice changes ({metric}, {unit})" in (said := capsys.readouterr().out), said
        for one in read_studies([tmp_path / "runs"]).runs:
            bare = Run(one.run_dir, one.record | {"metrics": {"test": {}}})
            assert score(bare, metric) == pytest.approx(score(one, metric), rel=1e-5), "the record and the predictions differ"
