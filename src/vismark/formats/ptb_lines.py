"""What pycocoevalcap does around Stanford's tokenizer: captions become lines, and punctuation is removed."""

from __future__ import annotations

import re

# Removed by pycocoevalcap, in this spelling: `-lrb-` and its kin, which lower-casing leaves, stay.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
# The program starts a new line at each of them and so shifts all later captions; a blank does not.
_LINE_BREAKS = re.compile("[\n\r\v\f\u2028\u2029]")

# A str may hold halves of surrogate pairs; text that is sent on may not.
_LONE = re.compile("[\ud800-\udfff]")


def one_line(caption: str) -> str:
    """`caption` with every character that breaks lines replaced by a blank, and lone surrogates by U+FFFD.

    Raises:
        TypeError: it is not a string.
    """
    if not isinstance(caption, str):
        raise TypeError(f"a caption is a string, not {type(caption).__name__}")
    if caption.isascii() and caption.isprintable():
        return caption
    return _LINE_BREAKS.sub(" ", _LONE.sub("\ufffd", caption))


def without_punctuation(raw: str) -> str:
    """A line of the program's output without the tokens that pycocoevalcap removes."""
    return " ".join([token for token in raw.rstrip().split(" ") if token not in PUNCTUATION])
