"""Reads the constants of a compiled Java class: data only, no byte code is looked at (JVM specification, chapter 4)."""

from __future__ import annotations

import struct

_UTF8, _INTEGER, _STRING = 1, 3, 8
# Bytes after the tag of each other kind of constant.
_SIZES = {4: 4, 5: 8, 6: 8, 7: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4}
_TWO_SLOTS = (5, 6)

Pool = list[str | int | tuple[int] | None]


def constants(data: bytes) -> dict[str, str | int]:
    """Name → value of every field of the class that is a string or integer constant.

    Strings hold one UTF-16 code unit a character, as in Java.

    Raises:
        ValueError: `data` is no class file.
    """
    if data[:4] != b"\xca\xfe\xba\xbe":
        raise ValueError("not a Java class file")
    pool, at = _pool(data)
    (interfaces,) = struct.unpack_from(">H", data, at + 6)
    at += 8 + 2 * interfaces
    (fields,) = struct.unpack_from(">H", data, at)
    at += 2
    found = {}
    for _ in range(fields):
        _, name, _, attributes = struct.unpack_from(">4H", data, at)
        at += 8
        for _ in range(attributes):
            kind, size = struct.unpack_from(">HI", data, at)
            if pool[kind] == "ConstantValue":
                value = pool[struct.unpack_from(">H", data, at + 6)[0]]
                found[str(pool[name])] = _resolved(value, pool)
            at += 6 + size
    return found


def _pool(data: bytes) -> tuple[Pool, int]:
    """The constant pool (strings, integers, and strings by their index) and the offset behind it."""
    (count,) = struct.unpack_from(">H", data, 8)
    pool: Pool = [None] * count
    at, index = 10, 1
    while index < count:
        tag = data[at]
        at += 1
        if tag == _UTF8:
            (size,) = struct.unpack_from(">H", data, at)
            # Java writes NUL as two bytes and code units beyond the first plane as surrogates.
            raw = data[at + 2 : at + 2 + size].replace(b"\xc0\x80", b"\0")
            pool[index] = raw.decode("utf-8", "surrogatepass")
            at += 2 + size
        elif tag == _INTEGER:
            (pool[index],) = struct.unpack_from(">i", data, at)
            at += 4
        elif tag == _STRING:
            pool[index] = struct.unpack_from(">H", data, at)
            at += 2
        else:
            at += _SIZES[tag]
        index += 2 if tag in _TWO_SLOTS else 1
    return pool, at


def _resolved(value: str | int | tuple[int] | None, pool: Pool) -> str | int:
    target = pool[value[0]] if isinstance(value, tuple) else value
    if not isinstance(target, str | int):
        raise ValueError("a constant of the class is neither a string nor an integer")
    return target
