"""Progress on stderr, shown only for work that takes longer than two seconds and only to a person."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 2.0


def note(text: str) -> None:
    """One line on stderr about work that will take long."""
    sys.stderr.write(text + "\n")


class Bar:
    """A progress bar that appears after two seconds.

    Args:
        title: what is being done.
        total: number of steps, or None when unknown.
        done: steps finished by an earlier attempt.
    """

    def __init__(self, title: str, total: int | None, done: int = 0) -> None:
        self.title = title
        self.total = total
        self.done = done
        self._start = time.monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def advance(self, steps: int = 1) -> None:
        """Count finished steps."""
        self.done += steps
        if self._progress is None and time.monotonic() - self._start > _PATIENCE and sys.stderr.isatty():
            self._show()
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self.done)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _show(self) -> None:
        # rich.progress costs 20 ms to import: only those who wait pay for it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(self.title, total=self.total, completed=self.done)
        self._progress.start()
