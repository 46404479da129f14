"""The tables of the caption metrics, read from the files of pycocoevalcap 1.2. Nothing is run, no copy is shipped."""

from __future__ import annotations

import gzip
import zipfile
from functools import cache
from pathlib import Path

from vismark.formats import meteor
from vismark.formats.java_class import constants
from vismark.formats.jflex import Automaton, unpacked
from vismark.formats.paraphrases import Paraphrases, pack
from vismark.instruments.caption_files import CORENLP, DIGESTS, METEOR, PARAPHRASES, official_file
from vismark.runtime.atomic import replacing
from vismark.runtime.folders import cache_root
from vismark.runtime.locks import held
from vismark.runtime.progress import Bar

_LEXER = "edu/stanford/nlp/process/PTBLexer.class"
# The state that the lexer starts in without the option strictTreebank3.
_START = 2

_TABLE_LINES = 15_822_252


@cache
def ptb_automaton() -> Automaton:
    """The automaton of CoreNLP 3.4.1's PTBLexer, for `vismark.metrics.captions.ptb.Tokenizer`.

    Raises:
        vismark.problems.Missing: pycocoevalcap 1.2 is not installed.
    """
    with zipfile.ZipFile(official_file(CORENLP)) as jar:
        return unpacked(constants(jar.read(_LEXER)), _START)


@cache
def meteor_tables() -> meteor.MeteorTables:
    """METEOR 1.5's English tables, for `vismark.metrics.captions.meteor.Meteor`.

    The first call on a machine takes some seconds: it writes the table of paraphrases to the cache in a form that
    later calls map into memory.

    Raises:
        vismark.problems.Missing: pycocoevalcap 1.2 is not installed.
    """
    with zipfile.ZipFile(official_file(METEOR)) as jar:
        words, prefixes, synsets, exceptions = (
            jar.read(name).decode()
            for name in (
                "function/english.words",
                "nonbreaking/english.prefixes",
                "synonym/english.synsets",
                "synonym/english.exceptions",
            )
        )
    return meteor.MeteorTables(
        function_words=frozenset(words.split("\n")) - {""},
        prefixes=meteor.prefixes(prefixes),
        synsets=meteor.synsets(synsets),
        bases=meteor.bases(exceptions),
        paraphrases=_paraphrases(),
    )


def _paraphrases() -> Paraphrases:
    path = cache_root() / "captions" / f"paraphrases-{DIGESTS[PARAPHRASES][:16]}.table"
    try:
        return Paraphrases(path)
    except (FileNotFoundError, ValueError):
        source = official_file(PARAPHRASES)
    with held(path):
        try:
            # Another process may have made it meanwhile.
            return Paraphrases(path)
        except (FileNotFoundError, ValueError):
            _make(source, path)
    return Paraphrases(path)


def _make(source: Path, path: Path) -> None:
    bar = Bar("Paraphrases of METEOR, once", _TABLE_LINES)
    with replacing(path) as temporary, gzip.open(source) as table, bar:
        pack(table, temporary, bar.advance)
