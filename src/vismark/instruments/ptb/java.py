"""The original tokenizer, as the reference for the one in Python."""

from __future__ import annotations

from collections.abc import Sequence

from vismark.instruments.caption_files import official_file
from vismark.instruments.java_program import output
from vismark.instruments.ptb.tables import DIGEST, JAR
from vismark.problems import refuse

_CLASS = "edu.stanford.nlp.process.PTBTokenizer"
# Measured: 0.5 s to start, then a million characters in less than a second.
_SECONDS_TO_START, _CHARACTERS_A_SECOND = 60, 50_000


def raw_lines(lines: Sequence[str]) -> list[str]:
    """The tokens of each line, joined by blanks, before any removal; `lines` hold no line breaks.

    Raises:
        vismark.problems.Missing: pycocoevalcap 1.2 or a Java runtime is not there.
        vismark.problems.Refused: the program failed, or answered with another number of lines (JAVA_PROGRAM).
    """
    if not lines:
        return []
    text = "\n".join(lines)
    jar = str(official_file(JAR, DIGEST))
    command = ["-cp", jar, _CLASS, "-preserveLines", "-lowerCase"]
    # The program ends no last line when the text has none, and prints nothing for empty lines at the end.
    found = output(command, text, _SECONDS_TO_START + len(text) / _CHARACTERS_A_SECOND).split("\n")
    if any(found[len(lines) :]) or len(found) > len(lines) + 1:
        raise refuse("JAVA_PROGRAM", f"the tokenizer made {len(found)} lines of {len(lines)}")
    return found[: len(lines)] + [""] * (len(lines) - len(found))
