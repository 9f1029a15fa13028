"""Neural translation with checkpoints made here: order, batches, languages, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import GenerationMixin

from prepsweep.augment.backtranslate_marian import backtranslate_marian, check, fingerprint
from prepsweep.errors import Refused
from prepsweep.lineage import table_of
from prepsweep.pretrained import batches_by_length, checkpoint_folder
from prepsweep.translators.marian import marian
from tests.conftest import make_reviews, rows_of

TEXTS = ["the cat sat", "a film", "funny story of a bird and a cat", "", "this is great fun", "  ", "dogs", "the " * 60]
OPTIONS: dict[str, Any] = {"num_beams": 2, "max_length": 12, "batch_tokens": 24, "device": "cpu"}


def translate(texts: list[str], checkpoint: Path, **changes: Any) -> list[str]:
    arguments = {"checkpoint": str(checkpoint), "revision": "main", "source": None, "target": None} | OPTIONS
    return marian(texts, **(arguments | changes))


def test_results_are_in_the_order_of_the_texts(tiny_marian: Path) -> None:
    together = translate(TEXTS, tiny_marian)
    assert len(set(together)) > 4
    assert together == list(reversed(translate(TEXTS[::-1], tiny_marian)))
    assert together == [translate([text], tiny_marian)[0] for text in TEXTS]


def test_blank_texts_come_back_as_they_are(tiny_marian: Path) -> None:
    together = translate(TEXTS, tiny_marian)
    assert (together[3], together[5]) == ("", "  ")
    assert translate(["", " "], tiny_marian) == ["", " "]
    assert translate([], tiny_marian) == []


def test_size_of_batches_changes_nothing_but_memory(tiny_marian: Path) -> None:
    assert translate(TEXTS, tiny_marian, batch_tokens=1) == translate(TEXTS, tiny_marian, batch_tokens=10_000)


def test_options_reach_the_model(tiny_marian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    generate = GenerationMixin.generate

    def note(self: Any, **options: Any) -> Any:
        seen.append(options | {"shape": tuple(options["input_ids"].shape), "training": self.training})
        return generate(self, **options)

    monkeypatch.setattr(GenerationMixin, "generate", note)
    translate(TEXTS, tiny_marian, max_length=9)
    assert {(call["num_beams"], call["max_length"], call["do_sample"], call["training"]) for call in seen} == {(2, 9, False, False)}
    assert all(rows * tokens <= 24 and tokens <= 9 for rows, tokens in (call["shape"] for call in seen))


def test_max_length_is_bounded_by_the_checkpoint(tiny_marian: Path) -> None:
    assert len(translate(["the cat sat on the mat " * 40], tiny_marian, max_length=10_000, num_beams=1)) == 1


def test_batches_by_length() -> None:
    texts = ["b", "a", " ", "ccc", "dd", "eeee", "aa"]
    encoded = [[0] * len(text) for text in texts]
    assert batches_by_length(texts, encoded, 6) == [[5], [3, 6], [4, 1, 0]]
    assert batches_by_length(texts, encoded, 1) == [[5], [3], [6], [4], [1], [0]]
    assert batches_by_length([], [], 6) == []


def test_a_checkpoint_of_many_languages_begins_with_the_target(tiny_nllb: Path) -> None:
    there = translate(TEXTS, tiny_nllb, source="eng_Latn", target="fra_Latn")
    assert there != translate(TEXTS, tiny_nllb, source="fra_Latn", target="eng_Latn")
    assert len(there) == len(TEXTS)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("eng_Latn", "fr", r"^augment\.backtranslate_marian\.pivot: .* and 'fr' is none"),
        (None, "fra_Latn", r"^augment\.backtranslate_marian\.source: .* and None is none"),
    ],
)
def test_unknown_languages_are_refused(tiny_nllb: Path, source: str | None, target: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        translate(["a"], tiny_nllb, source=source, target=target)


def test_a_marian_of_several_targets_takes_a_prefix(tiny_marian: Path) -> None:
    assert translate(TEXTS, tiny_marian, target="fra") != translate(TEXTS, tiny_marian)
    with pytest.raises(Refused, match="does not translate to 'deu'"):
        translate(["a"], tiny_marian, target="deu")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(Refused, match=r"^here: no checkpoint in .*: config\.json or the weights are missing"):
        checkpoint_folder(str(tmp_path), "main", where="here")
    with pytest.raises(Refused, match=r"^here: './no/such/folder' is neither a folder nor a name on the hub"):
        checkpoint_folder("./no/such/folder", "main", where="here")
    with pytest.raises(Refused, match=r"^here: cannot get someone/somewhat at main from the hub\. fix: check the name"):
        checkpoint_folder("someone/somewhat", "main", where="here")
    with pytest.raises(Refused, match=r"^augment\.backtranslate_marian: cannot load "):
        translate(["a"], tiny_model)


def test_a_snapshot_of_the_hub_is_found_without_a_network(tiny_marian: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout of the hub's cache: refs name a commit, snapshots link to blobs."""
    repository = tmp_path / "hub" / "models--someone--en-fr"
    snapshot = repository / "snapshots" / ("a" * 40)
    for folder in (snapshot, repository / "refs", repository / "blobs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    for file in tiny_marian.iterdir():
        (repository / "blobs" / file.name).write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(repository / "blobs" / file.name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert checkpoint_folder("someone/en-fr", "main", where="here") == snapshot
    options: dict[str, Any] = {"forward_revision": "main", "backward_revision": "main", "num_beams": 1, "max_length": 9, "batch_tokens": 9}
    hashes = fingerprint(forward="someone/en-fr", backward=str(tiny_marian), **options)
    assert hashes["forward"] == hashes["backward"]


def run_stage(checkpoint: Path, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    directions: dict[str, Any] = {
        "forward": str(checkpoint),
        "backward": str(checkpoint),
        "forward_revision": "main",
        "backward_revision": "main",
    }
    rows: list[dict[str, Any]] = table_of(
        backtranslate_marian(rows_of(pairs, "train"), source=None, pivot=None, **directions, **OPTIONS)
    ).to_pylist()
    return rows


def test_backtranslation_by_two_checkpoints(tiny_marian: Path) -> None:
    rows = run_stage(tiny_marian, make_reviews(12))
    originals, children = rows[:12], rows[12:]
    assert [row["text"] for row in originals] == [text for text, _ in make_reviews(12)]
    there = translate([row["text"] for row in originals], tiny_marian)
    back = translate(there, tiny_marian)
    assert [row["text"] for row in children] == [new or old["text"] for new, old in zip(back, originals, strict=True)]
    assert {row["origin"] for row in children} == {"backtranslate_marian"}


@pytest.mark.parametrize("name", ["num_beams", "max_length", "batch_tokens"])
def test_bad_values_are_refused_before(tiny_marian: Path, name: str) -> None:
    arguments: dict[str, Any] = {
        "forward": str(tiny_marian),
        "backward": str(tiny_marian),
        "forward_revision": "main",
        "backward_revision": "main",
    }
    with pytest.raises(Refused, match=f"^{re.escape(f'augment.backtranslate_marian.{name}: must be at least 1, got 0')}"):
        check(**(arguments | OPTIONS | {name: 0}))


def test_a_missing_checkpoint_is_refused_by_its_key(tiny_marian: Path) -> None:
    options = {"forward_revision": "main", "backward_revision": "main", **OPTIONS}
    with pytest.raises(Refused, match=r"^augment\.backtranslate_marian\.backward: "):
        fingerprint(forward=str(tiny_marian), backward="someone/somewhat", **options)
