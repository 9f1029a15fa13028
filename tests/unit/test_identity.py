"""A key moves with everything that changes a result, and with nothing else."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from prepsweep import identity, targets
from prepsweep.errors import Refused
from prepsweep.identity import (
    RUNTIME_ONLY,
    content_hash,
    content_of_files,
    hash_json,
    identity_behind,
    source_closure,
    stage_key,
    without_runtime,
)
from prepsweep.stages import stages_of
from tests.conftest import compose

SPEC = {"_target_": "prepsweep.clean.drop_short.drop_short", "_partial_": True, "min_words": 3}
BASE = {"parent": "p", "spec": SPEC, "seed": 0, "files": {"word_file": "abc"}}


@pytest.mark.parametrize(
    "change",
    [
        {"parent": "q"},
        {"parent": None},
        {"seed": 1},
        {"seed": None},
        {"files": {"word_file": "abd"}},
        {"files": {}},
        {"spec": SPEC | {"min_words": 4}},
        {"spec": SPEC | {"_target_": "prepsweep.clean.exact_dedup.exact_dedup"}},
        {"spec": SPEC | {"more": None}},
    ],
)
def test_key_moves_with_what_changes_the_result(change: dict[str, object]) -> None:
    assert stage_key(**(BASE | change)) != stage_key(**BASE)  # type: ignore[arg-type]


def test_what_was_hashed_can_be_asked_for_and_gives_the_key_again() -> None:
    key = stage_key(**BASE)  # type: ignore[arg-type]
    identity = identity_behind(key)
    assert identity is not None
    assert hash_json(identity) == key
    assert (identity["parent"], identity["config"], identity["files"], identity["seed"]) == ("p", SPEC, {"word_file": "abc"}, 0)
    assert "prepsweep.clean.drop_short" in identity["source"]
    assert identity_behind("0" * 64) is None


@pytest.mark.parametrize("name", [*sorted(RUNTIME_ONLY), "path", "word_file", "wordnet_dir", "dev_path"])
@pytest.mark.parametrize("nested", [False, True])
def test_key_stays_when_a_runtime_only_argument_is_flipped(name: str, nested: bool) -> None:
    def spec(value: object) -> dict[str, object]:
        return SPEC | ({"inner": {name: value}} if nested else {name: value})

    assert len({stage_key(**(BASE | {"spec": spec(value)})) for value in (1, 2, "elsewhere")}) == 1  # type: ignore[arg-type]


def test_key_moves_with_a_library_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage_key(**BASE)  # type: ignore[arg-type]
    monkeypatch.setattr(identity, "library_versions", lambda modules: {"pyarrow": "0"})
    assert stage_key(**BASE) != before  # type: ignore[arg-type]


def write_package(folder: Path, name: str, helper: str) -> str:
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "stage.py").write_text(f"from {name}.helper import shout\n\ndef stage(dataset):\n    return shout(dataset)\n")
    (package / "helper.py").write_text(helper)
    (package / "other.py").write_text("x = 1\n")
    return f"{name}.stage"


@pytest.mark.parametrize(
    ("helper", "same"),
    [
        ("def shout(x):\n    return x + 1\n", True),
        ("# a comment\ndef shout(x):\n\n    return (x + 1)\n", True),
        ('def shout(x):\n    """Docstring."""\n    return x + 1\n', True),
        ("def shout(x):\n    return x + 2\n", False),
        ("def shout(x, y=1):\n    return x + 1\n", False),
    ],
)
def test_an_edit_of_a_helper_counts_and_a_comment_does_not(
    helper: str, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    number = abs(hash(request.node.name)) % 10**8
    hashes = []
    for place, text in (("a", "def shout(x):\n    return x + 1\n"), ("b", helper)):
        name = f"edited_{number}_{place}"
        closure = source_closure(write_package(tmp_path, name, text))
        assert set(closure) == {f"{name}.stage", f"{name}.helper"}, "other.py is not imported, so it does not count"
        hashes.append(closure[f"{name}.helper"])
        sys.modules.pop(name, None)
    assert (hashes[0] == hashes[1]) is same


def test_closure_follows_the_package_through_its_helpers() -> None:
    closure = source_closure("prepsweep.clean.drop_short")
    assert {"prepsweep.text", "prepsweep.lineage", "prepsweep.errors", "prepsweep.schema"} <= set(closure)
    assert not any(name.startswith(("prepsweep.augment", "prepsweep.training")) for name in closure)


STAGE = b"def stage(dataset):\n    return dataset\n"
HOMES: dict[str, dict[str, bytes]] = {
    "no_init": {"stage.py": b"from no_init import helper\n" + STAGE, "helper.py": b"x = 1\n"},
    "bom": {"__init__.py": b"", "stage.py": b"\xef\xbb\xbf" + STAGE},
    "latin": {"__init__.py": b"", "stage.py": b"# -*- coding: latin-1 -*-\nname = 'caf\xe9'\n" + STAGE},
    "optional": {"__init__.py": b"", "stage.py": b"try:\n    from optional.fast import g\nexcept ImportError:\n    g = None\n" + STAGE},
    "compiled": {"__init__.py": b"", "stage.py": b"from compiled import fast\n" + STAGE, f"fast{EXTENSION_SUFFIXES[0]}": b"\x7fELF\x90"},
}


@pytest.mark.parametrize("name", HOMES)
def test_packages_of_users_are_written_in_many_ways(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / name).mkdir()
    for file, content in HOMES[name].items():
        (tmp_path / name / file).write_bytes(content)
    modules = {f"{name}.{Path(file).name.partition('.')[0]}" for file in HOMES[name] if file != "__init__.py"}
    assert set(source_closure(f"{name}.stage")) - {name} == modules


def test_a_file_that_is_no_python_is_refused_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "half_written.py").write_text("x = 1\ndef stage(:\n")
    with pytest.raises(Refused, match=r"half_written\.py:2: is no Python: invalid syntax"):
        source_closure("half_written")


def test_a_stage_whose_imports_are_not_installed_is_refused_with_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(targets, "TRUSTED_PACKAGES", ("needs_more",))
    (tmp_path / "needs_more").mkdir()
    (tmp_path / "needs_more" / "stage.py").write_bytes(b"import not_there_at_all\n" + STAGE)
    with pytest.raises(Refused, match=r"clean\.x: its code cannot be imported: No module named 'not_there_at_all'"):
        stages_of(compose("clean=none", "+clean.x={_target_:needs_more.stage.stage,_partial_:true}"), "clean")


def test_files_in_lists_count_by_content_too(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("one")
    two.write_text("two")
    spec = {"lists": [{"path": str(one)}, {"path": str(two), "n": 1}], "word_file": [str(one), None]}
    found = content_of_files(spec, where="x")
    assert list(found) == ["lists[0].path", "lists[1].path", "word_file[0]"]
    assert found["lists[0].path"] == found["word_file[0]"] != found["lists[1].path"]


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(Refused, match=r"data\.path: cannot be read \(File name too long\)"):
        content_of_files({"path": "x" * 300}, where="data")


def test_files_count_by_content_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("same")
    two.write_text("same")
    assert content_of_files({"word_file": str(one)}, where="x") == content_of_files({"word_file": str(two)}, where="x")
    two.write_text("diff")
    assert content_of_files({"word_file": str(one)}, where="x") != content_of_files({"word_file": str(two)}, where="x")
    assert list(content_of_files({"inner": {"model_dir": str(tmp_path)}, "word_file": None}, where="x")) == ["inner.model_dir"]
    with pytest.raises(Refused, match="augment.a.inner.word_file: no such file or folder"):
        content_of_files({"inner": {"word_file": str(tmp_path / "none")}}, where="augment.a")


def test_without_runtime_goes_into_lists() -> None:
    assert without_runtime({"a": [{"num_proc": 2, "b": 1}]}) == {"a": [{"b": 1}]}


def table(texts: list[str | None], numbers: list[int]) -> pa.Table:
    return pa.table({"text": pa.array(texts), "ids": pa.array([[n, n] for n in numbers], pa.list_(pa.int32())), "n": pa.array(numbers)})


def test_content_hash_sees_values_not_chunks() -> None:
    whole = table(["a", None, "", "ü"], [1, 2, 3, 4])
    parts = pa.concat_tables([table(["a", None], [1, 2]), table(["", "ü"], [3, 4])])
    sliced = table(["x", "a", None, "", "ü", "y"], [0, 1, 2, 3, 4, 5]).slice(1, 4)
    assert content_hash(whole) == content_hash(parts) == content_hash(sliced) == content_hash(whole.select(["n", "ids", "text"]))


def test_content_hash_leaves_out_what_lies_under_a_null() -> None:
    offsets, valid = pa.py_buffer(np.array([0, 1, 7, 9], np.int32)), pa.py_buffer(bytes([0b101]))
    hidden = pa.StringArray.from_buffers(3, offsets, pa.py_buffer("asecretü".encode()), valid)
    assert hidden.to_pylist() == ["a", None, "ü"]
    assert content_hash(pa.table({"text": hidden})) == content_hash(pa.table({"text": ["a", None, "ü"]}))


@pytest.mark.parametrize(
    "other", [(["a", "", None, "ü"], [1, 2, 3, 4]), (["aü", None, "", ""], [1, 2, 3, 4]), (["a", None, "", "ü"], [1, 2, 4, 3])]
)
def test_content_hash_tells_tables_apart(other: tuple[list[str | None], list[int]]) -> None:
    assert content_hash(table(*other)) != content_hash(table(["a", None, "", "ü"], [1, 2, 3, 4]))
