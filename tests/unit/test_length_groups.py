"""Groups of rows of a batch: the same logits and gradients as the whole batch, at the least cost."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from prepsweep.length_groups import cuts, groups, logits_by_length


def _batch(lengths: list[int]) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 30, (len(lengths), lengths[0]), generator=drawn)
    mask = (torch.arange(lengths[0]) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


@given(st.lists(st.integers(1, 40), min_size=1, max_size=7), st.integers(0, 60))
def test_no_other_cuts_cost_less(lengths: list[int], call: int) -> None:
    longest_first = np.array(sorted(lengths, reverse=True))

    def cost(found: list[int]) -> int:
        return sum(int(longest_first[start]) * (stop - start) + call for start, stop in pairwise(found))

    ends = range(1, len(lengths))
    every = [[0, *chosen, len(lengths)] for size in range(len(lengths)) for chosen in combinations(ends, size)]
    assert cost(cuts(longest_first, call=call)) == min(map(cost, every))


def test_groups_give_the_logits_and_gradients_of_the_whole_batch(tiny_model: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=2, dtype=torch.float32).eval()
    batch = _batch([32, 30, 12, 11, 3, 2, 2, 2])
    assert len(groups(batch["attention_mask"])) > 1
    found = {}
    for name, logits in (("whole", lambda: model(**batch).logits), ("groups", lambda: logits_by_length(model, batch))):
        model.zero_grad()
        values = logits()
        values.square().sum().backward()
        found[name] = [values.detach(), *(parameter.grad.clone() for parameter in model.parameters())]
    for whole, grouped in zip(found["whole"], found["groups"], strict=True):
        torch.testing.assert_close(grouped, whole, rtol=1e-4, atol=1e-6)
    assert "forward" not in vars(model.get_input_embeddings()), "the table looks words up itself again"


def test_a_failing_group_leaves_the_model_as_it_was(tiny_model: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=2, dtype=torch.float32)
    batch = _batch([32, 2, 2, 2, 2, 2]) | {"position_ids": torch.full((6, 32), 10**6)}
    with pytest.raises(RuntimeError, match="out of bounds"):
        logits_by_length(model, batch)
    assert "forward" not in vars(model.get_input_embeddings())


def test_logits_of_tokens_are_filled_up_to_the_longest_row() -> None:
    class PerToken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(30, 4)

        def get_input_embeddings(self) -> torch.nn.Module:
            return self.table

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
            return type("Output", (), {"logits": self.table(input_ids) * attention_mask.unsqueeze(-1)})

    model, batch = PerToken(), _batch([32, 30, 3, 2, 2, 2])
    assert torch.equal(logits_by_length(model, batch), model(**batch).logits)


def test_rows_of_one_length_are_a_group_and_short_batches_stay_whole() -> None:
    mask = _batch([40, 40, 4, 4, 4, 4])["attention_mask"]
    assert groups(mask) == [(slice(0, 2), slice(0, 40)), (slice(2, 6), slice(0, 4))]
    assert groups(mask[2:, :4]) == [(slice(0, 4), slice(0, 4))]
