"""Work that kills its worker process, in a module that the worker can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


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


class DyingStep:
    """A measuring step that kills the first process in which it meets the sample `victim`."""

    def __init__(self, inner: Any, marker: Path, victim: str) -> None:
        self.inner = inner
        self.about = inner.about
        self.ids = inner.ids
        self.fingerprint = inner.fingerprint
        self.marker = marker
        self.victim = victim

    def run(self, submission: Any, references: Any, ids: Sequence[str]) -> Any:
        """What the inner step measures; or the end."""
        if self.victim in ids and not self.marker.exists():
            self.marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.run(submission, references, ids)
