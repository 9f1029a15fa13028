"""The first and last lines of a job's own process."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn

from prepsweep.launch.slots import Slot
from prepsweep.preemption import Preempted, preemptible

FAILED, OUT_OF_MEMORY = 1, 77


def run_child(
    function: Callable[..., None], arguments: tuple[Any, ...], attempt: int, slot: Slot, log_file: Path, progress: Connection
) -> None:
    """Run `function` with the slot's GPU and threads alone, all that it prints in `log_file`; the exit code says how it went."""
    _die_with_parent()
    os.environ.update(slot.environment())
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab", buffering=0) as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(slot.n_threads)
    try:
        with preemptible():
            function(*arguments, attempt=attempt, progress=progress)
    except BaseException as error:  # noqa: BLE001 - the process ends here, and says how in its log and exit code
        exit_with(error)


def exit_with(error: BaseException) -> NoReturn:
    """End this process with the exit code that tells of `error`, its traceback printed; to be preempted is none."""
    if isinstance(error, Preempted):
        print(error, file=sys.stderr)
    else:
        traceback.print_exception(error)
    code = OUT_OF_MEMORY if ran_out_of_memory(error) else error.code if isinstance(error, SystemExit) else FAILED
    sys.stderr.flush()
    # Threads of a tracker or a data loader must not keep a failed process alive.
    os._exit(code if isinstance(code, int) and code else FAILED)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether a device, not the machine, had too little memory: then a smaller batch can help."""
    told = ("CUDA out of memory", "MPS backend out of memory")
    return type(error).__name__ == "OutOfMemoryError" or any(text in str(error) for text in told)


def _die_with_parent() -> None:
    """End this process when the one that started the sweep is gone: nobody would record what it does."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True, name="die-with-parent").start()
