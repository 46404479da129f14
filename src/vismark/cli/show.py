"""Printing: tables and JSON to stdout, everything else to stderr; text from strangers is escaped."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from vismark.problems import Problem, Problems, printable

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 100
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; wide when the output is no terminal, so that lines are not broken."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False, soft_wrap=True, emoji=False)


def note(text: str) -> None:
    """One line to stderr."""
    sys.stderr.write(printable(text, 2000) + "\n")


def json(value: Any) -> None:
    """`value` as indented JSON to stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def findings(problems: Iterable[Problem], *, stderr: bool = False) -> None:
    """Every finding: its kind and place, what is wrong, what to do."""
    from rich.markup import escape

    out = console(stderr=stderr)
    shown, lines = list(problems), []
    for problem in shown[:_SHOWN]:
        place = ":".join(part for part in (problem.file, problem.where) if part)
        item = f" image {problem.item}" if problem.item else ""
        colour = _COLOURS[problem.severity]
        lines.append(
            f"[{colour}]{problem.severity} {problem.code}[/{colour}] [bold]{escape(place)}[/bold]{escape(item)}"
        )
        lines.append(f"  {escape(problem.message)}" + (f"\n  → {escape(problem.fix)}" if problem.fix else ""))
    if len(shown) > _SHOWN:
        lines.append(f"… and {len(shown) - _SHOWN} more; --json lists all.")
    if lines:
        out.print("\n".join(lines))


def problems(found: Problems) -> None:
    """Findings as JSON to stdout: counts, totals by code, and the findings themselves."""
    json({"errors": found.errors, "warnings": found.warnings, "totals": found.totals, "problems": found.items})


def summary(problems: Problems) -> str:
    """How many findings of which kind, in one line."""
    codes = ", ".join(f"{code} ×{count}" for code, count in problems.totals.most_common())
    counts = ", ".join(
        f"{count} {kind}{'s' * (count != 1)}"
        for kind, count in (("error", problems.errors), ("warning", problems.warnings))
    )
    return f"{counts} ({codes})" if codes else "no problems"
