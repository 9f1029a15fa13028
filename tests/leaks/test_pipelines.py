"""Random pipelines of the whole catalogue: no row of test has an ancestor in common with train, whatever is chosen."""

from __future__ import annotations

import copy
import csv
import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from prepsweep.cache import Cache
from prepsweep.errors import Refused
from prepsweep.flow import Rows
from prepsweep.pipeline import split_rows, train_rows
from tests.conftest import compose, make_reviews
from tests.contract.stage_options import SMALL, is_of_texts, is_stage, options_of, parameters_of
from tests.unit.annotate.files import made_votes

GROUPS = ("clean", "annotate", "refine", "augment", "balance")
# Parameters of what writes texts with a model, or needs a service, another program or people's decisions; encoders are made here.
_LEFT_OUT = {"forward", "backward", "masked_lm", "paraphraser", "base_url", "translator", "path", "review_file"}
CATALOGUE = [
    (group, option)
    for group in GROUPS
    for option in options_of(group)
    if is_stage(group, option)
    and (group != "augment" or is_of_texts(option))
    and not _LEFT_OUT & set(parameters_of(group, option).values())
]
# What these do to the text of a row they do to all splits alike.
_AWKWARD = [
    ("", "fresh"),
    ("  ", "plot"),
    ("<b>Great</b> film &amp; more", "fresh"),
    ("我喜欢这部电影。", "fresh"),
    ("mail a@b.com 👍", "rotten"),
]


def test_the_catalogue_is_found() -> None:
    assert len(CATALOGUE) >= 39
    assert {group for group, _ in CATALOGUE} == set(GROUPS)


@pytest.fixture(scope="module")
def every_option(wordnet_folder: Path, labelling_rules: Path, tiny_model: Path) -> dict[str, Any]:
    """The configuration with all options of the catalogue and of the split, from which each pipeline takes its own."""
    chosen = [f"{group}=[{','.join(option for g, option in CATALOGUE if g == group)}]" for group in GROUPS]
    keys = [(f"{group}.{option}.{key}", name) for group, option in CATALOGUE for key, name in parameters_of(group, option).items()]
    made = {"wordnet_dir": wordnet_folder, "rules_file": labelling_rules, "checkpoint": tiny_model, "n_labels": 12}
    made |= {name: SMALL[name] for name in ("columns", "column", "descriptions", "min_similarity", "max_edit", "allow_label_change")}
    values = [f"{key}={made[name]}" for key, name in keys if name in made]
    cfg = compose("data=csv", "data.path=x", "data.carry_columns=[votes]", "split=[stratified,grouped]", *chosen, *values)
    whole = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(whole, dict)
    return {str(key): value for key, value in whole.items()}


def drawn(rng: random.Random, every_option: dict[str, Any], data: dict[str, str]) -> tuple[DictConfig, list[tuple[str, str]]]:
    """A random pipeline of up to six stages over `data`, and these."""
    chosen = rng.sample(CATALOGUE, rng.randrange(7))
    values = copy.deepcopy(every_option)
    for group in GROUPS:
        values[group] = {option: values[group][option] for g, option in chosen if g == group}
    split = "grouped" if "group_column" in data else "stratified"
    values["split"] = {split: values["split"][split]}
    values["data"] |= data | {"limit": rng.randrange(12, 40) if rng.random() < 0.3 else None}
    values["seed"] = rng.randrange(1000)
    return OmegaConf.create(values), chosen


def written(rng: random.Random, folder: Path) -> dict[str, str]:
    """Random small data, in one file, in two or in three, with or without copies and groups."""
    pairs = make_reviews(rng.randrange(60, 110), seed=rng.randrange(10**6))
    pairs += rng.sample(_AWKWARD, rng.randrange(6))
    pairs += rng.sample(pairs, 8) if rng.random() < 0.5 else []
    given = rng.choice([(), ("test",), ("dev", "test")])
    grouped = not given and rng.random() < 0.4
    splits = {split: pairs[place::6] for place, split in enumerate(given)}
    splits["train"] = [pair for place, pair in enumerate(pairs) if place % 6 >= len(given)]
    for split, rows in splits.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            columns = enumerate(zip(rows, made_votes(rows), strict=True))
            lines = [(*pair, f"film {place // 2}", votes) for place, (pair, votes) in columns]
            csv.writer(file).writerows([("text", "label", "film", "votes"), *lines])
    paths = {"path": f"{folder}/train.csv"} | {f"{split}_path": f"{folder}/{split}.csv" for split in given}
    return paths | ({"group_column": "film"} if grouped else {})


def check(cfg: DictConfig, chosen: list[tuple[str, str]]) -> None:
    cache, stages = Cache(Path("cache"), deferred=True), []
    whole, _ = split_rows(cfg, cache, stages)
    train = train_rows(cfg, whole, cache, stages)
    for stage in stages:
        for cell in [stage, *(cell for classes in stage["per_class"].values() for cell in classes.values())]:
            assert cell["rows_in"] + cell["rows_added"] == cell["rows_out"] + sum(cell["dropped"].values()), stage["name"]
    first = cache.find(stages[0]["key"])
    assert first is not None
    source = {row["uid"]: row for row in first.rows.to_list()}
    entries = [entry for stage in stages if (entry := cache.find(stage["key"]))]
    assert len(entries) == len(stages)
    parents = {row["uid"]: row["parent_uid"] for entry in entries for rows in (entry.rows, entry.left) for row in rows.to_list()}
    splits = {"train": train, "dev": whole.of("dev"), "test": whole.of("test")}
    roots = {split: {ancestor(uid, parents) for uid in rows.dataset["uid"]} for split, rows in splits.items()}
    assert roots["train"]
    assert roots["train"] <= set(source)
    assert not roots["train"] & (roots["dev"] | roots["test"])
    assert not roots["dev"] & roots["test"]
    texts = {split: {source[uid]["text"] for uid in uids} for split, uids in roots.items()}
    if len({row["text"] for row in source.values()}) == len(source):
        assert not texts["train"] & (texts["dev"] | texts["test"])
    check_held_out(whole, source, rewrites=any(group == "clean" for group, _ in chosen))
    assert set(train.dataset["split"]) == {"train"}


def ancestor(uid: str, parents: dict[str, str | None]) -> str:
    """Uid of the source row that a row was made from."""
    while (parent := parents[uid]) is not None:
        uid = parent
    return uid


def check_held_out(whole: Rows, source: dict[str, Any], *, rewrites: bool) -> None:
    """Rows of dev and test are source rows with their labels; those of a given file are all there; only cleaners rewrite."""
    for split in ("dev", "test"):
        rows = whole.of(split).dataset.to_list()
        assert max(Counter(row["uid"] for row in rows).values()) == 1
        for row in rows:
            assert (row["origin"], row["parent_uid"], row["weight"]) == ("source", None, 1.0)
            assert row["label"] == source[row["uid"]]["label"]
            assert rewrites or row["text"] == source[row["uid"]]["text"]
        given = {uid for uid, row in source.items() if row["split"] == split}
        assert not given or {row["uid"] for row in rows} == given


def run_many(n_pipelines: int, first_seed: int, folder: Path, every_option: dict[str, Any]) -> None:
    """`n_pipelines` that are not refused, each checked."""
    n_run, n_refused, n_stages, used = 0, 0, 0, set()
    seeds = itertools.count(first_seed)
    while n_run < n_pipelines:
        rng = random.Random(next(seeds))
        cfg, chosen = drawn(rng, every_option, written(rng, folder))
        try:
            check(cfg, chosen)
        except Refused:
            n_refused += 1
            assert n_refused <= 0.3 * n_pipelines, "most are no mistakes of the user's"
        else:
            n_run, n_stages, used = n_run + 1, n_stages + len(chosen), used | set(chosen)
    assert n_stages >= 1.5 * n_pipelines
    assert len(used) >= 0.8 * len(CATALOGUE)


def test_fifty_random_pipelines(tmp_path: Path, every_option: dict[str, Any]) -> None:
    run_many(50, 0, tmp_path, every_option)


@pytest.mark.slow
def test_a_thousand_random_pipelines(tmp_path: Path, every_option: dict[str, Any]) -> None:
    run_many(1000, 1000, tmp_path, every_option)
