"""The promises of every stage, on every stage YAML there is: a new stage is tested here without a new line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from datasets import Dataset

from prepsweep.identity import content_hash
from prepsweep.label_kinds import works_on
from prepsweep.lineage import Settled, settle, table_of
from prepsweep.schema import ANSWERS
from prepsweep.stages import PREPARATION, Stage, stages_of
from tests.conftest import compose, make_reviews, rows_of
from tests.contract.stage_options import is_stage, options_of, tiny_values
from tests.contract.token_rows import fitting
from tests.unit.annotate.files import made_votes

STAGES = [(group, option) for group in PREPARATION for option in options_of(group) if is_stage(group, option)]
# Conversations are no pairs: their task refuses a second text.
OF_PAIRS = [(group, option) for group, option in STAGES if works_on(group, f"prepsweep.{group}.{option}.{option}") != (ANSWERS,)]
TRAIN_ONLY = ("refine", "augment", "balance")


def test_every_stage_has_a_yaml_and_every_yaml_a_stage() -> None:
    source = Path(inspect.getfile(Stage)).parent
    functions = [
        (group, file.stem)
        for group in PREPARATION
        for file in sorted((source / group).glob("*.py"))
        if f"\ndef {file.stem}(\n" in (text := file.read_text(encoding="utf-8")) or f"\ndef {file.stem}(dataset" in text
    ]
    assert set(functions) - {("split", "limit")} == set(STAGES), "`limit` is `data.limit`; all others are options"
    assert len(STAGES) >= 16


@pytest.fixture(params=STAGES, ids=["/".join(stage) for stage in STAGES])
def stage(request: pytest.FixtureRequest, reviews_csv: Path, tiny_model: Path) -> Stage:
    group, option = request.param
    values = tiny_values(group, option, request)
    cfg = compose("data=csv", f"data.path={reviews_csv}", f"model.name={tiny_model}", f"{group}={option}", *values)
    (found,) = stages_of(cfg, group)
    return found


def rows_for(stage: Stage, *, in_pairs: bool = False) -> Dataset:
    """Ordinary rows and awkward ones, split as the stage's group finds them; in pairs each has the next one's text as its second."""
    pairs = [*make_reviews(60), ("", "fresh"), ("   ", "plot"), ("我喜欢这部电影。", "fresh"), ("Ünïcödé 👍🏽 “quotes”", "rotten")]
    pairs += [("great", "fresh"), ("<b>bold</b> & new\nline\ttab", "rotten"), ("[x] {y} ^z$ \\ /slash @ *", "plot")]
    pairs += [(f"very long {'story ' * 300}", "plot"), ("same text", "fresh"), ("same text", "fresh")]
    further = {"text_pair": [text for text, _ in pairs[1:] + pairs[:1]]} if in_pairs else {}
    further |= {"votes": made_votes(pairs)} if stage.group == "annotate" else {}
    if stage.name == "predefined":
        return rows_of(pairs, [("train", "dev", "test")[i % 3] for i in range(len(pairs))], **further)
    # Groups of one: whatever splits by group can then give every class to every split.
    rows = rows_of(pairs, "train" if stage.group in TRAIN_ONLY else "", **further, group=[f"g{i}" for i in range(len(pairs))])
    return fitting(rows, stage)


def settled(stage: Stage, rows: Dataset) -> Settled:
    return settle(rows, stage(rows).rows, stage=stage.where, group=stage.group)


def test_the_ledger_balances_and_no_row_is_lost_changed_or_misplaced(stage: Stage) -> None:
    rows = rows_for(stage)
    before = content_hash(table_of(rows))
    found = settled(stage, rows)
    assert found.counts["rows_in"] == len(rows)
    assert found.counts["rows_in"] + found.counts["rows_added"] == found.counts["rows_out"] + sum(found.counts["dropped"].values())
    assert len(found.kept) + len(found.left) == len(rows) + found.counts["rows_added"]
    assert content_hash(table_of(rows)) == before, "the stage altered the data set that it was given"


def test_made_rows_name_their_parent_and_stage_and_keep_its_label(stage: Stage) -> None:
    rows = rows_for(stage)
    found = table_of(settled(stage, rows).kept)
    # Of tags of tokens the kinds of entities: their places go with the tokens.
    kept = "classes" if "classes" in rows.column_names else "label"
    labels = dict(zip(rows["uid"], rows[kept], strict=True))
    known = set(labels)
    for uid, parent, origin, label in zip(*(found.column(name).to_pylist() for name in ("uid", "parent_uid", "origin", kept)), strict=True):
        if uid in known:
            assert (parent, origin) == (None, "source")
        else:
            assert origin == stage.name or origin.startswith(f"{stage.name}:"), "a wrapper names the stage inside as well"
            assert labels[parent] == label


def test_the_same_seed_gives_the_same_rows_and_another_seed_another_key(stage: Stage) -> None:
    rows = rows_for(stage)
    assert content_hash(table_of(stage(rows).rows)) == content_hash(table_of(stage(rows).rows))
    other = Stage(stage.group, stage.name, stage.spec, {**stage.injected, "seed": 1})
    draws = "seed" in stage.injected
    assert (other.key("p") != stage.key("p")) or not draws
    if draws and stage.group in TRAIN_ONLY:
        assert content_hash(table_of(other(rows).rows)) != content_hash(table_of(stage(rows).rows))


def test_the_order_of_the_rows_does_not_matter(stage: Stage) -> None:
    rows = rows_for(stage)
    mixed = rows.select(range(len(rows) - 1, -1, -1))
    one, two = (table_of(settled(stage, order).kept).sort_by("uid") for order in (rows, mixed))
    # Of two equal texts the first stays, and a copy of a copy may change places: what is there must not.
    columns = ["text", "label", "weight"] if "text" in one.column_names else ["label", "input_ids", "weight"]
    assert content_hash(one.select(columns)) == content_hash(two.select(columns)) or stage.name == "exact_dedup"


@pytest.mark.parametrize("stage", OF_PAIRS, ids=["/".join(stage) for stage in OF_PAIRS], indirect=True)
def test_pairs_of_texts_stay_pairs(stage: Stage) -> None:
    rows = rows_for(stage, in_pairs=True)
    mixed = rows.select(range(len(rows) - 1, -1, -1))
    found, other = (table_of(settled(stage, order).kept).sort_by("uid") for order in (rows, mixed))
    columns = ["text", "text_pair", "label", "weight"] if stage.group != "preprocess" else ["input_ids", "token_type_ids", "label"]
    assert content_hash(found.select(columns)) == content_hash(other.select(columns)) or stage.name == "exact_dedup"
    if stage.group in ("clean", "preprocess"):
        assert stage.group == "clean" or "text_pair" not in found.column_names
        return
    second = dict(zip(rows["uid"], rows["text_pair"], strict=True))
    for uid, parent, text_pair in zip(*(found.column(name).to_pylist() for name in ("uid", "parent_uid", "text_pair")), strict=True):
        assert text_pair == second[uid if uid in second else parent]


def test_one_and_two_processes_agree(stage: Stage) -> None:
    if "num_proc" not in stage.injected:
        assert "num_proc" not in inspect.signature(stage.__call__).parameters
        return
    rows = rows_of(make_reviews(2500), "train")
    two = Stage(stage.group, stage.name, stage.spec, {**stage.injected, "num_proc": 2})
    assert two.key("p") == stage.key("p"), "the number of processes is no part of the identity"
    assert content_hash(table_of(two(rows).rows)) == content_hash(table_of(stage(rows).rows))


def test_dev_and_test_stay_untouched(stage: Stage) -> None:
    """A given dev or test row is never dropped, resampled or augmented, whatever the stage is."""
    if stage.group in (*TRAIN_ONLY, "preprocess"):
        return  # They are handed the rows of one split alone: see tests/integration/test_train.py.
    pairs = make_reviews(40)
    pairs += [*pairs[:3], ("x", "fresh")]
    rows = rows_of(pairs, [""] * 40 + ["test"] * 4, group=[f"g{i}" for i in range(44)], votes=made_votes(pairs))
    if stage.name == "predefined":
        rows = rows_of(pairs, ["train"] * 20 + ["dev"] * 20 + ["test"] * 4)
    found = settle(rows, stage(rows).rows, stage=stage.where, group=stage.group, given_splits=["test"])
    test = [row for row in found.kept.to_list() if row["uid"] in set(rows["uid"][40:])]
    assert [row["split"] for row in test] == ["test"] * 4
    assert [row["label"] for row in test] == rows["label"][40:]
