"""The first and last lines of a job's own process."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from prepsweep.launch.slots import Slot
from prepsweep.preemption import Preempted, preemptible
from prepsweep.processes import end_with_parent

FAILED, OUT_OF_MEMORY = 1, 77


def run_child(
    function: Callable[..., None], arguments: tuple[Any, ...], attempt: int, slot: Slot, log_file: Path, progress: Connection
) -> None:
    """Run `function` with the slot's GPU and threads alone, all that it prints in `log_file`; the exit code says how it went."""
    end_with_parent()
    # Ctrl-C reaches all processes at the terminal; the one that started the sweep answers it, and asks this one to save and end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
