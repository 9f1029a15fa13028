"""An augmentation keeps what its label says, or its module states LABEL_PRESERVING = False and it is refused unless allowed."""

from __future__ import annotations

import importlib

import pytest

from prepsweep.errors import Refused
from prepsweep.stages import stages_of
from tests.conftest import compose
from tests.contract.stage_options import is_stage, options_of, parameters_of

AUGMENTATIONS = [option for option in options_of("augment") if is_stage("augment", option)]


def preserving(option: str) -> bool:
    stated: bool = getattr(importlib.import_module(f"prepsweep.augment.{option}"), "LABEL_PRESERVING", True)
    return stated


def test_there_is_one_that_does_not_keep_the_label() -> None:
    assert "antonym" in [option for option in AUGMENTATIONS if not preserving(option)]


@pytest.mark.parametrize("option", AUGMENTATIONS)
def test_what_may_change_the_label_must_be_allowed_alone_and_inside_a_wrapper(option: str) -> None:
    if preserving(option):
        assert "allow_label_change" not in parameters_of("augment", option), f"{option} states no LABEL_PRESERVING = False"
        return
    for place, overrides in (
        (f"augment.{option}", [f"augment={option}"]),
        ("augment.sometimes.stage", ["augment=sometimes", f"augment@augment.sometimes.stage={option}"]),
    ):
        with pytest.raises(Refused) as error:
            stages_of(compose(*overrides), "augment")
        assert error.value.where == f"{place}.allow_label_change"
        assert f"set {place}.allow_label_change=true" in error.value.fix
        (stage,) = stages_of(compose(*overrides, f"{place}.allow_label_change=true"), "augment")
        assert stage.where == place.removesuffix(".stage")
