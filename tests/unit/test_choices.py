"""The options of a run by group, lists included, whatever the options configure."""

from __future__ import annotations

from hydra import compose, initialize_config_module

from prepsweep.choices import choices_of


def chosen(*overrides: str) -> dict[str, str | list[str]]:
    with initialize_config_module("prepsweep.conf", version_base="1.3"):
        found = choices_of(overrides)
        hydras = compose("config", list(overrides), return_hydra_config=True).hydra.runtime.choices
    own = {group: option for group, option in hydras.items() if not group.startswith("hydra") and option is not None}
    # Hydra tells all single options, also of groups that are not there (`optional local`).
    assert {group: option for group, option in found.items() if isinstance(option, str)} == {
        group: option for group, option in own.items() if group in found
    }
    assert set(own) - set(found) <= {"local"}
    return found


def test_single_options_and_lists() -> None:
    found = chosen()
    assert (found["clean"], found["balance"], found["model"]) == (["normalize_unicode", "exact_dedup"], "none", "minilm")
    found = chosen("balance=focal", "clean=none", "augment=[duplicate,eda]")
    assert (found["clean"], found["balance"], found["augment"]) == ("none", "focal", ["duplicate", "eda"])
    assert chosen("balance=[oversample,focal]")["balance"] == ["oversample", "focal"]


def test_an_experiment_and_what_it_overrides() -> None:
    found = chosen("experiment=film_reviews_bert")
    assert (found["experiment"], found["model"], found["budget"]) == ("film_reviews_bert", "bert_base_cased", "epochs")
