"""The n-grams of many captions, counted in arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
    """How often each caption holds each n-gram, where it does, sorted by n-gram, then caption.

    Attributes:
        order: n.
        gram: number of the n-gram, from 0, int64 of shape (entries,) as the next two.
        caption: number of the caption.
        count: how often.
        grams: number of different n-grams.
        words: the words of all captions.
        example: where in `words` each n-gram occurs first, shape (grams,).
    """

    order: int
    gram: Integers
    caption: Integers
    count: Integers
    grams: int
    words: list[str]
    example: Integers

    def starts(self, owner: Integers) -> Integers:
        """Where a new pair of n-gram and owner (of each entry, ascending with the caption) begins."""
        return np.flatnonzero(_changes(self.gram, owner))

    def texts(self) -> Iterator[str]:
        """Each n-gram, its words joined by blanks."""
        return (" ".join(self.words[at : at + self.order]) for at in self.example.tolist())


def entries(captions: Sequence[str], orders: int) -> Iterator[Entries]:
    """The entries for n = 1 … `orders`; a caption is words joined by white space."""
    split = [caption.split() for caption in captions]
    words = [word for one in split for word in one]
    known: dict[str, int] = {}
    ids = np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int64)
    owner = np.repeat(np.arange(len(split)), [len(one) for one in split])
    at, key = np.arange(len(words)), ids
    for order in range(1, orders + 1):
        if order > 1:
            # The n-grams that go on by a word, as pairs of (n−1)-gram and word.
            goes_on = at + order - 1 < len(words)
            goes_on[goes_on] = owner[at[goes_on] + order - 1] == owner[at[goes_on]]
            at, key = at[goes_on], key[goes_on] * len(known) + ids[at[goes_on] + order - 1]
        found, key = _sorted(order, at, key, owner, words)
        yield found


def _sorted(order: int, at: Integers, key: Integers, owner: Integers, words: list[str]) -> tuple[Entries, Integers]:
    """The entries of n-grams `key` at the places `at`, and the number of the n-gram at each place."""
    # Stable: within an n-gram, places and so captions stay ascending.
    by_key = np.argsort(key, kind="stable")
    ordered, caption = key[by_key], owner[at[by_key]]
    new = _changes(ordered)
    gram = np.cumsum(new) - 1
    starts = np.flatnonzero(_changes(ordered, caption))
    numbered = np.empty_like(key)
    numbered[by_key] = gram
    return Entries(
        order=order,
        gram=gram[starts],
        caption=caption[starts],
        count=np.diff(starts, append=len(key)),
        grams=int(new.sum()),
        words=words,
        example=at[by_key][new],
    ), numbered


def _changes(*columns: Integers) -> NDArray[np.bool_]:
    """Where any of the columns differs from the row before; true for the first row."""
    new = np.ones(len(columns[0]), dtype=bool)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return new
