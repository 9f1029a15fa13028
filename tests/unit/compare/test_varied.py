"""The factors of a study: what its runs differ in, options of a stage told with the stage."""

from pathlib import Path
from typing import Any

from prepsweep.compare.contrasts import contrasts
from prepsweep.compare.records import read_studies

from .made_study import Rows, write_run

OPTIONS: dict[str, Any] = {"columns": [], "label_model": "generative", "soft": True}


def study(folder: Path, arms: dict[str, list[str]], *, n_seeds: int = 2) -> Path:
    """Runs of `annotate=none` or `votes` with these overrides; what each stage can be told stands in its configuration."""
    rows = Rows(200)
    for number, (name, overrides) in enumerate(arms.items()):
        choice = overrides[0].partition("=")[2]
        config = {"annotate": {"votes": OPTIONS} if choice == "votes" else {}, "model": {"name": "tiny"}}
        for seed in range(n_seeds):
            write_run(
                folder,
                rows,
                choices={"annotate": choice},
                seed=seed,
                p_right=0.7 + 0.02 * number,
                name=f"{name}-{seed}",
                overrides=[*overrides, f"seed={seed}"],
                config=config,
            )
    return folder


def test_options_that_only_one_side_can_have_are_part_of_its_choice(tmp_path: Path) -> None:
    votes = ["annotate=votes", "annotate.votes.columns=[v]"]
    found = study(
        tmp_path,
        {
            "gold": ["annotate=none"],
            "majority": [*votes, "annotate.votes.label_model=majority"],
            "hard": [*votes, "annotate.votes.label_model=majority", "annotate.votes.soft=false"],
            "default": votes,
        },
    )
    (read,) = [read_studies([found])]
    assert list(read.arms()) == [
        "annotate=none",
        "annotate=votes",
        "annotate=votes(label_model=majority)",
        "annotate=votes(label_model=majority;soft=false)",
    ]
    assert [(one.baseline, one.effect.n_seeds) for one in contrasts(read, metric="macro_f1", baselines={}, delta=0.01)] == [("none", 2)] * 3


def test_options_that_all_runs_can_have_stay_factors(tmp_path: Path) -> None:
    soft = {name: ["annotate=votes", f"annotate.votes.soft={name}"] for name in ("true", "false")}
    assert list(read_studies([study(tmp_path / "soft", soft)]).arms()) == ["annotate.votes.soft=false", "annotate.votes.soft=true"]
    named = {"one": ["annotate=none"], "other": ["annotate=none", "model.name=x"]}
    assert list(read_studies([study(tmp_path / "model", named)]).arms()) == ["model.name=None", "model.name=x"]
