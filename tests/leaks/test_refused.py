"""Leaks that make a test no test: each is planted, and refused in one line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from prepsweep import targets as targets_module
from prepsweep.cache import Cache
from prepsweep.cli import train
from prepsweep.errors import Refused
from prepsweep.flow import Rows, run
from prepsweep.leaks.order import refuse_misplaced
from prepsweep.lineage import ContractBroken
from prepsweep.pipeline import split_rows, train_rows
from prepsweep.stages import Stage, stages_of
from tests.conftest import compose
from tests.leaks.clean_sets import CLEAN, SPLITS, Pairs


def write(name: str, pairs: Pairs, **columns: list[str]) -> str:
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", *columns])
        rows.writerows([*pair, *(values[place] for values in columns.values())] for place, pair in enumerate(pairs))
    return name


def three_files(**columns: list[str]) -> list[str]:
    """The clean rows as files for the three splits; further columns as they are given, for all rows."""
    for split in ("train", "dev", "test"):
        rows = [place for place, name in enumerate(SPLITS) if name == split]
        write(f"{split}.csv", [CLEAN[row] for row in rows], **{name: [values[row] for row in rows] for name, values in columns.items()})
    return ["data.path=train.csv", "data.dev_path=dev.csv", "data.test_path=test.csv", "split=predefined"]


def foreign(group: str, name: str) -> list[str]:
    """A stage of the user's own package in a group."""
    return [f"+{group}.{name}._target_=tests.leaks.bad_stages.{name}", f"+{group}.{name}._partial_=true"]


def borrowed(group: str, owner: str, name: str, *arguments: str) -> list[str]:
    """A stage of `owner` in another group."""
    at = f"+{group}.{name}"
    return [f"{at}._target_=prepsweep.{owner}.{name}.{name}", f"{at}._partial_=true", *(f"{at}.{argument}" for argument in arguments)]


def oversampled_first() -> tuple[list[str], str]:
    return [*three_files(), *borrowed("clean", "balance", "oversample", "sampling_strategy=auto")], "use balance=oversample"


def augmented_first() -> tuple[list[str], str]:
    return [*three_files(), *borrowed("split", "augment", "duplicate", "n_copies=1")], "use augment=duplicate"


def augmented_test() -> tuple[list[str], str]:
    return [*three_files(), *borrowed("preprocess", "augment", "duplicate", "n_copies=1")], "is a stage of augment, which may not run in"


def same_file() -> tuple[list[str], str]:
    return [*three_files(), "data.test_path=train.csv"], "train.csv is the same file as data.path"


def same_rows_in_another_order() -> tuple[list[str], str]:
    files = three_files()
    write("test.csv", CLEAN[:420][::-1])
    return files, "all 420 texts of test are in train too"


def subset() -> tuple[list[str], str]:
    files = three_files()
    write("test.csv", CLEAN[:99])
    return files, "all 99 texts of test are in train too"


def subset_that_dedup_hides() -> tuple[list[str], str]:
    return [*subset()[0], "clean=exact_dedup"], "all 99 texts of test are in train too"


def shared_group() -> tuple[list[str], str]:
    groups = [f"author {place}" for place in range(600)]
    groups[7] = groups[500] = "Ann"
    return [*three_files(author=groups), "data.group_column=author"], "group 'Ann' is in train and test"


def later_train() -> tuple[list[str], str]:
    days = [f"2024-{1 + place // 60:02}-{1 + place % 28:02}" for place in range(600)]
    days[3] = "2024-12-24"
    return [*three_files(day=days), "data.time_column=day"], "1 train rows are later than the first test row (up to '2024-12-24'"


def monitor() -> tuple[list[str], str]:
    return [*three_files(), "+task.monitor=test/macro_f1"], "task.monitor: 'test/macro_f1' would choose by the test rows"


def dev_is_test() -> tuple[list[str], str]:
    files = three_files()
    write("dev.csv", CLEAN[480:][::-1])
    return files, "the model would be chosen by the test"


def fitted_on_all() -> tuple[list[str], str]:
    labels = stages_of(compose("data=csv", "data.path=x", "refine=label_errors"), "refine")[0].spec
    values = [f"{name}={str(value).lower()}" for name, value in labels.items() if name[0] != "_" and value is not None]
    nulls = [f"{name}=null" for name, value in labels.items() if value is None]
    return [*three_files(), *borrowed("clean", "refine", "label_errors", *values, *nulls)], "use refine=label_errors"


def missing_class() -> tuple[list[str], str]:
    files = three_files()
    write("test.csv", [pair for pair in CLEAN[480:] if pair[1] != "plot"])
    return files, "class 'plot' has no rows for test"


def mixed() -> tuple[list[str], str]:
    return [*three_files(), *foreign("clean", "mixed")], "clean.mixed: made 600 rows, which a stage of clean may not"


def relabelled() -> tuple[list[str], str]:
    return [*three_files(), *foreign("clean", "relabelled")], "clean.relabelled: relabelled 1 rows of dev or test"


REFUSED: dict[str, list[Callable[[], tuple[list[str], str]]]] = {
    "balance or augment before the split": [oversampled_first, augmented_first],
    "augment or resample on val or test": [augmented_test],
    "the same file as train and test": [same_file, same_rows_in_another_order],
    "test a subset of train": [subset, subset_that_dedup_hides],
    "a group in two splits": [shared_group],
    "a train row later than a test row": [later_train],
    "choosing on test": [monitor, dev_is_test],
    "fitting on other than train rows": [fitted_on_all],
    "a class missing from a split": [missing_class],
    "mixing across splits": [mixed],
    "relabelled test rows": [relabelled],
}
# What a stage of train does is seen only when it runs: see the test below.
REFUSED_IN_THE_RUN = {"a child in another split than its parent"}


@pytest.mark.parametrize("plant", [plant for plants in REFUSED.values() for plant in plants], ids=lambda plant: plant.__name__)
def test_refused_in_one_line_before_anything_is_written(
    plant: Callable[[], tuple[list[str], str]], tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets_module, "TRUSTED_PACKAGES", ("tests",))
    overrides, message = plant()
    before = set(Path.cwd().rglob("*"))
    assert train(["data=csv", "clean=none", f"model.name={tiny_model}", *overrides]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert ". fix: " in line
    assert set(Path.cwd().rglob("*")) == before


def test_the_files_that_these_leaks_were_planted_in_are_sound(tiny_model: Path) -> None:
    groups = [f"author {place}" for place in range(600)]
    days = [f"2024-{1 + place // 60:02}-{1 + place % 28:02}" for place in range(600)]
    cfg = compose("data=csv", *three_files(author=groups, day=days), "data.group_column=author", "data.time_column=day", "clean=none")
    cache, stages = Cache(Path("cache"), deferred=True), []
    split_rows(cfg, cache, stages)
    assert list(stages[-1]["content"]) == ["dev", "test", "train"]


def test_a_child_in_another_split_than_its_parent_is_refused_in_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets_module, "TRUSTED_PACKAGES", ("tests",))
    cfg = compose("data=csv", *three_files(), "clean=none", *foreign("augment", "crossing"))
    cache = Cache(Path("cache"), deferred=True)
    stages: list[dict[str, object]] = []
    whole, _ = split_rows(cfg, cache, stages)
    with pytest.raises(Refused, match="augment.crossing: put a row into another split than its parent's"):
        train_rows(cfg, whole, cache, stages)


def test_a_stage_of_train_is_never_given_other_rows() -> None:
    cfg = compose("data=csv", *three_files(), "clean=none", "balance=oversample")
    cache = Cache(Path("cache"), deferred=True)
    whole, _ = split_rows(cfg, cache, [])
    (stage,) = stages_of(cfg, "balance")
    for rows in (whole, whole.of("test"), Rows("x", whole.entry)):
        with pytest.raises(ContractBroken, match="learns from train or makes rows of it"):
            run(stage, rows, cache, [])
    assert len(run(stage, whole.of("train"), cache, []).dataset) > 420


def test_a_class_renamed_in_every_row_is_no_relabelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets_module, "TRUSTED_PACKAGES", ("tests",))
    cfg = compose("data=csv", *three_files(), "clean=none", *foreign("clean", "renamed"))
    whole, _ = split_rows(cfg, Cache(Path("cache"), deferred=True), [])
    assert set(whole.of("test").dataset["label"]) == {"good", "bAd", "plot"}


def test_a_stage_of_another_package_may_stand_anywhere() -> None:
    refuse_misplaced(Stage("clean", "renamed", {"_target_": "tests.leaks.bad_stages.renamed"}, {}))
    with pytest.raises(Refused, match="oversample is a stage of balance"):
        refuse_misplaced(Stage("clean", "x", {"_target_": "prepsweep.balance.oversample.oversample"}, {}))
