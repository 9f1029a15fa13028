"""Labels from a language model behind an OpenAI-compatible endpoint, every reply recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prepsweep.annotate.llm_answers import Question, answers
from prepsweep.annotate.origins import asked_of, check_on_abstain, check_rows_asked, gold_of, propose
from prepsweep.augment.values import check_whole
from prepsweep.endpoint.asking import check_asking, endpoint_of, recording_of
from prepsweep.errors import Refused, nearest
from prepsweep.lineage import Result, table_of
from prepsweep.schema import UNLABELLED, text_columns

if TYPE_CHECKING:
    from datasets import Dataset

_WHERE = "annotate.llm"
STRUCTURES = ("json_schema", "json_object", "none")


def llm(
    dataset: Dataset,
    *,
    mode: str,
    base_url: str | None,
    model: str,
    prompt: str,
    classes: list[str] | Mapping[str, str] | None,
    structure: str,
    n_tries: int,
    temperature: float,
    max_tokens: int,
    price: list[float] | None,
    api_key_env: str | None,
    replies_file: str,
    n_parallel: int,
    rows: str,
    on_abstain: str,
) -> Result:
    """The class that `model` at `base_url` gives each row by `prompt`, with `{text}`, `{text_pair}` and `{classes}` put in.

    `classes` are names, or names with a description each; null takes the labels of the rows. `structure` is what the
    endpoint can hold an answer to: a `json_schema` with the classes as an enum, a `json_object`, or `none`; an answer is `{"label":
    …}` or the name alone, in any case. One that is neither, or names another class, is asked about again, `n_tries` in all, and then
    the row has no label. Equal texts are asked about once; a row without text is not.
    `record` asks what `replies_file` does not answer yet, `replay` asks nothing and refuses what was not recorded
    (`endpoint/asking.py`). `price` is dollars for a million tokens of prompt and of reply, for the facts. The texts leave this machine.
    """
    check_classes(classes)
    table = table_of(dataset)
    names = _classes(classes, table)
    question = Question(
        prompt=prompt, classes=names, model=model, structure=structure, options={"temperature": temperature, "max_tokens": max_tokens}
    )
    columns = [table[name].to_pylist() for name in text_columns(table.column_names)]
    asked = asked_of(table, rows)
    texts = [
        both if here and any(map(str.strip, both)) else None
        for both, here in zip(zip(*columns, strict=True), asked.to_pylist(), strict=True)
    ]
    endpoint = endpoint_of(_WHERE, mode=mode, base_url=base_url, api_key_env=api_key_env)
    found = answers(
        question, sorted({both for both in texts if both}), _WHERE, replies_file, endpoint, n_tries=n_tries, n_parallel=n_parallel
    )
    labels = pa.array([found.labels.get(both) if both else None for both in texts], pa.string())
    kept = propose(dataset, labels, origin="llm", on_abstain=on_abstain, asked=asked)
    return Result(kept, found.facts(labels, gold_of(table), price))


def check(
    *,
    mode: str,
    base_url: str | None,
    prompt: str,
    classes: Any,
    structure: str,
    n_tries: int,
    temperature: float,
    max_tokens: int,
    price: Any,
    api_key_env: str | None,
    n_parallel: int,
    rows: str,
    on_abstain: str,
    **_: object,
) -> None:
    """Refuse what cannot be asked."""
    check_asking(_WHERE, mode=mode, base_url=base_url, api_key_env=api_key_env, prompt=prompt, temperature=temperature)
    check_classes(classes)
    if structure not in STRUCTURES:
        raise Refused(f"{_WHERE}.structure", f"no structure {structure!r}", nearest(str(structure), STRUCTURES))
    for name, value in (("n_tries", n_tries), ("max_tokens", max_tokens), ("n_parallel", n_parallel)):
        check_whole(value, where=f"{_WHERE}.{name}")
    prices = [] if price is None else price
    if isinstance(prices, str) or not all(isinstance(one, (int, float)) for one in prices) or len(prices) not in (0, 2):
        what = f"must be two numbers, got {price!r}"
        raise Refused(f"{_WHERE}.price", what, f"write {_WHERE}.price=[0.15,0.6]: dollars for a million tokens of prompt and of reply")
    check_rows_asked(rows, _WHERE)
    check_on_abstain(on_abstain, _WHERE)


def check_classes(classes: Any) -> None:
    """Refuse classes that are no names."""
    if classes is None:
        return
    if isinstance(classes, str) or not all(isinstance(name, str) and name.strip() for name in classes) or len(set(classes)) < 2:
        raise Refused(f"{_WHERE}.classes", f"must be two names or more, got {classes!r}", f"write {_WHERE}.classes=[spam,ham]")


def fingerprint(*, mode: str, replies_file: str, **_: object) -> dict[str, str]:
    """Content hash of the recording that is replayed; under `record` the requests say it all."""
    return recording_of(_WHERE, mode=mode, replies_file=replies_file)


def _classes(given: Sequence[str] | Mapping[str, str] | None, table: pa.Table) -> dict[str, str]:
    """Class → description, "" where it has none."""
    if given is not None:
        return {name: given[name] if isinstance(given, Mapping) else "" for name in given}
    found = sorted(set(table["label"].unique().to_pylist()) - {UNLABELLED})
    if len(found) < 2:
        raise Refused(f"{_WHERE}.classes", "the rows have no labels that could name the classes", f"write {_WHERE}.classes=[spam,ham]")
    return dict.fromkeys(found, "")
