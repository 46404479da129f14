"""A pen for findings about one annotation file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vismark.formats.panoptic_entries import kind
from vismark.problems import Problems, Severity


@dataclass(frozen=True)
class Report:
    """Writes findings about `file` into `problems`; `where` are JSON pointers, `item` image ids."""

    problems: Problems
    file: str

    def error(self, code: str, message: str, fix: str, *, where: str = "", item: object = "", value: Any = "") -> None:
        """Write down what makes numbers meaningless."""
        self.add(code, message, fix, "error", where=where, item=item, value=value)

    def warn(self, code: str, message: str, fix: str, *, where: str = "", item: object = "", value: Any = "") -> None:
        """Write down what may surprise."""
        self.add(code, message, fix, "warning", where=where, item=item, value=value)

    def add(
        self,
        code: str,
        message: str,
        fix: str,
        severity: Severity,
        *,
        where: str = "",
        item: object = "",
        value: Any = "",
    ) -> None:
        """Write down a finding of any severity; lists and objects are shown by their kind."""
        shown = kind(value) if isinstance(value, dict | list) and len(value) > 8 else value
        self.problems.add(
            code, message, severity=severity, fix=fix, file=self.file, where=where, item=item, value=shown
        )
