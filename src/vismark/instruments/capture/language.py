"""CAPTURE's linguistics: sentences, nouns, base forms and synonyms, from NLTK and the data it reads."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from vismark.problems import Missing

# Resource → the folder of NLTK's data that it lies in.
_RESOURCES = {"punkt_tab": "tokenizers", "averaged_perceptron_tagger_eng": "taggers", "wordnet": "corpora"}
_STOP_WORDS = "capture_metric/stop_words.py"
_STOP_WORDS_DIGEST = "745676bc0a2aaa3fd417634709edde2b040c93550ef5e29c1b1e6c4cc8a1ec95"
_INSTALL = "pip install 'vismark[capture]' && python -m nltk.downloader " + " ".join(_RESOURCES)

Out = TypeVar("Out")


class Nltk:
    """English as NLTK knows it.

    Raises:
        Missing: NLTK is not installed (when made), or lacks its data (when used).
    """

    def __init__(self) -> None:
        if find_spec("nltk") is None:
            raise Missing(f"CAPTURE splits and tags captions with NLTK, which is not installed: `{_INSTALL}`.")
        self.noun: Callable[[str], str] = lru_cache(maxsize=1 << 16)(lambda word: self._base(word, "n"))
        self.adjective: Callable[[str], str] = lru_cache(maxsize=1 << 16)(lambda word: self._base(word, "a"))
        self.synonyms: Callable[[str], frozenset[str]] = lru_cache(maxsize=1 << 16)(self._synonyms)

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """Its version and the digests of its data."""
        return {"nltk": distribution("nltk").version} | {
            name: _with_data(partial(_digest, f"{folder}/{name}")) for name, folder in _RESOURCES.items()
        }

    def sentences(self, text: str) -> list[str]:
        """The sentences of a text."""
        import nltk

        return list(_with_data(lambda: nltk.sent_tokenize(text)))

    def nouns(self, text: str) -> frozenset[str]:
        """The base forms of the words that are tagged as nouns."""
        import nltk

        tagged = _with_data(lambda: nltk.pos_tag(nltk.word_tokenize(text)))
        return frozenset(self.noun(word) for word, tag in tagged if tag.startswith("NN"))

    def _base(self, word: str, kind: str) -> str:
        from nltk.stem import WordNetLemmatizer

        return str(_with_data(lambda: WordNetLemmatizer().lemmatize(word, pos=kind)))

    def _synonyms(self, word: str) -> frozenset[str]:
        """The lemmas of all WordNet synsets of `word`."""
        from nltk.corpus import wordnet

        return frozenset(_with_data(lambda: {name for one in wordnet.synsets(word) for name in one.lemma_names()}))


def stop_words() -> frozenset[str]:
    """The list of capture_metric 0.1.13, read as data: nothing of the package is run.

    Raises:
        Missing: the package is not installed, or is another version.
    """
    install = "`pip install --no-deps capture_metric==0.1.13`"
    try:
        path = Path(str(distribution("capture_metric").locate_file(_STOP_WORDS)))
    except PackageNotFoundError:
        raise Missing(f"CAPTURE's list of stop words comes with the package capture_metric: {install}.") from None
    source = path.read_bytes()
    if hashlib.sha256(source).hexdigest() != _STOP_WORDS_DIGEST:
        raise Missing(f"The installed capture_metric is not version 0.1.13: {install}.")
    assigned: Any = ast.parse(source).body[0]
    return frozenset(ast.literal_eval(assigned.value))


def _with_data(use: Callable[[], Out]) -> Out:
    try:
        return use()
    except LookupError as error:
        raise Missing(f"NLTK lacks data for CAPTURE: `{_INSTALL}`.") from error


def _digest(place: str) -> str:
    """Of a resource's files, packed or not; of the packed one alone where both are there."""
    import nltk

    try:
        found = nltk.data.find(f"{place}.zip")
    except LookupError:
        found = nltk.data.find(place)
    path = Path(str(found))
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
