"""Short conversations in English or Chinese, from a wheel on PyPI: the data that a language model is tried on."""

from __future__ import annotations

import zipfile
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml

from prepsweep.errors import Refused, nearest
from prepsweep.sources.table import Rows, dataset_from
from prepsweep.sources.task_labels import as_json
from prepsweep.sources.wheels import Wheel

if TYPE_CHECKING:
    from datasets import Dataset

    from prepsweep.label_kinds import Labels

WHEEL = Wheel(
    "chatterbot-corpus==1.3.3",
    "chatterbot_corpus-1.3.3-py2.py3-none-any.whl",
    "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
)
LANGUAGES = ("chinese", "english", "traditionalchinese")


def check(*, language: str, labels: dict[str, Any] | None, **_: object) -> None:
    """Refuse a language that is not read, and a task that reads no conversations."""
    if language not in LANGUAGES:
        raise Refused("data.language", f"no conversations in {language!r}", nearest(str(language), LANGUAGES))
    if labels is None or labels.get("form") != "messages":
        raise Refused("data", "chatterbot has conversations", "use task=causal_lm_sft with task.labels.form=messages")


def chatterbot(*, language: str, wheel_file: str | None, download_dir: str, labels: Labels | None) -> Dataset:
    """2,025 conversations in English (tech support, trivia, small talk, code), 467 in Chinese; most are a question and an answer.

    Who speaks is not in the files: turns alternate, the user first. What stands after the last answer, and the one entry
    that is no list, are left out. The column `topic` travels with the rows. Of one question there can be several answers.
    """
    with zipfile.ZipFile(WHEEL.file(wheel_file, download_dir)) as archive:
        folder = f"chatterbot_corpus/data/{language}/"
        members = sorted(name for name in archive.namelist() if name.startswith(folder) and name.endswith(".yml"))
        # Every scalar is text: to YAML `Yes` and `42` are none.
        topics = {member: yaml.CBaseLoader(archive.read(member)).get_single_data()["conversations"] for member in members}
    found = [
        (member, [{"role": role, "content": content} for role, content in zip(cycle(("user", "assistant")), turns, strict=False)])
        for member, conversations in topics.items()
        for turns in (turns[: len(turns) // 2 * 2] for turns in conversations if isinstance(turns, list))
    ]
    names = pa.array([member.removeprefix(folder).removesuffix(".yml") for member, _ in found])
    rows = Rows(
        as_json(pa.chunked_array([pa.array([messages for _, messages in found])])),
        pa.chunked_array([pa.repeat(pa.scalar(""), len(found))]),
        {"topic": pa.chunked_array([names])},
        where=lambda row: f"{WHEEL.name}/{found[row][0]}",
        unlabelled=True,
    )
    return dataset_from({"": rows}, classes=None, labels=labels)


def fingerprint(*, wheel_file: str | None, **_: object) -> dict[str, str]:
    """The one content that the rows can have; nothing is fetched for it."""
    if wheel_file is not None:
        WHEEL.given(wheel_file)
    return {"wheel": WHEEL.sha256}
