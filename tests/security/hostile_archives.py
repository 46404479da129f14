"""Archives that a stranger might send, each built in memory by hand: (code of the refusal, file name, bytes)."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

ZEROS = bytes(16 << 20)
BOMB_BYTES = 32 * len(ZEROS)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

Data = bytes | Callable[[], bytes]  # the dear ones are made when they are wanted
Case = tuple[str, str, Data]


@dataclass(frozen=True)
class Piece:
    """A zip entry whose local header and directory entry can tell different stories."""

    name: bytes = b"good.png"
    data: bytes = PNG
    method: int = 0
    flags: int = 0
    mode: int = 0
    local_name: bytes | None = None
    size: int | None = None
    local_size: int | None = None
    crc: int | None = None
    stream: bytes | None = None

    def packed(self) -> bytes:
        """The data as they are stored."""
        if self.stream is not None:
            return self.stream
        if self.method != 8:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()

    def local(self, packed: bytes) -> bytes:
        """Local header and data."""
        name = self.name if self.local_name is None else self.local_name
        size = self.declared if self.local_size is None else self.local_size
        head = (b"PK\x03\x04", 20, self.flags, self.method, 0, 33, self.checksum, len(packed), size, len(name), 0)
        return struct.pack("<4s5H3L2H", *head) + name + packed

    def central(self, packed: bytes, offset: int) -> bytes:
        """Entry of the central directory."""
        sizes = (self.checksum, len(packed), self.declared, len(self.name), 0, 0, 0, 0, self.mode << 16, offset)
        return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 0x31E, 20, self.flags, self.method, 0, 33, *sizes) + self.name

    @property
    def declared(self) -> int:
        """The size that both headers give, unless one is told to lie alone."""
        return len(self.data) if self.size is None else self.size

    @property
    def checksum(self) -> int:
        """The CRC-32 that both headers give."""
        return zlib.crc32(self.data) if self.crc is None else self.crc


def bomb() -> bytes:
    """A deflate stream of half a gibibyte of zeros; after a full flush the same bytes may stand again."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    part = deflate.compress(ZEROS) + deflate.flush(zlib.Z_FULL_FLUSH)
    return part * 32 + deflate.flush()


def zipped(*pieces: Piece, count: int | None = None, shift: int = 0, tail: bytes = b"", overlap: bool = False) -> bytes:
    """A zip file; `count` and `shift` falsify its end record, `overlap` makes all entries share one place."""
    body, directory = io.BytesIO(), io.BytesIO()
    for piece in pieces:
        packed = piece.packed()
        directory.write(piece.central(packed, 0 if overlap else body.tell()))
        if not (overlap and body.tell()):
            body.write(piece.local(packed))
    number = len(pieces) if count is None else count
    end = (b"PK\x05\x06", 0, 0, number, number, directory.tell(), body.tell() + shift, len(tail))
    return body.getvalue() + directory.getvalue() + struct.pack("<4s4H2LH", *end) + tail


def many_zip(number: int, count: int) -> bytes:
    """`number` empty entries, of which the end record admits `count`."""
    names = [b"%06d" % index for index in range(number)]
    pieces = [Piece(name, b"") for name in names]
    return zipped(*pieces, count=count)


def wide_zip(number: int) -> bytes:
    """A zip64 end record that announces `number` entries."""
    directory = Piece().central(PNG, 0)
    body = Piece().local(PNG)
    start, end = len(body), len(body) + len(directory)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, number, number, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    return (
        body
        + directory
        + end64
        + locator
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, *[2**32 - 1] * 2, 0)
    )


def both_accents() -> tuple[str, str]:
    """One name in its composed and its decomposed spelling."""
    return unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")


def zip_cases(outside: str) -> Iterator[tuple[str, Case]]:
    """Every hostile zip; `outside` is an absolute path that must not come to be."""

    def case(title: str, code: str, data: Data) -> tuple[str, Case]:
        return f"zip: {title}", (code, "case.zip", data)

    for title, code, names in NAMES:
        raw = [outside.encode() if name == "ABSOLUTE" else name.encode() for name in names]
        yield case(title, code, zipped(*[Piece(name) for name in raw]))
    for title, mode in (("symlink", 0o120777), ("device", 0o060600), ("pipe", 0o010600), ("socket", 0o140600)):
        yield case(title, "ARCHIVE_KIND", zipped(Piece(b"link", b"/etc/passwd", mode=mode)))
    packed = Piece(method=8)
    inner = zipped(Piece())
    honest = zipped(Piece(), replace(packed, name=b"two.png"))
    yield case("name not UTF-8", "ARCHIVE_NAME", zipped(Piece(b"caf\xe9.png")))
    yield case("100,000 members", "ARCHIVE_MEMBERS", wide_zip(100_000))
    yield case("100,000 members, one admitted", "ARCHIVE_MEMBERS", lambda: many_zip(100_000, 1))
    yield case("more members than admitted", "ARCHIVE_DAMAGED", many_zip(10, 9))
    yield case("fewer members than announced", "ARCHIVE_DAMAGED", wide_zip(2))
    yield case("ratio", "ARCHIVE_RATIO", lambda: zipped(replace(packed, stream=bomb(), size=BOMB_BYTES)))
    many = [Piece(b"%d" % index, bytes(1 << 20), 8) for index in range(8)]
    yield case("ratio of many small bombs", "ARCHIVE_RATIO", lambda: zipped(*many))
    yield case("shared data", "ARCHIVE_DAMAGED", zipped(*[Piece(b"same"), Piece(b"same")], overlap=True))
    yield case("more bytes than declared", "ARCHIVE_DAMAGED", lambda: zipped(replace(packed, stream=bomb(), size=1000)))
    yield case("fewer bytes than declared", "ARCHIVE_DAMAGED", zipped(replace(packed, size=1000)))
    yield case("stored, more than declared", "ARCHIVE_DAMAGED", zipped(Piece(size=1)))
    yield case("nested", "ARCHIVE_NESTED", zipped(Piece(b"inner.zip", inner)))
    yield case("nested under another name", "ARCHIVE_NESTED", zipped(Piece(b"inner.png", inner, 8)))
    yield case("encrypted", "ARCHIVE_ENCRYPTED", zipped(Piece(flags=1)))
    yield case("unknown method", "ARCHIVE_METHOD", zipped(Piece(method=12)))
    yield case("wrong checksum", "ARCHIVE_DAMAGED", zipped(Piece(crc=1)))
    yield case("local name differs", "ARCHIVE_DAMAGED", zipped(Piece(local_name=b"../x.png")))
    yield case("local size differs", "ARCHIVE_DAMAGED", zipped(replace(packed, local_size=5)))
    yield case("directory elsewhere", "ARCHIVE_DAMAGED", zipped(Piece(), shift=3))
    yield case("directory before the start", "ARCHIVE_DAMAGED", zipped(Piece(), shift=-3))
    yield case("cut off", "ARCHIVE_DAMAGED", honest[:-30])
    yield case("no data", "ARCHIVE_DAMAGED", b"PK\x03\x04")
    yield case("garbage behind", "ARCHIVE_DAMAGED", honest + b"garbage")
    yield case("garbage before", "ARCHIVE_DAMAGED", b"PK\x03\x04" + honest)
    broken = bytearray(zipped(packed))
    broken[30 + len(packed.name)] = 0xFF
    yield case("data damaged", "ARCHIVE_DAMAGED", bytes(broken))


# title, code, names of the entries ("ABSOLUTE" stands for a path of the test's own)
NAMES: list[tuple[str, str, list[str]]] = [
    ("parent", "ARCHIVE_PATH", ["../evil"]),
    ("parent further in", "ARCHIVE_PATH", ["good/a.png", "good/../../evil"]),
    ("absolute", "ARCHIVE_PATH", ["ABSOLUTE"]),
    ("drive letter", "ARCHIVE_PATH", ["C:/evil"]),
    ("drive letter, relative", "ARCHIVE_PATH", ["c:evil"]),
    ("backslashes", "ARCHIVE_PATH", ["..\\evil"]),
    ("network path", "ARCHIVE_PATH", ["//server/share/evil"]),
    ("empty part", "ARCHIVE_PATH", ["a//b"]),
    ("NUL", "ARCHIVE_NAME", ["a\x01.png"]),
    ("right-to-left override", "ARCHIVE_NAME", ["a\u202egnp.exe"]),
    ("long part", "ARCHIVE_NAME", ["x" * 256]),
    ("long path", "ARCHIVE_NAME", ["x/" * 499 + "xyz"]),
    ("twice", "ARCHIVE_DUPLICATE", ["a.png", "a.png"]),
    ("twice, by a dot", "ARCHIVE_DUPLICATE", ["a.png", "./a.png"]),
    ("twice, by capitals", "ARCHIVE_DUPLICATE", ["a.png", "A.PNG"]),
    ("twice, by accents", "ARCHIVE_DUPLICATE", list(both_accents())),
    ("file and folder", "ARCHIVE_DUPLICATE", ["a", "A/b"]),
]


def entry(name: str, data: bytes = PNG, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A tar entry."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


def tarred(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zeros() -> bytes:
    """A gzip file of half a gibibyte of zeros: gzip files may be joined."""
    return gzip.compress(ZEROS) * 32


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A ustar header with a right checksum and any size field."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def tar_cases(outside: str) -> Iterator[tuple[str, Case]]:
    """Every hostile tar; those marked gz come as tar.gz too."""

    def case(title: str, code: str, data: Data) -> tuple[str, Case]:
        return f"tar: {title}", (code, "case.tar", data)

    def packed(title: str, code: str, data: Data) -> tuple[str, Case]:
        return f"tar.gz: {title}", (code, "case.tar.gz", data)

    def both(title: str, code: str, data: bytes) -> list[tuple[str, Case]]:
        return [case(title, code, data), packed(title, code, gzip.compress(data, 1))]

    for title, code, names in NAMES:
        entries = [entry(outside if name == "ABSOLUTE" else name) for name in names]
        yield from both(title, code, tarred(*entries))
    kinds = {"symlink": b"2", "hard link": b"1", "device": b"4", "terminal": b"3", "pipe": b"6", "unknown kind": b"Z"}
    for title, kind in kinds.items():
        yield from both(title, "ARCHIVE_KIND", tarred(entry("link", b"", kind, "/etc/passwd"), entry("link/x")))
    end = bytes(1024)
    good = tarred(entry("good.png"), entry("two.png"))
    yield case("name not UTF-8", "ARCHIVE_NAME", header(b"caf\xe9.png", b"0") + end)
    yield case("100,000 members", "ARCHIVE_MEMBERS", lambda: header(b"a", b"0") * 100_000 + end)
    yield packed("100,000 members", "ARCHIVE_MEMBERS", lambda: gzip.compress(header(b"a", b"0") * 100_000 + end, 1))
    yield case("140,000 extended headers", "ARCHIVE_MEMBERS", lambda: header(b"a", b"0", b"x") * 140_000 + end)
    yield packed("ratio", "ARCHIVE_RATIO", lambda: gzip.compress(header(b"a", b"%o" % BOMB_BYTES)) + zeros())
    yield packed("ratio behind honest data", "ARCHIVE_RATIO", lambda: gzip.compress(good[:2048]) + zeros())
    yield case("size of 8 TB", "ARCHIVE_DAMAGED", header(b"a", b"\x80" + (1 << 43).to_bytes(11)) + end)
    yield case("negative size", "ARCHIVE_DAMAGED", header(b"a", b"-7") + end)
    yield case("extended header of 2 GB", "ARCHIVE_DAMAGED", header(b"a", b"17777777777", b"x") + end)
    yield case("long name of 2 GB", "ARCHIVE_DAMAGED", header(b"a", b"17777777777", b"L") + end)
    record = b"30 size=99999999999999999999999\n"
    yield case("size that is no number", "ARCHIVE_DAMAGED", extended(b"12 size=-99\n") + header(b"a", b"0") + end)
    yield case("record without end", "ARCHIVE_DAMAGED", extended(record[:20]) + header(b"a", b"0") + end)
    yield case("record of no length", "ARCHIVE_DAMAGED", extended(b"0 path=a\n") + header(b"a", b"0") + end)
    sparse = b"22 GNU.sparse.major=1\n"
    yield case("sparse", "ARCHIVE_KIND", extended(sparse) + header(b"a", b"0") + end)
    yield case("nested", "ARCHIVE_NESTED", tarred(entry("inner.tar", good)))
    yield case("nested under another name", "ARCHIVE_NESTED", tarred(entry("inner.png", zipped(Piece()))))
    yield case("cut off in the data", "ARCHIVE_DAMAGED", good[:1536])
    yield case("end mark missing", "ARCHIVE_DAMAGED", good[:2048])
    yield case("broken header in the middle", "ARCHIVE_DAMAGED", good[:1024] + b"x" + good[1025:])
    yield packed("cut off", "ARCHIVE_DAMAGED", gzip.compress(good)[:-12])
    yield packed("wrong checksum at the end", "ARCHIVE_DAMAGED", gzip.compress(good)[:-8] + bytes(8))
    yield packed("no tar inside", "ARCHIVE_DAMAGED", gzip.compress(b"{}" * 1000))
    start = b"\x1f\x8b\x08\x08" + bytes(6)
    yield packed("endless name in the gzip header", "ARCHIVE_DAMAGED", lambda: start + b"a" * (20 << 20))


def extended(text: bytes) -> bytes:
    """A pax header with these records."""
    return header(b"x", b"%o" % len(text), b"x") + text + bytes(-len(text) % 512)


def other_cases(_: str) -> Iterator[tuple[str, Case]]:
    """What is no archive at all."""
    yield "empty file", ("ARCHIVE_FORMAT", "case.zip", b"")
    yield "error page", ("ARCHIVE_FORMAT", "case.zip", b"<!DOCTYPE html><html>" * 100)
    seven = b"7z\xbc\xaf\x27\x1c" + bytes(100)
    yield "7z", ("ARCHIVE_FORMAT", "case.7z", seven)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", PNG)
    yield "self-extracting", ("ARCHIVE_FORMAT", "case.zip", b"#!/bin/sh\n" + out.getvalue())


def cases(outside: str) -> dict[str, Case]:
    """All of them, by title."""
    return dict([*zip_cases(outside), *tar_cases(outside), *other_cases(outside)])
