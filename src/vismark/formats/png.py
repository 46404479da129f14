"""PNG files from strangers: the chunk structure is checked before a pixel is decoded."""

from __future__ import annotations

import io
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vismark.problems import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
_OTHERS = {
    b"\xff\xd8": "a JPEG",
    b"II*\x00": "a TIFF",
    b"MM\x00*": "a TIFF",
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"RIFF": "a WebP",
    b"%!PS": "a PostScript file",
    b"<svg": "an SVG",
    b"<?xml": "an XML or SVG file",
    b"PK": "a zip",
}
# Text, colour profiles and the like; real masks have none, bombs hide there.
_ANCILLARY_LIMIT = 64 * 1024
# What compressed metadata may unpack to; Pillow, and so the official tools, refuse more too.
_UNPACKED_LIMIT = 1 << 20
# Name, then the bytes before the compressed data: method; flag, method; nothing else is compressed.
_COMPRESSED = {b"iCCP": 1, b"zTXt": 1, b"iTXt": 2}
# Pixels. Decoders allocate what the header states, and some end the process when they cannot.
_PIXEL_LIMIT = 100_000_000

Fault = Literal["PATH", "MISSING", "UNREADABLE", "FORMAT", "SIZE", "BYTES", "INTERLACED"]


class PngFault(Exception):
    """Why a PNG was refused: `fault` is the kind, the text a sentence, `fix` the remedy."""

    def __init__(self, fault: Fault, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fault: Fault = fault
        self.fix = fix


@dataclass(frozen=True)
class Header:
    """What the header of a PNG says: size in pixels, bits a channel, the kind of its pixels."""

    width: int
    height: int
    depth: int
    colour: str
    interlaced: bool


def plain_name(name: str) -> bool:
    """Whether `name` names a file in the same folder: no path, no drive, nothing hidden, no control character."""
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= 255
        and not name.startswith(".")
        and not any(c in '/\\:*?"<>|' or not c.isprintable() for c in name)
    )


def read_file(path: Path, limit: int, *, links: bool = False) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; devices and pipes are refused, and links unless `links`.

    Raises:
        PngFault: PATH, MISSING, UNREADABLE or BYTES.
    """
    try:
        status = path.stat() if links else path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise PngFault("PATH", "is a link, a folder or a device, no plain file", "Put the file itself here.")
        if status.st_size > limit:
            message = f"has {status.st_size:,} bytes; an image of this size has at most {limit:,}"
            raise PngFault("BYTES", message, "Write a plain PNG without metadata.")
        return path.read_bytes()
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the name
        raise PngFault("MISSING", "does not exist", "Write one PNG for each annotation.") from None
    except OSError as error:
        raise PngFault("UNREADABLE", f"cannot be read: {error.strerror}") from error


def inspect(data: bytes) -> Header:
    """The header of a PNG whose chunks are all there, in bounds, and free of animation and bulky metadata.

    Raises:
        PngFault: FORMAT (not a PNG, animated, malformed), UNREADABLE (truncated), BYTES (metadata).
    """
    if not data.startswith(_SIGNATURE):
        start = data[:64].lstrip()
        what = next((name for mark, name in _OTHERS.items() if start.startswith(mark)), "no PNG")
        raise PngFault(
            "FORMAT", f"is {what if data else 'empty'}", "Write PNG files; other formats lose or shift segment ids."
        )
    header, ancillary = None, 0
    for kind, body, length in _chunks(data):
        if header is None:
            header = _header(data, body, length, kind)
        elif kind == b"IHDR":
            # Decoders differ in which header they believe.
            raise PngFault("FORMAT", "has two headers", "Write it again.")
        elif kind in (b"acTL", b"fcTL", b"fdAT"):
            raise PngFault("FORMAT", "is animated", "Write a plain PNG with one image.")
        elif kind[:1].islower():
            ancillary += length
            _check_metadata(kind, data[body : body + min(length, _ANCILLARY_LIMIT)], ancillary)
    if header is None:
        raise PngFault("FORMAT", "does not start with a PNG header", "Write it again.")
    return header


def intact(data: bytes) -> None:
    """Refuse an inspected PNG with a chunk whose checksum is wrong: some bytes of it have changed.

    Raises:
        PngFault: UNREADABLE.
    """
    view = memoryview(data)
    for _, body, length in _chunks(data):
        if zlib.crc32(view[body - 4 : body + length]) != int.from_bytes(view[body + length : body + length + 4]):
            raise PngFault("UNREADABLE", "is damaged: a checksum is wrong", "Copy or write it again.")


def expect(header: Header, size: tuple[int, int] | None) -> None:
    """Refuse a header whose (height, width) is not `size`, or, when no size is known, one over 100 million pixels.

    Raises:
        PngFault: SIZE; the message states both sizes.
    """
    stated = f"is {header.width}×{header.height} pixels"
    if size is None:
        if header.width * header.height > _PIXEL_LIMIT:
            raise PngFault("SIZE", f"{stated}; the limit is {_PIXEL_LIMIT:,} altogether", "Check the file.")
    elif (header.height, header.width) != size:
        swapped = "height and width are swapped" if (header.width, header.height) == size else "resize with nearest"
        message = f"{stated}, the image is {size[1]}×{size[0]} (width×height)"
        raise PngFault("SIZE", message, f"Write it at the size of the image: {swapped}.")


def decode(data: bytes) -> NDArray[np.uint8]:
    """The pixels of an inspected PNG as uint8, shape (height, width) or (height, width, channels).

    Raises:
        PngFault: UNREADABLE when the compressed data is broken.
    """
    return _pixels(data, "uint8")


def decode_values(data: bytes) -> NDArray[np.int32]:
    """The values of an inspected PNG of one channel with 8 or 16 bits as int32, shape (height, width).

    Raises:
        PngFault: UNREADABLE when the compressed data is broken.
    """
    return _pixels(data, "int32")


def _pixels(data: bytes, kind: str) -> NDArray[Any]:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return np.asarray(image, dtype=kind)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PngFault("UNREADABLE", f"cannot be decoded: {error}", "Write it again.") from error


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of every chunk before the last, which must be there."""
    position = len(_SIGNATURE)
    while True:
        if position + 12 > len(data):
            raise PngFault("UNREADABLE", "ends before its last chunk: the file is truncated", "Write it again.")
        length, kind = struct.unpack_from(">I4s", data, position)
        body, position = position + 8, position + 12 + length
        if position > len(data):
            raise PngFault("UNREADABLE", "ends inside a chunk: the file is truncated", "Write it again.")
        if kind == b"IEND":
            return
        yield kind, body, length


def _check_metadata(kind: bytes, body: bytes, total: int) -> None:
    name, unpacked = printable(kind.decode("latin-1")), 0
    if kind in _COMPRESSED:
        rest = body[body.find(b"\0") + 1 + _COMPRESSED[kind] :]
        packed = rest.split(b"\0", 2)[-1] if kind == b"iTXt" else rest  # after the language and the translated name
        unpacked = _unpacked(packed)
    if total > _ANCILLARY_LIMIT or unpacked > _UNPACKED_LIMIT:
        size = f"over {_UNPACKED_LIMIT:,} bytes unpacked" if unpacked > _UNPACKED_LIMIT else f"{total:,} bytes"
        raise PngFault("BYTES", f"carries metadata of {size} ({name} …)", "Write it without metadata.")


def _unpacked(packed: bytes) -> int:
    """Bytes that `packed` inflates to, counted up to just over the limit; 0 when it is no zlib stream."""
    try:
        return len(zlib.decompressobj().decompress(packed, _UNPACKED_LIMIT + 1))
    except zlib.error:
        return 0


def _header(data: bytes, body: int, length: int, kind: bytes) -> Header:
    if kind != b"IHDR" or length != 13:
        raise PngFault("FORMAT", "does not start with a PNG header", "Write it again.")
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", data, body)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise PngFault("FORMAT", f"states the impossible size {width}×{height}", "Write it again.")
    return Header(width, height, depth, _COLOURS.get(colour, f"unknown pixel type {colour}"), bool(interlace))
