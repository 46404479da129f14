"""Reads tar and tar.gz files written by strangers, header by header, with a bound on everything that a header claims.

The standard library's reader takes a broken header in the middle for the end of the archive and reads extended
headers of any size into memory. Format: POSIX.1-2017 pax, ustar, and GNU long names.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Collection, Iterator
from typing import IO, Literal

from vismark.problems import refuse
from vismark.runtime.archive_rules import CHUNK, Limits, Member, damaged, readable, too_many

_BLOCK = 512
_LONGEST_HEADER = 1 << 16
# Writers put at most one extended header before an entry, and now and then a global one.
_SPARE_HEADERS = 100
_OCTAL = re.compile(rb"[0-7]*")
_PAX = re.compile(rb"([0-9]{1,6}) ([^=\n]+)=")
_OTHER = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
}


class Tar:
    """An open tar file; the constructor reads every header (and so decompresses a tar.gz once).

    Args:
        file: seekable binary file.
        label: name for the messages.

    Raises:
        vismark.problems.Refused: ARCHIVE_DAMAGED, ARCHIVE_MEMBERS, ARCHIVE_RATIO, ARCHIVE_SIZE.
    """

    def __init__(self, file: IO[bytes], label: str, limits: Limits) -> None:
        self._file = file
        self._label = label
        self._limits = limits
        self._entries = list(self._walk())

    @property
    def members(self) -> list[Member]:
        """Every entry, in the order of the file."""
        return [member for member, _ in self._entries]

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Name → (first byte in the file, bytes) of every plain file; only where the tar itself is not compressed."""
        assert self._stream() is self._file, "bytes of a tar.gz have no place of their own"
        return {member.name: (start, member.bytes) for member, start in self._entries if member.kind == "file"}

    def contents(self, names: Collection[str]) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """The named files with their bytes in pieces of at most 64 KiB; each must be read before the next."""
        stream = self._stream()
        for member, start in self._entries:
            if member.kind == "file" and member.name in names:
                stream.seek(start)
                yield member, self._pieces(stream, member)

    def _stream(self) -> IO[bytes]:
        self._file.seek(0)
        zipped = self._file.read(2) == b"\x1f\x8b"
        self._file.seek(0)
        return io.BufferedReader(_Gunzipped(self._file, self._label, self._limits)) if zipped else self._file

    def _pieces(self, stream: IO[bytes], member: Member) -> Iterator[bytes]:
        left = member.bytes
        while left:
            data = stream.read(min(left, CHUNK))
            if not data:
                raise damaged(self._label, "the file is cut off", member.name)
            left -= len(data)
            yield data

    def _walk(self) -> Iterator[tuple[Member, int]]:
        """Every entry with the place of its data."""
        stream = self._stream()
        path, size, sparse = b"", None, False
        at = found = headers = 0
        while any(block := self._block(stream, at)):
            at += _BLOCK
            headers += 1
            kind, length = block[156:157], _number(block[124:136])
            if length is None or not _is_header(block):
                raise damaged(self._label, f"the header at byte {at - _BLOCK:,} is wrong")
            if found == self._limits.members or headers > 2 * self._limits.members + _SPARE_HEADERS:
                raise too_many(self._label, self._limits)
            if kind in b"xgLK":
                text = self._header_text(stream, length)
                at += _padded(length)
                if kind == b"L":
                    path = text.rstrip(b"\0")
                elif kind == b"x":
                    fields = self._pax(text)
                    path = fields.get(b"path", path)
                    size = fields.get(b"size", size)
                    sparse = any(key.startswith(b"GNU.sparse") for key in fields)
                continue
            member = self._member(block, path or _plain_name(block), length if size is None else size, sparse)
            yield member, at
            path, size, sparse = b"", None, False
            found += 1
            at += _padded(member.bytes)
        # The checksum of a gzip file stands at its end.
        while stream is not self._file and stream.read(CHUNK):
            pass

    def _block(self, stream: IO[bytes], at: int) -> bytes:
        stream.seek(at)
        block = stream.read(_BLOCK)
        if len(block) != _BLOCK:
            raise damaged(self._label, "the file is cut off: the mark of its end is missing")
        return block

    def _header_text(self, stream: IO[bytes], size: int) -> bytes:
        text = stream.read(size) if size <= _LONGEST_HEADER else b""
        if len(text) != size:
            raise damaged(self._label, f"an extended header claims {size:,} bytes")
        return text

    def _pax(self, text: bytes) -> dict[bytes, bytes]:
        """The records of an extended header: ``LENGTH KEY=VALUE\\n`` each."""
        fields: dict[bytes, bytes] = {}
        at = 0
        while at < len(text):
            head = _PAX.match(text, at)
            stop = at + int(head[1]) if head else 0
            if head is None or not head.end() < stop <= len(text) or text[stop - 1 : stop] != b"\n":
                raise damaged(self._label, "an extended header is broken")
            fields[head[2]] = text[head.end() : stop - 1]
            at = stop
        return fields

    def _member(self, block: bytes, raw: bytes, size: int | bytes, sparse: bool) -> Member:
        if isinstance(size, bytes):
            if not size.isdigit() or len(size) > 18:
                raise damaged(self._label, "an extended header gives a size that is no number")
            size = int(size)
        mark = block[156:157]
        kind: Literal["file", "folder", "other"] = "other"
        if mark in b"07\0" and not sparse:
            kind = "folder" if raw.endswith(b"/") else "file"
        elif mark == b"5":
            kind = "folder"
        what = _OTHER.get(b"S" if sparse else mark, "of an unknown kind") if kind == "other" else ""
        return Member(readable(raw), size if kind == "file" else 0, kind, what)


class _Gunzipped(io.RawIOBase):
    """The bytes inside a gzip file, read forward only; stops where they outgrow the limits."""

    def __init__(self, file: IO[bytes], label: str, limits: Limits) -> None:
        self._file = file
        self._label = label
        self._limits = limits
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._waiting = b""
        self._made = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Forward, yes."""
        return True

    def tell(self) -> int:
        """Bytes given out so far."""
        return self._made

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Skip forward to `offset`; the end of the data ends the skipping."""
        while self._made < offset and self._more(min(offset - self._made, CHUNK)):
            pass
        return self._made

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill a part of `buffer`; 0 at the end."""
        data = self._more(min(len(buffer), CHUNK))
        buffer[: len(data)] = data
        return len(data)

    def _more(self, size: int) -> bytes:
        data = b""
        while not data:
            if not self._waiting:
                self._waiting = self._file.read(CHUNK)
            if not self._waiting:
                break
            data = self._inflated(size)
        if not data and not self._inflate.eof:
            raise damaged(self._label, "the gzip data are cut off")
        self._made += len(data)
        self._check_bounds()
        return data

    def _inflated(self, size: int) -> bytes:
        if self._inflate.eof:
            # Gzip files may be joined end to end (parallel packers do so), and zeros may follow the last one.
            self._waiting = self._waiting.lstrip(b"\0")
            if not self._waiting:
                return b""
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            data = self._inflate.decompress(self._waiting, size)
        except zlib.error as error:
            raise damaged(self._label, f"does not decompress: {error}") from error
        self._waiting = self._inflate.unconsumed_tail or self._inflate.unused_data
        return data

    def _check_bounds(self) -> None:
        limits, packed = self._limits, self._file.tell()
        if self._made > limits.total_bytes:
            raise refuse("ARCHIVE_SIZE", f"unpacks to more than {limits.total_bytes:,} bytes", file=self._label)
        if self._made > limits.ratio_from and self._made > limits.ratio * packed:
            message = f"unpacks to {self._made:,} bytes from {packed:,}, and goes on: a bomb"
            raise refuse("ARCHIVE_RATIO", message, file=self._label)


def _number(field: bytes) -> int | None:
    """The number in a header field: octal digits, or binary where the first bit is set; None when it is neither."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:])
    digits = field.strip(b" \0")
    return int(digits or b"0", 8) if _OCTAL.fullmatch(digits) else None


def _is_header(block: bytes) -> bool:
    """Whether the checksum, the sum of all bytes, is right; its own field counts as eight spaces."""
    claimed = _number(block[148:156])
    # The low half of Adler-32 is 1 + the sum, modulo 65521: ten times as fast as `sum`, which hostile archives strain.
    known = zlib.adler32(block[:148] + b" " * 8 + block[156:]) & 0xFFFF
    return claimed is not None and (claimed + 1) % 65521 == known


def _plain_name(block: bytes) -> bytes:
    """The name in the header itself; POSIX archives (not GNU's) may put its first part into a second field."""
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
