"""METEOR's table of paraphrases in a compact form that is mapped into memory instead of read.

The official table (62 MB packed) is lines in threes: probability, phrase, paraphrase. The probabilities are not used by
the scores. Our file is a line of sizes, then the phrases (one a line), then for each phrase its paraphrases in the
order of the official table (lines again), then where the paraphrases of each phrase begin.
"""

from __future__ import annotations

import mmap
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

# Words of the longest phrase in METEOR's English table, on either side.
LONGEST = 7


class _Sizes(msgspec.Struct, forbid_unknown_fields=True):
    """Sizes of the parts in bytes."""

    phrases: int
    paraphrases: int
    starts: int


class Paraphrases:
    """A table in the compact form.

    Raises:
        ValueError: the file is not one, or not whole.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = self._map.readline()
        try:
            sizes = msgspec.json.decode(header, type=_Sizes)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path} is no table of paraphrases") from error
        self._at = len(header) + sizes.phrases
        if len(self._map) != self._at + sizes.paraphrases + sizes.starts:
            raise ValueError(f"{path} is not whole")
        phrases = self._map[len(header) : self._at].decode()
        self._starts = array("Q", self._map[self._at + sizes.paraphrases :])
        self._numbers = dict(zip(phrases.split("\n"), range(len(self._starts) - 1), strict=True))

    def of(self, phrase: str) -> list[str] | None:
        """The paraphrases of a phrase (words joined by blanks) in the order of the official table, None for none."""
        number = self._numbers.get(phrase)
        if number is None:
            return None
        start, stop = self._starts[number], self._starts[number + 1]
        return self._map[self._at + start : self._at + stop - 1].decode().split("\n")


def pack(table: Iterable[bytes], path: Path, seen: Callable[[int], None] = lambda lines: None) -> None:
    """Write the compact form of the official table, given as its lines (with their ends).

    Args:
        seen: told now and then how many lines have been read since it was told last.

    Raises:
        ValueError: a phrase occurs at two places, as in no official table.
    """
    phrases: dict[bytes, None] = {}
    starts = array("Q", [0])
    with path.open("wb") as out, tempfile.TemporaryFile(dir=path.parent) as pairs:
        for phrase, block in _blocks(iter(table)):
            if phrase in phrases:
                raise ValueError(f"the paraphrases of {phrase!r} are at two places")
            phrases[phrase] = None
            pairs.writelines(block)
            starts.append(starts[-1] + sum(map(len, block)))
            seen(3 * len(block))
        text = b"".join(phrases)[:-1]
        sizes = _Sizes(phrases=len(text), paraphrases=starts[-1], starts=len(starts) * starts.itemsize)
        out.write(msgspec.json.encode(sizes) + b"\n" + text)
        pairs.seek(0)
        shutil.copyfileobj(pairs, out)
        out.write(starts.tobytes())


def _blocks(table: Iterator[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Each phrase and its paraphrases, lines with their ends."""
    last, block = b"", list[bytes]()
    for _, phrase, paraphrase in zip(table, table, table, strict=False):
        if phrase != last:
            if block:
                yield last, block
            last, block = phrase, []
        block.append(paraphrase)
    if block:
        yield last, block
