"""METEOR 1.5's knowledge about words and phrases, looked up once for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from vismark.formats.meteor import MeteorTables, ParaphraseTable
from vismark.formats.paraphrases import LONGEST
from vismark.metrics.captions.meteor_normalize import normalized
from vismark.metrics.captions.meteor_stem import stem

# Modules, in the order in which they look for matches.
EXACT, STEM, SYNONYM, PARAPHRASE = range(4)

# Ending → what comes in its place to give a word that WordNet may know; the first that it does know counts.
_ENDINGS = (
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
    ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""), ("er", ""),
    ("est", ""), ("er", "e"), ("est", "e"),
)  # fmt: skip


class Word:
    """A word.

    Attributes:
        key: its hash in Java: METEOR compares these, so that words with the same hash are the same.
        function: whether it is a function word.
        stem: the hash of its stem.
        synsets: its WordNet synsets and those of its base forms.
        related: text of the words seen so far with the same stem or a common synset, and which modules say so.
    """

    __slots__ = ("function", "key", "related", "stem", "synsets", "text")

    def __init__(self, text: str, tables: MeteorTables) -> None:
        self.text = text
        self.key = java_hash(text)
        self.function = text in tables.function_words
        self.stem = java_hash(stem(text))
        self.synsets = _synsets(text, tables)
        self.related: dict[str, tuple[int, ...]] = {}


class Paraphrased(frozenset[str]):
    """The paraphrases of a phrase; their order, which matters where several apply, is looked up again."""

    __slots__ = ("_phrase", "_table")
    _phrase: str
    _table: ParaphraseTable

    @classmethod
    def of(cls, phrase: str, table: ParaphraseTable) -> Paraphrased | None:
        """Those that `table` has for `phrase`, None for none."""
        found = table.of(phrase)
        if found is None:
            return None
        known = cls(found)
        known._phrase, known._table = phrase, table
        return known

    def common(self, grams: Mapping[str, object]) -> list[str]:
        """Those that are among `grams`, in the order of the table."""
        common = [phrase for phrase in grams if phrase in self] if len(grams) < len(self) else list(self & grams.keys())
        if len(common) < 2:
            return common
        return [phrase for phrase in self._table.of(self._phrase) or () if phrase in grams]


class Sentence:
    """A normalised caption.

    Attributes:
        words: its words.
        keys: their hashes.
        functions: how many of them are function words.
        places: where each word is, by hash.
        texts: the different words.
        grams: the different runs of up to `LONGEST` words.
        phrases: the runs that have paraphrases, by start, then length: start, length, paraphrases.
    """

    def __init__(self, words: list[Word], lexicon: Lexicon) -> None:
        self.words = words
        self.keys = [word.key for word in words]
        self.functions = sum(word.function for word in words)
        self.texts = frozenset([word.text for word in words])
        self.places: dict[int, list[int]] = {}
        for at, key in enumerate(self.keys):
            self.places.setdefault(key, []).append(at)
        texts = [word.text for word in words]
        self.grams: dict[str, list[int]] = {}
        self.phrases: list[tuple[int, int, Paraphrased]] = []
        for at in range(len(texts)):
            for length in range(1, min(LONGEST, len(texts) - at) + 1):
                gram = " ".join(texts[at : at + length])
                self.grams.setdefault(gram, []).append(at)
                known = lexicon.paraphrased(gram)
                if known is not None:
                    self.phrases.append((at, length, known))


class Lexicon:
    """Words and phrases seen so far, with what the tables say about them."""

    def __init__(self, tables: MeteorTables) -> None:
        self.tables = tables
        self._words: dict[str, Word] = {}
        self._stems: defaultdict[int, list[Word]] = defaultdict(list)
        self._synsets: defaultdict[str, list[Word]] = defaultdict(list)
        self._paraphrased: dict[str, Paraphrased] = {}

    def sentence(self, caption: str) -> Sentence:
        """`caption`, tokenized, as METEOR compares it."""
        known = self._words
        texts = normalized(caption, self.tables.prefixes)
        return Sentence([known.get(text) or self._learn(text) for text in texts], self)

    def paraphrased(self, phrase: str) -> Paraphrased | None:
        """The paraphrases of `phrase`, None for none."""
        known = self._paraphrased.get(phrase)
        if known is None:
            known = Paraphrased.of(phrase, self.tables.paraphrases)
            # Most runs of words have none and are not seen twice: these need no memory.
            if known is not None:
                self._paraphrased[phrase] = known
        return known

    def _learn(self, text: str) -> Word:
        word = self._words[text] = Word(text, self.tables)
        for other in self._stems[word.stem]:
            _relate(word, other, STEM)
        for synset in sorted(word.synsets):
            for other in self._synsets[synset]:
                _relate(word, other, SYNONYM)
        self._stems[word.stem].append(word)
        for synset in word.synsets:
            self._synsets[synset].append(word)
        return word


def java_hash(text: str) -> int:
    """``String.hashCode`` of Java, without its sign."""
    value = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value


def _relate(one: Word, other: Word, module: int) -> None:
    known = one.related.get(other.text, ())
    if one.key != other.key and module not in known:
        one.related[other.text] = other.related[one.text] = (*known, module)


def _synsets(word: str, tables: MeteorTables) -> frozenset[str]:
    bases = tables.bases.get(word) or (_base(word, tables.synsets),)
    return frozenset(synset for form in (word, *bases) for synset in tables.synsets.get(form, "").split())


def _base(word: str, known: Mapping[str, str]) -> str:
    """The base form of a regular form, "" if WordNet has none."""
    if word.endswith("ss") or len(word) <= 2:
        return word
    for ending, new in _ENDINGS:
        if word.endswith(ending) and word.removesuffix(ending) + new in known:
            return word.removesuffix(ending) + new
    return ""
