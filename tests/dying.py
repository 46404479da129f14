"""Work that kills its worker process, in a module that the worker can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def die_once(piece: list[str]) -> list[str]:
    """Kill the worker process the first time a piece holds "victim"."""
    marker = Path(piece[0])
    if "victim" in piece and not marker.exists():
        marker.touch()
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    return piece[1:]


def always_die(piece: list[str]) -> list[str]:
    """Kill the worker process."""
    os.kill(os.getpid(), signal.SIGKILL)
    return piece
