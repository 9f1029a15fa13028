"""Every YAML of every group composes, and binds to the function that it names."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_method

import prepsweep
from prepsweep.preflight.values import check_values
from prepsweep.stages import INJECTED, PREPARATION, source_of, stages_of
from tests.conftest import compose
from tests.contract.stage_options import CONF, is_stage, options_of, parameters_of, tiny_values

FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml") if path.parent != CONF)
# What an option leaves to the user.
REQUIRED = {
    "data/csv": ["data.path=x.csv"],
    "data/jsonl": ["data.path=x"],
    "data/parquet": ["data.path=x"],
    "data/conll": ["data.path=x", "task=token_classification"],
    "model/checkpoint": ["model.name=x"],
}
REQUIRED |= {"data/conversations": ["data.path=x", "task=causal_lm_sft"], "data/chatterbot": ["task=causal_lm_sft"]}
REQUIRED |= {"data/hub": ["data.name=a/b"]}


def test_every_file_is_found() -> None:
    assert len(FILES) >= 50
    assert {str(file.parent) for file in FILES} >= {*PREPARATION, "data", "task", "model", "budget", "trainer", "logger", "experiment"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_option_composes_and_binds(file: Path, request: pytest.FixtureRequest) -> None:
    group, option = str(file.parent), file.stem
    if group == "hydra":
        return
    values = tiny_values(group, option, request) if group in PREPARATION else []
    name = f"+{group}" if group == "local" else group
    cfg = compose(f"{name}={option}", *REQUIRED.get(f"{group}/{option}", []), *values)
    check_values(cfg)
    source_of(cfg)
    for stage_group in PREPARATION:
        assert [stage.where for stage in stages_of(cfg, stage_group)] == [f"{stage_group}.{name}" for name in cfg[stage_group]]


@pytest.mark.parametrize(
    "file", [file for file in FILES if str(file.parent) in PREPARATION and is_stage(str(file.parent), file.stem)], ids=str
)
def test_a_stage_yaml_holds_what_a_reader_may_vary_and_no_more(file: Path) -> None:
    values = yaml.safe_load((CONF / file).read_text(encoding="utf-8"))
    function = get_method(values["_target_"])
    assert function.__name__ == file.stem, "file, function and YAML are one word"
    assert values["_partial_"] is True
    parameters = list(inspect.signature(function).parameters.values())
    keywords = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert len(parameters) - len(keywords) == 1, "the rows come first, all else by keyword"
    assert {key.partition(".")[0] for key in parameters_of(str(file.parent), file.stem)} == keywords - set(INJECTED)
    assert not [p.name for p in parameters if p.default is not inspect.Parameter.empty], "defaults are in the YAML, once"
    assert function.__doc__


def test_what_is_no_stage_of_its_group_configures_the_training() -> None:
    others = [file for file in FILES if str(file.parent) in PREPARATION and not is_stage(str(file.parent), file.stem)]
    trainers = [file for file in others if file.stem != "none"]
    part_of = {"augment/mixup.yaml": "mixup", "balance/focal.yaml": "loss", "balance/logit_adjust.yaml": "loss"}
    assert [str(file) for file in trainers] == list(part_of)
    for file in trainers:
        assert (CONF / file).read_text(encoding="utf-8").startswith("# @package _global_\n")
        cfg = compose(f"{file.parent}={file.stem}")
        assert not cfg[str(file.parent)], "no stage"
        assert cfg.task[part_of[str(file)]]["_target_"].endswith(f".{file.stem}"), "function and YAML are one word"


def test_options_are_described_in_their_first_lines() -> None:
    for file in FILES:
        if file.stem != "none":
            text = (CONF / file).read_text(encoding="utf-8").splitlines()
            assert text[0].startswith("# "), file
            assert not text[0].startswith("# @package") or text[1].startswith("# ") or str(file.parent) == "hydra", file


def test_instantiate_is_called_in_one_module() -> None:
    source = Path(prepsweep.__file__).parent
    users = [
        path.name
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "hydra.utils"
    ]
    assert set(users) == {"stages.py"}


def test_options_of_finds_the_catalogue() -> None:
    assert {"none", "duplicate", "synonym", "eda", "backtranslate", "backtranslate_marian"} <= set(options_of("augment"))
