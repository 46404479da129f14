"""METEOR's rules one by one, on small tables of our own; the whole is compared with Java in tests/parity."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from vismark.formats.meteor import MeteorTables, bases, prefixes, synsets
from vismark.metrics.base import Accumulator
from vismark.metrics.captions.meteor import Meteor, score
from vismark.metrics.captions.meteor_normalize import normalized
from vismark.metrics.captions.meteor_stem import stem
from vismark.metrics.captions.meteor_words import java_hash


@dataclasses.dataclass
class Table:
    phrases: dict[str, list[str]]

    def of(self, phrase: str) -> list[str] | None:
        return self.phrases.get(phrase)


TABLES = MeteorTables(
    function_words=frozenset(["a", "the", "of", "on"]),
    prefixes={"Mr": False, "no": True, "st": False},
    synsets={"street": "1 2", "road": "2", "man": "3", "gentleman": "3", "knife": "4", "blade": "4"},
    bases={"men": ("man",), "knives": ("knife",)},
    paraphrases=Table({"a number of": ["several", "many"], "large": ["big"], "big": ["large"]}),
)


def line(candidate: str, *references: str) -> str:
    return Meteor(TABLES).row(candidate, references).line().replace(".0", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a man 's dog ca n't", "a man ' s dog ca n 't"),
        ("in the u.s. today", "in the us today"),
        ("three-year-old boy", "three year old boy"),
        ("no. 5 u.s.", "no. 5 us"),
        ("no. five", "no. five"),
        ("no. Five", "no . five"),
        ("hello. world", "hello. world"),
        ("the end.", "the end ."),
        ("st. Louis", "st. louis"),
        ("1,000 dogs, cats", "1,000 dogs , cats"),
        ("wait...what", "wait ... what"),
        ("5's o'neil '80s", "5 's o 'neil ' 80s"),
        ("a\u00a0b \u2003c", "a b c"),
        ("“x” ‘y’", "\" x \" ' y '"),
        ("\x1f", ""),
        ("$5 & 50%", "$ 5 & 50 %"),
    ],
)
def test_normalisation(text: str, words: str) -> None:
    assert " ".join(normalized(text, TABLES.prefixes)) == words


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("riding", "ride"),
        ("flies", "fli"),
        ("sky", "sky"),
        ("generously", "generous"),
        ("agreed", "agre"),
        ("by", "by"),
    ],
)
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


# length, reference, function words of both; four numbers a module: exact, stem, synonym, paraphrase; chunks, matched.
@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        ("a man", "a man", "2 2 1 1  1 1 1 1  0 0 0 0  0 0 0 0  0 0 0 0  1 2 2"),
        ("man a", "a man", "2 2 1 1  1 1 1 1  0 0 0 0  0 0 0 0  0 0 0 0  2 2 2"),
        ("dogs", "dog", "1 1 0 0  0 0 0 0  1 1 0 0  0 0 0 0  0 0 0 0  1 1 1"),
        ("the road", "the street", "2 2 1 1  0 0 1 1  0 0 0 0  1 1 0 0  0 0 0 0  1 2 2"),
        ("men", "gentleman", "1 1 0 0  0 0 0 0  0 0 0 0  1 1 0 0  0 0 0 0  1 1 1"),
        ("knives", "blade", "1 1 0 0  0 0 0 0  0 0 0 0  1 1 0 0  0 0 0 0  1 1 1"),
        ("a number of", "many", "3 1 2 0  0 0 0 0  0 0 0 0  0 0 0 0  1 1 2 0  1 3 1"),
        ("many", "a number of", "1 3 0 2  0 0 0 0  0 0 0 0  0 0 0 0  1 1 0 2  1 1 3"),
        ("cat", "tree", "1 1 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0"),
        ("", "tree", "0 1 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0"),
    ],
)
def test_statistics(candidate: str, reference: str, expected: str) -> None:
    assert line(candidate, reference).split() == expected.split()


def test_score_is_the_formula() -> None:
    # Three of four words match, one a function word; two chunks.
    row = Meteor(TABLES).row("the red dog man", ["the man dog"])
    precision = (0.75 * 2 + 0.25 * 1) / (0.75 * 3 + 0.25 * 1)
    recall = (0.75 * 2 + 0.25 * 1) / (0.75 * 2 + 0.25 * 1)
    mean = 1 / (0.15 / precision + 0.85 / recall)
    assert row.chunks == 3
    assert score(row) == pytest.approx(mean * (1 - 0.6 * (3 / 3) ** 0.2), abs=1e-15)
    assert score(Meteor(TABLES).row("a man", ["a man"])) == 1


def test_the_first_best_reference_counts() -> None:
    assert line("a man", "a", "a man", "a man").split()[:2] == ["2", "2"]
    assert line("a man", "tree", "cat the").split()[:2] == ["2", "1"]


def test_bars_are_the_protocol_of_the_official_program() -> None:
    assert line("a ||| man", "man ||| a man") == line("a  man", "man", "a man")


def test_words_with_the_same_hash_in_java_are_the_same() -> None:
    assert java_hash("an") == java_hash("c0") == 3117
    assert line("an", "c0").split()[4:6] == ["1", "1"]


def test_a_perfect_image_adds_no_chunk_to_the_corpus() -> None:
    metric = Meteor(TABLES)
    rows = [metric.row("a man", ["a man"]), metric.row("dog the", ["the dog"])]
    assert metric.reduce(rows)["METEOR"] == pytest.approx(1 - 0.6 * (2 / 4) ** 0.2)


def test_any_split_and_order_gives_the_same_bits() -> None:
    metric = Meteor(TABLES)
    images: dict[str, tuple[str, Sequence[str]]] = {
        f"{n}": (" ".join("a man the dog of street"[n % 5 :].split()), ["the men of road", "dogs on a street"])
        for n in range(9)
    }
    whole, parts = Accumulator(metric), [Accumulator(Meteor(TABLES)) for _ in range(2)]
    for number, (id, image) in enumerate(images.items()):
        whole.update(id, *image)
        parts[number % 2].update(id, *image)
    parts[1].merge(parts[0])
    assert parts[1].compute() == whole.compute()


def test_corner_cases() -> None:
    assert Meteor(TABLES).reduce([]) == {"METEOR": None}
    with pytest.raises(ValueError, match="reference"):
        Meteor(TABLES).row("a", [])


def test_readers_of_the_word_lists() -> None:
    assert prefixes("#x\n\nMr\nNo #NUMERIC_ONLY# \n") == {"Mr": False, "No": True}
    assert synsets("dog\n1 2\ncat\n3\n") == {"dog": "1 2", "cat": "3"}
    assert bases("man\nmen menfolk\nfolk\nmenfolk\n") == {"men": ("man",), "menfolk": ("man", "folk")}


@pytest.mark.parametrize("word", ["a", "dogs", "a man of the street", "x"])
def test_100_kilobytes_are_counted(word: str) -> None:
    words = f"{word} " * (100_000 // (len(word) + 1))
    row = Meteor(TABLES).row(words, ["a man of the road", "a dog"])
    assert row.length == len(words.split())
    assert row.reference in (2, 5)


def test_of_many_equal_words_the_nearest_is_matched() -> None:
    # More alternatives than the search keeps: the program's order and its distances decide.
    assert line("the dog " * 60, "a the dog the dog").split()[-3:] == ["1", "4", "4"]
