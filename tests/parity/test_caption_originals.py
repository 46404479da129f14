"""The tokenizer and METEOR against the Java programs themselves, on captions that hypothesis makes up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caption_originals import JavaMeteor, java_meteor, needs_java
from vismark import registry
from vismark.formats.ptb_lines import PUNCTUATION, one_line, without_punctuation
from vismark.instruments.base import Tools
from vismark.instruments.caption_data import meteor_tables, ptb_automaton
from vismark.instruments.java_tokenizer import JavaTokenizer, raw_lines
from vismark.metrics.captions.meteor import Meteor
from vismark.metrics.captions.ptb import Tokenizer

pytestmark = needs_java

HARD = """a the man dogs riding bikes street don't won't cannot gonna d'ye 'tis he'd've y'all o'clock U.S. e.g. a.m. Mr.
St. No. etc. Inc. Jan. A. I. vitamin 5 3.5 1,000 $5.00 £3 €2 50% 12:30pm 3/4/2014 1/2 ½ 5'10" !!! ;;; ... .. -- ---- -
C++ #tag @user a@b.c http://x.y/z?q=1 www.a.com &amp; &lt; <b> </p> <SEG> <0:the one.Two a,b rock'n'roll O'Neil kids'
'80s T-shirt Coca-Cola's -5 :-) <3 (c) ( ) [ ] { } * / \\ | || ~ ^ = `` '' ` ' " “x” ‘x’ ’s « » – — … • § é naïve ß
ŒUVRE İstanbul привет 日本語 עברית \u200b \u200e \ufeff \u00ad soft\u00adhyphen 3\u00a01/2 (555)\u00a0123-4567 J.R.R.
'Twas 😀 👨‍👩‍👧 e\u0301 \x07 \x1c \x85 \x91 ，""".replace("\n", " ").split(" ")
WORDS = st.sampled_from(HARD) | st.text(max_size=5)
CAPTIONS = st.lists(WORDS, max_size=12).flatmap(
    lambda words: st.sampled_from([" ", " ", "", "\u00a0", ". "]).map(lambda blank: blank.join(words))
)

# Words that have stems, synonyms and paraphrases in common.
PLAIN = """a a the man men person people dog dogs ride rides riding rode on upon of in front big large street road bike
bicycle is are was been young boy several a number of group in the middle of next to 's n't , . u.s. no. 5 well-known
... -- o'neil é \u00a0 1,000 better good spoonful children child knives""".replace("\n", " ").split(" ")
SENTENCES = st.lists(st.sampled_from(PLAIN), max_size=14).map(" ".join)


@pytest.fixture(scope="module")
def official() -> Iterator[JavaMeteor]:
    yield from java_meteor()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CAPTIONS, min_size=40, max_size=60))
def test_tokenizer(captions: list[str]) -> None:
    expected = [without_punctuation(line) for line in raw_lines([one_line(caption) for caption in captions])]
    assert Tokenizer(ptb_automaton()).lines(captions) == expected


@pytest.mark.parametrize("caption", ["vitamin A.", "in the U.S. ", "dogs etc.", "No. ", "", "a <b", "at 5 a.m. 1"])
def test_tokenizer_of_a_caption_that_stands_alone(caption: str) -> None:
    found = Tokenizer(ptb_automaton()).lines([caption, "The next", caption, "5 next"], neighbours=False)
    assert found[0] == found[2] == without_punctuation(raw_lines([caption, ""])[0])


def test_tokenizer_keeps_what_it_does_not_remove() -> None:
    raw = [" ".join(line.rstrip().split(" ")) for line in raw_lines(HARD)]
    assert Tokenizer(ptb_automaton(), drop=frozenset()).lines(HARD) == raw
    assert any(token in PUNCTUATION for line in raw for token in line.split(" "))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(candidate=SENTENCES | CAPTIONS.map(one_line), references=st.lists(SENTENCES, min_size=1, max_size=3))
def test_meteor_statistics(official: JavaMeteor, candidate: str, references: list[str]) -> None:
    row = Meteor(meteor_tables()).row(candidate, references)
    assert row.line() == official.statistics(candidate, references)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=2)), min_size=1, max_size=10))
def test_meteor_scores(official: JavaMeteor, images: list[tuple[str, list[str]]]) -> None:
    metric = Meteor(meteor_tables())
    rows = [metric.row(*image) for image in images]
    scores, corpus = official.scores([row.line() for row in rows])
    # The last bit of a power is Java's own.
    assert [metric.reduce([row])["METEOR"] for row in rows] == pytest.approx(scores, abs=2.3e-16)
    assert metric.reduce(rows)["METEOR"] == pytest.approx(corpus, abs=2.3e-16)


def test_the_program_as_an_instrument() -> None:
    program = JavaTokenizer(registry.card("instruments", "ptb-java"), Tools())
    captions = ["A man's dog.", "", "a\u2028b", "vitamin A.", "The (real) 😀 thing..."]
    assert program.lines(captions) == Tokenizer(ptb_automaton()).lines(captions)
    assert not program.selftest().items
