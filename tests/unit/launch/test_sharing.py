"""Shared stages of a sweep: each once, parents first, chains in one job."""

from __future__ import annotations

from prepsweep.launch.sharing import shared_stages


def run(*keys: str, **branches: str) -> dict[str, str | None]:
    """A chain of stages, and stages that hang on one of them."""
    return dict(zip(keys, (None, *keys), strict=False)) | branches


def test_a_chain_that_the_same_runs_read_is_one_job() -> None:
    (job,) = shared_stages({"a": run("source", "clean", "split", "a"), "b": run("source", "clean", "split", "b")}, cached=())
    assert (job.key, job.runs, job.needs) == ("split", {"a", "b"}, frozenset())


def test_what_one_run_alone_reads_is_left_to_it() -> None:
    assert shared_stages({"a": run("source", "a"), "b": run("other", "b")}, cached=()) == []


def test_nothing_is_prepared_that_is_there() -> None:
    runs = {"a": run("source", "split", "a"), "b": run("source", "split", "b")}
    assert shared_stages(runs, cached={"source", "split"}) == []
    assert [job.key for job in shared_stages(runs, cached={"source"})] == ["split"]


def test_a_branch_waits_for_the_stage_it_is_made_from() -> None:
    runs = {
        "a1": run("split", "eda", "a1", dev="split"),
        "a2": run("split", "eda", "a2", dev="split"),
        "b1": run("split", "back", "b1", dev="split"),
        "b2": run("split", "back", "b2", dev="split"),
    }
    jobs = {job.key: job for job in shared_stages(runs, cached=())}
    assert set(jobs) == {"split", "dev", "eda", "back"}
    assert (jobs["eda"].runs, jobs["eda"].needs) == ({"a1", "a2"}, {"split"})


def test_parents_come_before_their_children() -> None:
    runs = {f"{arm}{seed}": run("source", f"split{seed}", f"{arm}-made{seed}", f"{arm}{seed}") for arm in "ab" for seed in (0, 1)}
    runs |= {f"{arm}{seed}x": run("source", f"split{seed}", f"{arm}-made{seed}", f"{arm}{seed}x") for arm in "ab" for seed in (0, 1)}
    jobs = shared_stages(runs, cached=())
    place = {job.key: i for i, job in enumerate(jobs)}
    assert set(place) == {"source", "split0", "split1", "a-made0", "a-made1", "b-made0", "b-made1"}
    for job in jobs:
        assert all(place[need] < place[job.key] for need in job.needs)
    assert {job.key: job.needs for job in jobs}["a-made1"] == {"split1"}
