"""How the caches of other projects gave stale or mixed-up data: each fault once, to show that it is not here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from prepsweep.cache import STAGES as STAGES_FOLDER
from prepsweep.cache import Cache
from prepsweep.identity import RUNTIME_ONLY, is_path, stage_key
from prepsweep.lineage import table_of
from prepsweep.pipeline import prepare
from prepsweep.planning import planned
from prepsweep.stages import PREPARATION, Stage, stages_of
from tests.conftest import compose, make_reviews
from tests.contract.stage_options import CONF, is_stage, options_of

STAGES = [(group, option) for group in PREPARATION for option in options_of(group) if is_stage(group, option)]
SOURCES = [("data", option) for option in options_of("data")]


@pytest.fixture
def data(reviews_csv: Path, tiny_model: Path) -> list[str]:
    return ["data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", "preprocess.tokenize.max_length=32"]


def keys(*overrides: str) -> dict[str, str]:
    """Key of every stage of a run, by its name and split."""
    return {f"{step.stage.where}/{step.split}": step.key for step in planned(compose(*overrides))}


def moved(before: dict[str, str], after: dict[str, str]) -> list[str]:
    assert before.keys() == after.keys()
    return [name for name in before if before[name] != after[name]]


def other(value: Any) -> Any:
    """A value of the same kind that is not this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, list):
        return [*value, "x"]
    return {**value, "x": 1} if isinstance(value, dict) else f"{value}x"


def test_the_content_of_data_files_is_in_the_key(data: list[str], reviews_csv: Path) -> None:
    """axolotl #341: `data_files` were not in the hash, so changed data gave the old rows."""
    before = keys(*data)
    text, stamp = reviews_csv.read_text(), reviews_csv.stat()
    reviews_csv.write_text(text.replace("fresh", "rotxx", 1)[: len(text)].replace("rotxx", "plots", 1))
    os.utime(reviews_csv, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert reviews_csv.stat().st_size == stamp.st_size, "equal in size and time stamp, so only the content tells"
    assert moved(before, keys(*data)) == list(before), "every stage is made from other rows"
    reviews_csv.write_text(text)
    assert keys(*data) == before, "the same content again is the same data"
    renamed = reviews_csv.rename(reviews_csv.with_name("other.csv"))
    assert keys(*data, f"data.path={renamed}") == before, "and it may be called as it likes"


def test_duplicates_are_not_cached_twice_and_removing_them_is_in_the_key(data: list[str]) -> None:
    """axolotl #2719: a cache made with duplicates served runs that asked for none."""
    cache = Cache(Path("cache"))
    cfgs = [compose(*data, f"clean={clean}", f"study=s{i}") for i, clean in enumerate(["none", "none", "exact_dedup"])]
    prepared = [prepare(cfg, cache) for cfg in cfgs]
    assert [stage["cached"] for stage in prepared[1].stages] == [True] * len(prepared[1].stages)
    assert moved(keys(*data, "clean=none"), keys(*data, "clean=none", "study=x")) == []
    with_, without = keys(*data, "clean=none"), keys(*data, "clean=exact_dedup")
    assert {key for name, key in with_.items() if name != "data/None"}.isdisjoint(without.values())
    entries = [path.name for path in (Path("cache") / STAGES_FOLDER).iterdir()]
    assert {*with_.values(), *without.values()} <= set(entries)


@pytest.mark.parametrize(
    "override",
    [
        "paths.output_dir=elsewhere",
        "paths.multirun_dir=elsewhere",
        "paths.cache_dir=elsewhere",
        "runtime.num_proc=7",
        "study=other",
        "logger=none",
        "trainer=cpu",
        "trainer.precision=bf16-mixed",
        "model.batch_size=3",
        "model.eval_batch_size=3",
        "model.learning_rate=0.5",
        "budget=epochs",
        "budget.epochs=9",
        "seeds.model=9",
        "guards.on_leak=refuse",
        "balance=focal",
    ],
)
def test_a_key_does_not_move_with_where_or_how_fast_a_run_works(override: str, data: list[str]) -> None:
    """axolotl #3303: the hash moved with `output_dir`, so nothing was ever found again."""
    assert moved(keys(*data, "augment=[eda,duplicate]"), keys(*data, "augment=[eda,duplicate]", override)) == []


def test_where_the_command_is_given_does_not_matter(data: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """axolotl #3303, once more: a relative path, a link and another working folder name the same rows."""
    before = keys(*data)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "link.csv").symlink_to(tmp_path / "reviews.csv")
    monkeypatch.chdir(tmp_path / "below")
    assert keys(*data, "data.path=link.csv") == keys(*data, "data.path=../reviews.csv") == before


@pytest.mark.parametrize(("group", "option"), [*STAGES, *SOURCES], ids="/".join)
def test_each_argument_is_in_the_key_unless_it_says_only_how_or_where(group: str, option: str) -> None:
    """Ludwig and axolotl kept lists of what belongs to a key, and forgot some: here all does that is not named in one place."""
    values = yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8"))
    spec = {name: value for name, value in values.items() if name != "defaults"}
    if "_target_" not in spec:
        spec = {"_target_": "prepsweep.sources.hub.hub", **spec}

    def key(spec: dict[str, Any]) -> str:
        return stage_key(parent="p", spec=spec, seed=None, files={})

    for name in sorted({*spec} - {"_target_"}):
        flipped = key({**spec, name: other(spec[name])})
        runtime = name in RUNTIME_ONLY or is_path(name)
        assert (flipped == key(spec)) is runtime, name
    assert key({**spec, "_target_": "prepsweep.split.limit.limit"}) != key(spec)


def test_runtime_only_names_arguments_that_there_are() -> None:
    names = {name for group, option in [*STAGES, *SOURCES] for name in _names(CONF / group / f"{option}.yaml")}
    assert set(RUNTIME_ONLY) <= names | {"num_proc", "source_dir", "download_dir"}, "an exception that nothing needs any more"


def _names(file: Path) -> set[str]:
    return set(yaml.safe_load(file.read_text(encoding="utf-8")) or {})


def test_the_seed_is_in_the_keys_of_what_draws_and_of_nothing_else(data: list[str]) -> None:
    """axolotl and Ludwig: the seed was not in the key, so a second seed got the first one's rows."""
    arms = [*data, "clean=[normalize_unicode,exact_dedup]", "augment=[eda,duplicate]", "balance=oversample"]
    changed = moved(keys(*arms, "seed=0"), keys(*arms, "seed=1"))
    assert set(changed) == set(keys(*arms)) - {"data/None", "clean.normalize_unicode/None", "clean.exact_dedup/None"}
    changed = moved(keys(*arms, "seeds.data=0"), keys(*arms, "seeds.data=1"))
    assert changed[0] == "augment.eda/train"
    assert "preprocess.tokenize/test" not in changed, "what only train rows drew does not touch the test rows"


@pytest.mark.parametrize(("group", "option"), STAGES, ids="/".join)
def test_a_stage_without_a_seed_has_the_same_key_for_all_seeds(group: str, option: str) -> None:
    import inspect

    from hydra.utils import get_method

    target = yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8"))["_target_"]
    draws = "seed" in inspect.signature(get_method(target)).parameters
    if "defaults" in yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8")):
        assert draws, "whoever wraps a stage passes its seed on"
    stages = [Stage(group, option, {"_target_": target}, {"seed": seed} if draws else {}) for seed in (0, 1)]
    found = [stage_key(parent="p", spec=stage.spec, seed=stage.injected.get("seed"), files={}) for stage in stages]
    assert (found[0] != found[1]) is draws


PACKAGE = {
    "__init__.py": "",
    "shout.py": "from mine.loud import louder\n\n\ndef shout(dataset, *, n: int):\n    return louder(dataset)\n",
    "whisper.py": "from . import soft\n\n\ndef whisper(dataset, *, n: int):\n    return soft.softer(dataset)\n",
    "loud.py": "def louder(dataset):\n    return dataset\n",
    "soft.py": "from .words import word\n\n\ndef softer(dataset):\n    return dataset\n",
    "words.py": "word = 1\n",
}
ASK = """
import json, sys
from prepsweep.planning import planned
from prepsweep.preflight.compose import compose_runs
from prepsweep.preflight.resolvers import register_resolvers
register_resolvers()
stages = "+clean.{0}={{_target_:mine.{0}.{0},_partial_:true,n:1}}"
(cfg,) = compose_runs([*sys.argv[1:], "clean=none", stages.format("shout"), stages.format("whisper")], multirun=False)
from prepsweep.stages import stages_of
print(json.dumps({stage.name: stage.key("p") for stage in stages_of(cfg, "clean")}))
"""
EDITS: dict[str, tuple[str, Callable[[str], str], set[str]]] = {
    "a helper": ("loud.py", lambda text: text.replace("return dataset", "return dataset.select([0])"), {"shout"}),
    "a helper that is imported as a module": ("soft.py", lambda text: text.replace("return dataset", "return None"), {"whisper"}),
    "a helper of a helper": ("words.py", lambda text: text.replace("1", "2"), {"whisper"}),
    "the stage": ("shout.py", lambda text: text.replace("louder(dataset)", "louder(louder(dataset))"), {"shout"}),
    "a comment": ("loud.py", lambda text: f"# quite loud\n{text}", set()),
    "a docstring": ("shout.py", lambda text: text.replace("    return", '    """Shout."""\n    return'), set()),
    "layout": ("soft.py", lambda text: text.replace("return dataset", "return (\n        dataset\n    )"), set()),
    "a module that nobody uses": ("unused.py", lambda text: "x = 1\n", set()),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_recomputes_exactly_its_users(edit: str, data: list[str], tmp_path: Path) -> None:
    """axolotl (edited prompt code), huggingface/datasets #3297 (edited imported function), ai2-tango (VERSION bumped by hand)."""
    (tmp_path / "mine").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "mine" / name).write_text(text)

    def asked() -> dict[str, str]:
        environment = os.environ | {"PREPSWEEP_PACKAGES": "mine", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", ASK, *data]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        found: dict[str, str] = json.loads(ran.stdout)
        return found

    before = asked()
    name, change, users = EDITS[edit]
    file = tmp_path / "mine" / name
    file.write_text(change(file.read_text() if file.exists() else ""))
    after = asked()
    assert {name for name in before if before[name] != after[name]} == users


def test_the_tokens_of_two_arms_are_never_mixed_up(data: list[str]) -> None:
    """LLaMA-Factory: `tokenized_path` ignores all other data arguments, so every arm trains on the first arm's tokens."""
    arms = {arm: [*data, f"augment={arm}"] for arm in ("none", "duplicate", "word_noise")}
    arms["other clean"] = [*data, "clean=none", "augment=none"]
    tokens = {arm: keys(*overrides)["preprocess.tokenize/train"] for arm, overrides in arms.items()}
    assert len(set(tokens.values())) == 4
    cache = Cache(Path("cache"))
    prepared = {arm: prepare(compose(*overrides), cache) for arm, overrides in arms.items()}
    again = {arm: prepare(compose(*overrides), Cache(Path("cache"))) for arm, overrides in reversed(arms.items())}
    for arm, was in prepared.items():
        assert all(stage["cached"] for stage in again[arm].stages)
        for split in ("train", "dev", "test"):
            assert table_of(again[arm].tokens[split]).equals(table_of(was.tokens[split])), (arm, split)
    n_rows = {arm: len(was.tokens["train"]) for arm, was in prepared.items()}
    assert n_rows["duplicate"] == 2 * n_rows["none"]
    assert table_of(prepared["none"].tokens["train"]) != table_of(prepared["word_noise"].tokens["train"])
    assert table_of(prepared["none"].tokens["test"]).equals(table_of(prepared["duplicate"].tokens["test"]))


def test_the_tokenizer_and_the_length_are_in_the_key_of_the_tokens(data: list[str], tiny_model: Path, tmp_path: Path) -> None:
    """LLaMA-Factory and axolotl: tokens of one model served another."""
    import shutil

    before = keys(*data)
    assert moved(before, keys(*data, "preprocess.tokenize.max_length=16")) == [f"preprocess.tokenize/{s}" for s in ("train", "dev", "test")]
    copied = shutil.copytree(tiny_model, tmp_path / "copied")
    assert keys(*data, f"model.name={copied}", f"preprocess.tokenize.checkpoint={tiny_model}") == before
    settings = json.loads((copied / "tokenizer.json").read_text())
    settings["normalizer"]["lowercase"] = False
    (copied / "tokenizer.json").write_text(json.dumps(settings))
    assert len(moved(before, keys(*data, f"preprocess.tokenize.checkpoint={copied}"))) == 3


@pytest.mark.parametrize("key", ["data.test_path", "data.dev_path"])
def test_the_test_file_is_in_the_key(key: str, data: list[str], tmp_path: Path) -> None:
    """Ludwig: the cache key holds neither the test file nor the seed, so a new test file was scored on the old rows."""
    file = tmp_path / "given.csv"
    for seed in (1, 2):
        file.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in make_reviews(40, seed=seed)))
        if seed == 1:
            before = keys(*data, f"{key}={file}")
    assert moved(before, keys(*data, f"{key}={file}")) == list(before)
    assert keys(*data).items().isdisjoint(before.items())


def test_a_stage_that_was_edited_is_computed_again_and_not_read(data: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Data-Juicer, huggingface/datasets #3297: what is stored says what it was made by, and is not read for anything else."""
    cfg = compose(*data, "augment=duplicate")
    (stage,) = stages_of(cfg, "augment")
    before = stage.key("p")
    monkeypatch.setattr("prepsweep.identity.source_closure", lambda module: {module: "edited"})
    assert stage.key("p") != before
