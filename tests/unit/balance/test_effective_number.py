"""Weights by the effective number of rows, against numbers worked out by hand and against the limits of the formula."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepsweep.balance.class_weights import class_weights
from prepsweep.balance.effective_number import effective_number
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from tests.conftest import rows_of


def weights(sizes: dict[str, int], beta: float) -> dict[str, float]:
    rows = rows_of([(f"{label} {i}", label) for label, n_rows in sizes.items() for i in range(n_rows)], "train")
    table = table_of(effective_number(rows, beta=beta))
    return dict(zip(table.column("label").to_pylist(), table.column("weight").to_pylist(), strict=True))


def test_two_classes_by_hand() -> None:
    # Effective numbers of 1 and 2 rows at beta 0.5 are 1 and 1.5; the weights 1 and 2/3 scaled to a sum of 2 are 1.2 and 0.8.
    assert weights({"a": 1, "b": 2}, 0.5) == pytest.approx({"a": 1.2, "b": 0.8})


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 30), min_size=2), st.floats(0.01, 0.9999))
def test_weights_sum_to_the_number_of_classes_and_fall_with_the_size(sizes: dict[str, int], beta: float) -> None:
    found = weights(sizes, beta)
    assert sum(found.values()) == pytest.approx(len(sizes), rel=1e-5)
    order = sorted(sizes, key=lambda label: (sizes[label], label))
    assert all(found[one] >= found[two] * (1 - 1e-6) for one, two in pairwise(order))


def test_beta_near_1_is_the_inverse_size_and_near_0_no_weight() -> None:
    sizes = {"a": 3, "b": 12}
    rows = rows_of([(f"{label} {i}", label) for label, n_rows in sizes.items() for i in range(n_rows)], "train")
    inverse = table_of(class_weights(rows, power=1.0)).column("weight").to_pylist()
    limit = weights(sizes, 1 - 1e-12)
    assert limit["a"] / limit["b"] == pytest.approx(inverse[0] / inverse[-1], rel=1e-5)
    assert weights(sizes, 1e-9) == pytest.approx({"a": 1, "b": 1})


def test_weights_that_a_row_has_are_multiplied() -> None:
    rows = rows_of([("x", "a"), ("y", "b"), ("z", "b")], "train")
    twice = table_of(effective_number(effective_number(rows, beta=0.5), beta=0.5)).column("weight").to_pylist()
    assert twice == pytest.approx([1.44, 0.64, 0.64])


@pytest.mark.parametrize("beta", [0, 1, -0.5, 1.5])
def test_a_beta_out_of_range_is_refused(beta: float) -> None:
    with pytest.raises(Refused, match="balance.effective_number.beta: must be above 0 and below 1"):
        weights({"a": 1, "b": 2}, beta)
