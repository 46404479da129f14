"""The hold-out: training images that give people a number while the validation captions are not released.

Which images are held out follows from their names alone, so it is the same for everybody and for ever, whatever part
of the release is here. Who reports a number on it leaves these images out of the training data.
"""

from __future__ import annotations

import hashlib

# Raised never: another rule gets another name.
_RULE = "vismark pancap hold-out 1: "


def held_out(id: str, one_in: int) -> bool:
    """Whether the image with the name `id` (``000000000009``) is held out; about one in `one_in` is.

    The first 8 bytes of sha256 of the rule's name and the image's, as a big-endian number, are a multiple of `one_in`.
    """
    return int.from_bytes(hashlib.sha256((_RULE + id).encode()).digest()[:8]) % one_in == 0
