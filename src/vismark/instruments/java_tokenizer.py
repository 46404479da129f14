"""The original tokenizer (needs Java), the reference for `vismark.metrics.captions.ptb`."""

from __future__ import annotations

from collections.abc import Sequence

from vismark.instruments.caption_files import CORENLP, official_file
from vismark.instruments.java_program import output
from vismark.problems import refuse

_CLASS = "edu.stanford.nlp.process.PTBTokenizer"
# Measured: 0.5 s to start, then a million characters in less than a second.
_SECONDS_TO_START, _CHARACTERS_A_SECOND = 60, 50_000


def raw_lines(lines: Sequence[str]) -> list[str]:
    """The tokens of each line, joined by blanks, before any removal.

    Args:
        lines: without line breaks, see `vismark.metrics.captions.ptb.one_line`.

    Raises:
        vismark.problems.Missing: pycocoevalcap 1.2 or a Java runtime is not there.
        vismark.problems.Refused: the program failed, or answered with another number of lines (JAVA_PROGRAM).
    """
    if not lines:
        return []
    text = "\n".join(lines)
    command = ["-cp", str(official_file(CORENLP)), _CLASS, "-preserveLines", "-lowerCase", "input.txt"]
    # The program ends no last line when the text has none, and prints nothing for empty lines at the end.
    found = output(command, text, _SECONDS_TO_START + len(text) / _CHARACTERS_A_SECOND).split("\n")
    if any(found[len(lines) :]) or len(found) > len(lines) + 1:
        raise refuse("JAVA_PROGRAM", f"the tokenizer made {len(found)} lines of {len(lines)}")
    return found[: len(lines)] + [""] * (len(lines) - len(found))
