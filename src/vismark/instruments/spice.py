"""SPICE through its Java program. There is no other: the parser it rests on is that of CoreNLP 3.6.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from vismark.cards import InstrumentCard
from vismark.formats.spice import SpiceScore, read_scores
from vismark.instruments.base import Tools
from vismark.instruments.caption_files import SPICE, official_file
from vismark.instruments.java_program import java, java_version, output
from vismark.problems import Missing, Problems
from vismark.runtime.digests import digest_of_file

_ARCHIVES = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_SOURCE = "http://nlp.stanford.edu/software/stanford-corenlp-full-2015-12-09.zip"
_CLASS = "edu.anu.spice.SpiceScorer"
# It writes its results with the JavaScript engine that Java lost in version 15.
_NEWEST_JAVA = 14
# Measured by others on one core: about a minute to start, then some ten captions a second.
_SECONDS_TO_START, _SECONDS_A_CAPTION = 600, 5


class Spice:
    """Measures pairs of a candidate and its references: one `SpiceScore` each, in order.

    Raises:
        Missing: Java, a fit version of it, pycocoevalcap 1.2, or CoreNLP's archives are not there.
    """

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.program = official_file(SPICE)
        folder = tools.weights.get(card.name, tools.weights.get(""))
        if folder is None or not all((folder / name).is_file() for name in _ARCHIVES):
            raise Missing(
                f"{card.name} needs {' and '.join(_ARCHIVES)} out of {_SOURCE}: --weights {card.name}=DIR, the folder "
                "that holds them."
            )
        self.archives = [folder / name for name in _ARCHIVES]
        java()
        if java_version() > _NEWEST_JAVA:
            raise Missing(
                f"SPICE's program needs Java 8 to {_NEWEST_JAVA}, this is Java {java_version()}: put another first "
                "in PATH."
            )

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """The archives and the version of Java."""
        return {
            "program": digest_of_file(self.program),
            **{path.name: digest_of_file(path) for path in self.archives},
            "java": str(java_version()),
        }

    def measure(self, items: Sequence[tuple[str, Sequence[str]]]) -> list[SpiceScore]:
        """The scores of each candidate against all its references; captions are tokenized already.

        Raises:
            Refused: the program failed, or its answer is not one for each item (JAVA_PROGRAM).
        """
        asked = [{"image_id": n, "test": ours, "refs": list(theirs)} for n, (ours, theirs) in enumerate(items)]
        captions = sum(1 + len(theirs) for _, theirs in items)
        told = output(
            ["-Xmx8G", "-cp", self._path(), _CLASS, "input.txt", "-out", "output.json", "-subset", "-silent"],
            msgspec.json.encode(asked).decode(),
            _SECONDS_TO_START + _SECONDS_A_CAPTION * captions,
            result="output.json",
        )
        return read_scores(told, len(items))

    def selftest(self) -> Problems:
        """Whether a caption equals itself."""
        problems = Problems()
        (found,) = self.measure([("a black cat sits on a chair", ["a black cat sits on a chair"])])
        if found.f != 1.0:
            problems.add("INSTRUMENT_SELFTEST", f"a caption against itself has SPICE {found.f}", item=self.name)
        return problems

    def _path(self) -> str:
        libraries = Path(self.program).with_name("lib") / "*"
        return ":".join(map(str, (self.program, libraries, *self.archives)))
