"""The tables of the caption metrics, read from the files of pycocoevalcap 1.2. Nothing is run, no copy is shipped."""

from __future__ import annotations

import zipfile
from functools import cache

from vismark.formats.java_class import constants
from vismark.formats.jflex import Automaton, unpacked
from vismark.instruments.caption_files import CORENLP, official_file

_LEXER = "edu/stanford/nlp/process/PTBLexer.class"
# The state that the lexer starts in without the option strictTreebank3.
_START = 2


@cache
def ptb_automaton() -> Automaton:
    """The automaton of CoreNLP 3.4.1's PTBLexer, for `vismark.metrics.captions.ptb.Tokenizer`.

    Raises:
        vismark.problems.Missing: pycocoevalcap 1.2 is not installed.
    """
    with zipfile.ZipFile(official_file(CORENLP)) as jar:
        return unpacked(constants(jar.read(_LEXER)), _START)
