"""Reads zip files written by strangers: the central directory is believed only where the local headers agree.

The standard library's reader makes an object of every entry before anything can be counted and ignores what the local
headers say; this one stops at the first bound. Format: APPNOTE.TXT 6.3.10 (PKWARE), methods «stored» and «deflated».
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO, Literal

from vismark.problems import refuse
from vismark.runtime.archive_rules import CHUNK, LONGEST_NAME, Limits, Member, damaged, readable, too_many

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_WIDE = 0xFFFFFFFF
_ENCRYPTED, _DESCRIPTOR = 0x1, 0x8
_STORED, _DEFLATED = 0, 8
_OTHER = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    member: Member
    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    offset: int


class Zip:
    """An open zip file; the constructor reads and checks its structure.

    Args:
        file: seekable binary file.
        label: name for the messages.

    Raises:
        vismark.problems.Refused: ARCHIVE_DAMAGED, ARCHIVE_MEMBERS, ARCHIVE_ENCRYPTED, ARCHIVE_METHOD.
    """

    def __init__(self, file: IO[bytes], label: str, limits: Limits) -> None:
        self._file = file
        self._label = label
        self._starts: dict[int, int] = {}
        start, end, count = self._directory()
        if count > limits.members:
            raise too_many(label, limits)
        self._entries = sorted(self._read_directory(start, end, limits), key=lambda entry: entry.offset)
        if len(self._entries) != count:
            raise damaged(label, f"the directory counts {count:,} entries and holds {len(self._entries):,}")
        self._check_local(start)

    @property
    def members(self) -> list[Member]:
        """Every entry, in the order of the data."""
        return [entry.member for entry in self._entries]

    def contents(self, names: Collection[str]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """The named files with their bytes in pieces of at most 64 KiB; each must be read before the next.

        Raises:
            vismark.problems.Refused: the data do not decode, or differ from the declared size or checksum.
        """
        for entry in self._entries:
            if entry.member.kind == "file" and entry.member.name in names:
                yield entry.member, self._verified(entry)

    def place(self, name: str) -> int | None:
        """Where the bytes of the file `name` begin when they are stored as they are; None when they are compressed.

        Raises:
            KeyError: there is no such file.
        """
        for entry in self._entries:
            if entry.member.name == name and entry.member.kind == "file":
                return self._starts[entry.offset] if entry.method == _STORED else None
        raise KeyError(name)

    def _directory(self) -> tuple[int, int, int]:
        """First byte, end and number of entries of the central directory."""
        length = self._file.seek(0, 2)
        first = max(0, length - _END.size - 0xFFFF)
        tail = self._read(first, length - first)
        at = tail.rfind(b"PK\x05\x06")
        while at >= 0 and not self._is_end(tail, at):
            at = tail.rfind(b"PK\x05\x06", 0, at)
        if at < 0:
            raise damaged(self._label, "the zip file has no end record: it is cut off, or something follows it")
        _, disk, first_disk, here, count, size, start, _ = _END.unpack_from(tail, at)
        end = first + at
        if end >= _LOCATOR.size and self._read(end - _LOCATOR.size, 4) == b"PK\x06\x07":
            end, wide = self._wide_end(end - _LOCATOR.size)
            numbers = zip((here, count, size, start), (0xFFFF, 0xFFFF, _WIDE, _WIDE), wide, strict=True)
            if any(number not in (mark, value) for number, mark, value in numbers):
                raise damaged(self._label, "the two end records of the zip file contradict one another")
            here, count, size, start = wide
        if disk or first_disk or here != count or start + size != end:
            raise damaged(self._label, "the end record does not point at the central directory")
        return start, end, count

    @staticmethod
    def _is_end(tail: bytes, at: int) -> bool:
        whole = at + _END.size <= len(tail)
        return whole and at + _END.size + int(_END.unpack_from(tail, at)[-1]) == len(tail)

    def _wide_end(self, locator: int) -> tuple[int, tuple[int, int, int, int]]:
        """Place and (entries here, entries, size, start) of the zip64 end record."""
        _, disk, at, disks = _LOCATOR.unpack(self._read(locator, _LOCATOR.size))
        if disk or disks > 1 or at + _END64.size > locator:
            raise damaged(self._label, "the zip64 locator points nowhere")
        mark, size, _, _, _, _, here, count, length, start = _END64.unpack(self._read(at, _END64.size))
        if mark != b"PK\x06\x06" or at + 12 + size != locator:
            raise damaged(self._label, "the zip64 end record is not where it should be")
        return at, (here, count, length, start)

    def _read_directory(self, start: int, end: int, limits: Limits) -> Iterator[_Entry]:
        self._file.seek(start)
        found = 0
        while start < end:
            head = self._take(_CENTRAL.size)
            mark, _, _, flags, method, _, _, crc, packed, size, n, e, c, _, _, mode, offset = _CENTRAL.unpack(head)
            if mark != b"PK\x01\x02":
                raise damaged(self._label, "the central directory holds something that is no entry")
            if n > LONGEST_NAME:
                raise refuse("ARCHIVE_NAME", f"a name of {n:,} bytes is too long", file=self._label)
            raw, extra, _ = self._take(n), self._take(e), self._take(c)
            size, packed, offset = self._widened(extra, size, packed, offset)
            start += _CENTRAL.size + n + e + c
            found += 1
            if found > limits.members:
                raise too_many(self._label, limits)
            kind, what = _kind(raw, mode >> 16)
            member = Member(readable(raw), size if kind == "file" else 0, kind, what, packed)
            self._check_method(member, flags, method)
            yield _Entry(member, raw, flags, method, crc, packed, offset)
        if start != end:
            raise damaged(self._label, "the central directory does not end where it says")

    def _check_method(self, member: Member, flags: int, method: int) -> None:
        if flags & _ENCRYPTED:
            fix = "Pack again without a password."
            raise refuse("ARCHIVE_ENCRYPTED", "is encrypted", file=self._label, item=member.name, fix=fix)
        if method not in (_STORED, _DEFLATED):
            fix = "Pack again with the usual method, deflate."
            raise refuse("ARCHIVE_METHOD", f"uses method {method}", file=self._label, item=member.name, fix=fix)

    def _widened(self, extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
        """The three numbers, those that do not fit into 32 bits taken from the zip64 extra field."""
        if _WIDE not in (size, packed, offset):
            return size, packed, offset
        at = 0
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, at)
            body = extra[at + 4 : at + 4 + length]
            at += 4 + length
            if kind == 1:
                wide = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
                numbers = [next(wide, -1) if number == _WIDE else number for number in (size, packed, offset)]
                if -1 not in numbers:
                    return numbers[0], numbers[1], numbers[2]
        raise damaged(self._label, "the central directory lacks a zip64 size")

    def _check_local(self, directory: int) -> None:
        """Every local header must repeat what the directory says, and no two entries may share bytes."""
        stop = 0
        for entry in self._entries:
            if entry.offset < stop or entry.offset + _LOCAL.size > directory:
                raise damaged(self._label, "two entries share the same bytes, or lie outside", entry.member.name)
            head = self._read(entry.offset, _LOCAL.size + len(entry.raw))
            mark, _, flags, method, _, _, crc, packed, size, n, e = _LOCAL.unpack_from(head)
            same = mark == b"PK\x03\x04" and method == entry.method and head[_LOCAL.size :] == entry.raw
            if not same or n != len(entry.raw) or (flags ^ entry.flags) & (_ENCRYPTED | _DESCRIPTOR):
                raise damaged(self._label, "the local header contradicts the central directory", entry.member.name)
            later = (0,) if flags & _DESCRIPTOR else ()
            agrees = packed in (entry.packed, _WIDE, *later) and crc in (entry.crc, *later)
            if not agrees or (entry.member.kind == "file" and size not in (entry.member.bytes, _WIDE, *later)):
                raise damaged(self._label, "local header and central directory give different sizes", entry.member.name)
            self._starts[entry.offset] = entry.offset + _LOCAL.size + n + e
            stop = self._starts[entry.offset] + entry.packed
        if stop > directory:
            raise damaged(self._label, "the data run into the central directory")

    def _verified(self, entry: _Entry) -> Iterator[bytes]:
        made = crc = 0
        try:
            for piece in self._unpacked(entry):
                made += len(piece)
                if made > entry.member.bytes:
                    break
                crc = zlib.crc32(piece, crc)
                yield piece
        except zlib.error as error:
            raise damaged(self._label, f"does not decompress: {error}", entry.member.name) from error
        if made != entry.member.bytes:
            raise damaged(self._label, f"holds other than the declared {entry.member.bytes:,} bytes", entry.member.name)
        if crc != entry.crc:
            raise damaged(self._label, "has a wrong checksum", entry.member.name)

    def _unpacked(self, entry: _Entry) -> Iterator[bytes]:
        self._file.seek(self._starts[entry.offset])
        left = entry.packed
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        while left:
            data = self._take(min(left, CHUNK))
            left -= len(data)
            if entry.method == _STORED:
                yield data
                continue
            while data and not inflate.eof:
                yield inflate.decompress(data, CHUNK)
                data = inflate.unconsumed_tail
        if entry.method == _DEFLATED:
            yield inflate.flush()
            if not inflate.eof or inflate.unused_data:
                raise damaged(self._label, "is cut off, or longer than it says", entry.member.name)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._take(size)

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise damaged(self._label, "the file is cut off")
        return data


def _kind(raw: bytes, mode: int) -> tuple[Literal["file", "folder", "other"], str]:
    """What an entry is. Modes that mean nothing do occur (0o177777 for folders, by a Java packer) and do not count."""
    what = _OTHER.get(stat.S_IFMT(mode), "")
    if what:
        return "other", what
    return ("folder", "") if raw.endswith(b"/") else ("file", "")
