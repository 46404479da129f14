"""The grammar of T2I-CompBench's prompts as spaCy sees it, frozen once so that scoring needs no spaCy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vismark.formats.t2i_compbench import CATEGORIES, read_lines
from vismark.formats.t2i_parses import DROPPED, Forms, Parse, counted, read_forms, write_parses
from vismark.problems import Missing, Problems

MODEL = "en_core_web_sm"
# The official version; others cut phrases differently.
_ADDRESS = "https://github.com/explosion/spacy-models/releases/download/en_core_web_sm-3.5.0/"
_RELATIONS = ("on top of", "on bottom of", "on the left", "on the right", "next to", "on side of", "near")


def freeze(source: Path, target: Path) -> Problems:
    """Parse the val prompts beside `source` with spaCy's English model, and write ``parses.jsonl``.

    Raises:
        Missing: spaCy or the model is not installed.
    """
    language, name = _model()
    problems = Problems()
    forms = read_forms(read_lines(source.with_name("new_objects.txt"), problems))
    parses = []
    for category in CATEGORIES:
        for version in (f"{category}_val", f"{category}_val_unseen"):
            path = source.with_name(f"{version}.txt")
            if path.is_file():
                lines = read_lines(path, problems)
                parses += [parsed(category, line, language(line), forms, name) for line in lines]
    if not name.endswith("-3.5.0"):
        message = f"parsed with {name}; the official scores need {MODEL}-3.5.0, and phrases differ between versions"
        fix = f"Install {MODEL}-3.5.0 from {_ADDRESS}"
        problems.add("T2I_PARSER_VERSION", message, severity="warning", file=target.name, fix=fix)
    write_parses(target, parses)
    return problems


def parsed(category: str, prompt: str, doc: Any, forms: Forms, parser: str) -> Parse:
    """The official rules on a parsed prompt; `doc` is a spaCy document."""
    words = [token.text for token in doc]
    nouns = [token.text for token in doc if token.pos_ == "NOUN"]
    chunks = tuple(chunk.text for chunk in doc.noun_chunks if chunk.text not in DROPPED)
    plain = " ".join(token.text for token in doc if token.pos_ != "ADJ")
    first, last = (nouns[0], nouns[-1]) if nouns else (None, None)
    numbers = counted(words, forms) if category == "numeracy" else ()
    return Parse(category, prompt, chunks, first, last, _pair(doc, words), plain, numbers, parser)


def _pair(doc: Any, words: Sequence[str]) -> tuple[str, str] | None:
    """The nouns before and after the places that a prompt states; None where there are not exactly two."""
    found: list[str] = []
    for place in range(len(words)):
        length = next((n for n in (3, 2, 1) if " ".join(words[place : place + n]) in _RELATIONS), 0)
        if length:
            later = range(place + length, len(words))
            found += [doc[at].text for at in range(place - 1, -1, -1) if doc[at].pos_ in ("NOUN", "PROPN")][:1]
            nouns = [at for at in later if doc[at].pos_ == "NOUN"]
            # The script asks for a word after a proper noun: one that ends the prompt is passed over.
            proper = [at for at in later[:-1] if doc[at].pos_ == "PROPN" and doc[at + 1].pos_ != "PROPN"]
            found += [doc[at].text for at in (nouns or proper)[:1]]
    return (found[0], found[1]) if len(found) == 2 else None


def _model() -> tuple[Any, str]:
    how = f"`pip install 'vismark[nouns]'`, and the model from {_ADDRESS}"
    try:
        import spacy

        language = spacy.load(MODEL)
    except ImportError as error:
        raise Missing(f"Parsing prompts needs spaCy, which is not installed: {how}.") from error
    except OSError as error:
        raise Missing(f"Parsing prompts needs spaCy's {MODEL}, which is not installed: {how}.") from error
    return language, f"{MODEL}-{language.meta['version']}"
