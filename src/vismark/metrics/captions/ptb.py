"""pycocoevalcap's tokenizer in Python: Stanford's Penn Treebank tokenizer, lower case, punctuation removed.

Source: CoreNLP 3.4.1 with ``-preserveLines -lowerCase``, as pycocoevalcap 1.2 calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vismark.formats.jflex import Automaton
from vismark.formats.ptb_lines import PUNCTUATION, one_line
from vismark.metrics.captions.ptb_lexer import Text, length

_LONGEST_KEPT = 64


class Tokenizer:
    """Tokenizes captions, with a memory for what stands between two blanks.

    Nearly every word is the same token whatever follows, which the automaton tells; such words are looked up once.

    Args:
        automaton: that of CoreNLP's lexer, see `vismark.instruments.caption_data.ptb_automaton`.
        drop: tokens to leave out.
    """

    def __init__(self, automaton: Automaton, drop: frozenset[str] = PUNCTUATION) -> None:
        self._automaton = automaton
        self._drop = drop
        # Words before a blank and before the end of a line: what becomes of them, or None when more text matters.
        self._inner: dict[str, str | None] = {"": ""}
        self._last: dict[str, str | None] = {"": ""}
        # The former with a blank and the first letter of the next word: "street." may be the start of ". . .".
        self._before: dict[str, str | None] = {}

    def tokenize(self, caption: str) -> list[str]:
        """The tokens of one caption that stands alone; see `lines` for what that means."""
        return self._line(one_line(caption), "").split()

    def lines(self, captions: Sequence[str], *, neighbours: bool = True) -> list[str]:
        """Each caption's tokens, joined by blanks.

        Args:
            captions: plain text. Line breaks of any kind inside a caption become blanks (the program would shift all
                later captions by a line); lone surrogates become U+FFFD.
            neighbours: like the program, look at the start of the next caption where the end of one is ambiguous:
                after "vitamin A." the dot belongs to the letter unless the next caption starts like a sentence.
                Without, every caption stands alone, so that its tokens do not depend on the order or the split of the
                work.

        Raises:
            TypeError: a caption is not a string.
        """
        lines = [one_line(caption) for caption in captions]
        if not neighbours:
            return [self._line(line, "") for line in lines]
        return list(map(self._line, lines, _followers(lines)))

    def _line(self, line: str, following: str | None) -> str:
        """The tokens of `line`, which holds no line break, joined by blanks.

        Args:
            following: the text of the lines that come after, or None when the text ends without a line break.
        """
        # Without a blank before it, a word that starts with a special space may be another token.
        if following is None or not line[:1].isalnum():
            return self._rest(line, 0, following)
        words = line.split(" ")
        last = words.pop()
        parts = list(map(self._inner.get, words))
        end = self._last.get(last)
        if end is not None and None not in parts:
            return " ".join(filter(None, [*parts, end]))
        return self._learn_line(line, words, last, following)

    def _learn_line(self, line: str, words: list[str], last: str, following: str) -> str:
        """Like `_line`, word by word up to the first that needs more text."""
        parts, at = [], 0
        for word, next_word in zip(words, [*words, last][1:], strict=True):
            known = self._known(self._inner, word, " ")
            if known is None:
                known = self._known(self._before, word, f" {next_word[:1]}")
            if known is None:
                break
            parts.append(known)
            at += len(word) + 1
        else:
            known = self._known(self._last, last, "\n")
        parts.append(self._rest(line, at, following) if known is None else known)
        return " ".join(filter(None, parts))

    def _rest(self, line: str, start: int, following: str | None) -> str:
        """The tokens of `line` from `start`, which is 0 or behind a blank."""
        after = "" if following is None else "\n" + following
        body = line[max(start - 1, 0) :]
        text = Text(body + after, self._automaton)
        end = length(body)
        tokens, at = [], 0
        while at < end:
            token, at, _ = text.token(at)
            tokens.append(token)
        if at > end and following:
            # The program knows a token that runs on over line ends; here no caption takes from another.
            return self._rest(line, start, "")
        return self._kept(" ".join(filter(None, tokens)).rstrip().split(" "))

    def _known(self, memory: dict[str, str | None], word: str, after: str) -> str | None:
        """What becomes of `word` before `after`, None when more text matters; looked up in `memory`, or kept there."""
        key = word if len(after) == 1 else word + after
        if key in memory:
            return memory[key]
        known = self._learn(word, after)
        # A long "word" is not likely to be seen again.
        if len(word) < _LONGEST_KEPT:
            memory[key] = known
        return known

    def _learn(self, word: str, after: str) -> str | None:
        text = Text(f" {word}{after}", self._automaton)
        end, tokens, at, settled = len(text.units) - length(after), list[str](), 0, True
        while at < end and settled:
            token, at, settled = text.token(at)
            tokens.append(token)
        # White space at the end of a token goes if the line ends there.
        settled = settled and at == end and not "".join(tokens)[-1:].isspace()
        return self._kept(filter(None, tokens)) if settled else None

    def _kept(self, tokens: Iterable[str]) -> str:
        return " ".join([token for token in tokens if token not in self._drop])


def _followers(lines: Sequence[str]) -> list[str | None]:
    """What follows each line, as far as it can matter: the next line with text; None behind the last line."""
    found: list[str | None] = [None] * len(lines)
    following: str | None = None
    for index in range(len(lines) - 1, -1, -1):
        found[index] = following
        blank = not lines[index] or lines[index].isspace()
        following = lines[index] + "\n" + (following or "" if blank else "")
    return found
