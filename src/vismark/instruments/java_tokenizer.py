"""The original tokenizer (needs Java), the reference for `vismark.metrics.captions.ptb`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vismark.cards import InstrumentCard
from vismark.formats.ptb_lines import one_line, without_punctuation
from vismark.instruments.base import Tools
from vismark.instruments.caption_files import CORENLP, DIGESTS, official_file
from vismark.instruments.java_program import java, output
from vismark.problems import Problems, refuse

_CLASS = "edu.stanford.nlp.process.PTBTokenizer"
# Measured: 0.5 s to start, then a million characters in less than a second.
_SECONDS_TO_START, _CHARACTERS_A_SECOND = 60, 50_000


class JavaTokenizer:
    """The program as an instrument; `lines` is that of `vismark.metrics.captions.ptb.Tokenizer`.

    Raises:
        Missing: pycocoevalcap 1.2 or a Java runtime is not there.
    """

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        # Any Java gives the same tokens, but for characters that are younger than it.
        self.identity: Mapping[str, str] = {"program": DIGESTS[CORENLP]}
        official_file(CORENLP)
        java()

    def lines(self, captions: Sequence[str]) -> list[str]:
        """Each caption's tokens joined by blanks, in the order and with the neighbours given."""
        return [without_punctuation(line) for line in raw_lines([one_line(caption) for caption in captions])]

    def measure(self, items: Sequence[str]) -> list[str]:
        """See `lines`."""
        return self.lines(items)

    def selftest(self) -> Problems:
        """Whether a hard caption becomes what it should."""
        problems = Problems()
        found = self.lines(["The man's 3 dogs can't (really) run...fast!"])
        if found != ["the man 's 3 dogs ca n't -lrb- really -rrb- run fast"]:
            problems.add("INSTRUMENT_SELFTEST", f"the tokens are {found}", item=self.name)
        return problems


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
