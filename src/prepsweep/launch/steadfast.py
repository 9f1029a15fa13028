"""Imported by the server process from which runs are forked: it stays when the whole process group is asked to make room.

Without it nobody could tell how the runs end, which save where they are and listen again from their first line on.
"""

from __future__ import annotations

import signal

from prepsweep.preemption import SIGNALS

for number in SIGNALS:
    signal.signal(number, signal.SIG_IGN)
