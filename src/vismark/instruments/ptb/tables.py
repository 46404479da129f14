"""The tokenizer's automaton, read from the program that pycocoevalcap 1.2 holds. Nothing is run, no copy is kept."""

from __future__ import annotations

import zipfile
from functools import cache

from vismark.instruments.caption_files import official_file
from vismark.instruments.ptb.automaton import Automaton, unpacked
from vismark.instruments.ptb.classfile import constants

JAR = "tokenizer/stanford-corenlp-3.4.1.jar"
DIGEST = "2fcb91bb7a111f93d71e264f4ee0e3afd19ba0dde6d21b38605088df9e940399"

_LEXER = "edu/stanford/nlp/process/PTBLexer.class"
# The state that the lexer starts in without the option strictTreebank3.
_START = 2


@cache
def automaton() -> Automaton:
    """The automaton of CoreNLP 3.4.1's PTBLexer.

    Raises:
        vismark.problems.Missing: pycocoevalcap 1.2 is not installed.
    """
    with zipfile.ZipFile(official_file(JAR, DIGEST)) as jar:
        return unpacked(constants(jar.read(_LEXER)), _START)
