"""Every option of a group, found by glob, with the values that let it run without a network."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

import prepsweep
from prepsweep.schema import ONE_CLASS

CONF = Path(prepsweep.__file__).parent / "conf"
# By name of the parameter, whatever stage has it or of one stage: the fixture that makes what it points to.
_FIXTURES = {"wordnet_dir": "wordnet_folder", "forward": "tiny_marian", "backward": "tiny_marian", "checkpoint": "tiny_model"}
_FIXTURES |= {"chat.checkpoint": "tiny_writer"}
_FIXTURES |= {"masked_lm": "tiny_masked_lm", "paraphraser": "tiny_marian", "base_url": "paraphrase_endpoint"}
_FIXTURES |= {"rules_file": "labelling_rules", "review_file": "review_file"}
# By name of the parameter: a value that does something to the few rows of a test.
SMALL = {"n_rows": 10, "allow_label_change": "true", "min_similarity": "null", "max_edit": 0.5}
SMALL |= {"columns": "[votes]", "column": "votes", "descriptions": "{fresh: a good film, rotten: a bad film, plot: a story}"}
SMALL |= {"n_labels": 40, "on_other_data": "skip"}


def options_of(group: str) -> list[str]:
    """Names of the YAML files of a group, in order."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def is_stage(group: str, option: str) -> bool:
    """Whether an option is a stage, or leaves the rows alone: `none`, or one that configures the training (a loss)."""
    return (CONF / group / f"{option}.yaml").read_text(encoding="utf-8").startswith(f"# @package {group}.{option}\n")


def is_of_texts(augment: str) -> bool:
    """Whether an augmentation works on texts with one class, as all do but those that need tags of tokens."""
    module = importlib.import_module(f"prepsweep.augment.{augment}") if is_stage("augment", augment) else None
    return ONE_CLASS in getattr(module, "WORKS_ON", (ONE_CLASS,))


def tiny_values(group: str, option: str, request: pytest.FixtureRequest) -> list[str]:
    """Overrides that point the option's files and checkpoints to what the tests make."""
    keys = parameters_of(group, option).items()
    fixtures = {key: _FIXTURES.get(f"{option}.{name}", _FIXTURES.get(name)) for key, name in keys}
    values = {key: request.getfixturevalue(fixture) for key, fixture in fixtures.items() if fixture}
    values |= {key: SMALL[name] for key, name in keys if name in SMALL}
    return [f"{group}.{option}.{key}={value}" for key, value in values.items()]


def parameters_of(group: str, option: str) -> dict[str, str]:
    """Key below the option → name of the parameter, for its own and for those of the options that it wraps."""
    values = yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8")) or {}
    found = {name: name for name in values if name not in ("defaults", "_target_", "_partial_")}
    wrapped = [item for entry in values.get("defaults", []) if isinstance(entry, dict) for item in entry.items()]
    for place, inner in wrapped:
        inner_group, _, slot = place.strip("/").partition("@")
        found |= {f"{slot}.{key}": name for key, name in parameters_of(inner_group, inner).items()}
    return found
