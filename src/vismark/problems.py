"""What is wrong with an input: one record a finding, all findings collected, none raised.

A `Problem` says where (file, place in it, item), what (code, value, message) and how to mend it. `Problems` is the
list that every reader and checker writes into; it keeps the first thousand findings of each code and counts the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

Severity = Literal["error", "warning", "note"]

CAP_PER_CODE = 1000
_SHOWN = 120


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding.

    Attributes:
        code: stable upper-case name of the kind of finding, e.g. ``SUB_PNG_SIZE``.
        severity: an ``error`` makes the number meaningless, a ``warning`` may surprise, a ``note`` informs.
        file: the file it was found in, relative to what the user named.
        where: place inside the file: a JSON pointer (``/annotations/3/id``) or a byte offset.
        item: id of the image, video, caption … concerned.
        value: the offending value, shortened.
        message: what is wrong, in one sentence.
        fix: what to do about it, in one sentence.
    """

    code: str
    severity: Severity
    message: str
    fix: str = ""
    file: str = ""
    where: str = ""
    item: str = ""
    value: str = ""

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, self.where) if part)
        item = f" [{self.item}]" if self.item else ""
        remedy = f" → {self.fix}" if self.fix else ""
        return f"{self.severity.upper()} {self.code} {place}{item} {self.message}{remedy}"


class Problems:
    """A collection of findings with a cap for each code and true totals.

    Args:
        demote: codes that are stored as warnings instead of errors (what ``--mode official`` tolerates).
    """

    def __init__(self, demote: frozenset[str] = frozenset()) -> None:
        self.demote = demote
        self.items: list[Problem] = []
        self.totals: Counter[str] = Counter()
        self._severities: Counter[Severity] = Counter()

    def add(
        self,
        code: str,
        message: str,
        *,
        severity: Severity = "error",
        fix: str = "",
        file: str = "",
        where: str = "",
        item: object = "",
        value: Any = "",
    ) -> None:
        """Record one finding; `value` is shortened to 120 characters and made printable."""
        if self.totals[code] >= CAP_PER_CODE:
            self._count(code, "warning" if severity == "error" and code in self.demote else severity)
            return
        self.append(
            Problem(
                code=code,
                severity=severity,
                message=printable(message, 400),
                fix=printable(fix, 400),
                file=printable(file),
                where=printable(where),
                item=printable(str(item)),
                value=printable(value if isinstance(value, str) else repr(value)),
            )
        )

    def append(self, problem: Problem) -> None:
        """Record a finding made elsewhere (by a worker, or read back from a journal)."""
        if problem.severity == "error" and problem.code in self.demote:
            problem = msgspec.structs.replace(problem, severity="warning")
        self._count(problem.code, problem.severity)
        if self.totals[problem.code] <= CAP_PER_CODE:
            self.items.append(problem)

    def _count(self, code: str, severity: Severity) -> None:
        self.totals[code] += 1
        self._severities[severity] += 1

    def extend(self, problems: Iterable[Problem]) -> None:
        """Record several findings in order."""
        for problem in problems:
            self.append(problem)

    @property
    def errors(self) -> int:
        """Total number of errors, those over the cap included."""
        return self._severities["error"]

    @property
    def warnings(self) -> int:
        """Total number of warnings, those over the cap included."""
        return self._severities["warning"]

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, code: object) -> bool:
        return code in self.totals


class Refused(Exception):
    """An input has errors and the work cannot go on; carries every finding (exit code 1)."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(f"{problems.errors} problem(s): " + "; ".join(str(p) for p in list(problems)[:3]))
        self.problems = problems


class Usage(Exception):
    """The call itself is wrong: an unknown name, options that contradict (exit code 2)."""


class Missing(Exception):
    """Something needed is not there: an extra, weights, data never released (exit code 3). Says how to get it."""


def refuse(code: str, message: str, **details: Any) -> Refused:
    """A `Refused` with one finding, for a fault that ends the work at once."""
    problems = Problems()
    problems.add(code, message, **details)
    return Refused(problems)


def printable(text: str, limit: int = _SHOWN) -> str:
    """`text` with control, bidirectional and invisible characters escaped, cut to `limit` characters."""
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in cut)
