"""Places where runs run side by side: one or more on each GPU, else on shares of the processor's cores."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

# A fine-tuning run of a small encoder needs about this much memory; larger models want `n_slots` set.
_BYTES_PER_RUN = 1.5 * 1024**3
_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Slot:
    """Room for one run: its number, the GPU that it alone sees (None for none) and the threads that it may use."""

    number: int
    gpu: str | None
    n_threads: int

    def environment(self) -> dict[str, str]:
        """Variables that a process needs before it touches torch or a tokenizer."""
        threads = str(self.n_threads)
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
        return dict.fromkeys(names, threads) | {"CUDA_VISIBLE_DEVICES": self.gpu or ""}


def slots_for(n_jobs: int, *, gpus: list[str], runs_per_gpu: int, n_slots: int | None) -> list[Slot]:
    """Slots for at most `n_jobs` at once; `n_slots` sets their number where there is no GPU.

    Without a GPU: as many as there are cores and memory for. Runs of one thread side by side train more rows than one
    run of many threads does.
    """
    cores = n_cores()
    if gpus:
        places: list[str | None] = [gpu for _ in range(runs_per_gpu) for gpu in gpus]
    else:
        fit = max(1, int(psutil.virtual_memory().available // _BYTES_PER_RUN))
        places = [None] * (n_slots or min(cores, fit))
    places = places[: max(1, n_jobs)]
    return [Slot(number, gpu, max(1, cores // len(places))) for number, gpu in enumerate(places)]


def n_cores() -> int:
    """Cores that this process may use: its affinity, and the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text(encoding="ascii").split()
        return min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def visible_gpus(accelerator: str, environment: Mapping[str, str]) -> list[str]:
    """Names of the GPUs that runs may use, as `CUDA_VISIBLE_DEVICES` takes them; asks the driver, not torch."""
    if accelerator not in ("auto", "gpu", "cuda"):
        return []
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name.strip() for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name.strip() not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        asked = subprocess.run(  # noqa: S603 - fixed arguments
            [tool, "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip().isdigit()] if asked.returncode == 0 else []
