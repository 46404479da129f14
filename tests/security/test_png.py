"""PNG files that try something: each is refused cleanly, quickly, and before a pixel is decoded."""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

import vismark
from bounded import MEGABYTES, SECONDS, Report, checked, tree
from panoptic_builder import SIZE, Case, build, chunk, official, png_bytes, rgb

HEIGHT, WIDTH = SIZE
SIGNATURE = b"\x89PNG\r\n\x1a\n"
BOMB = 60 << 20


def lines(case: Case) -> bytes:
    """The filtered lines of the first map, as they are compressed in a PNG."""
    return b"".join(b"\0" + line.tobytes() for line in rgb(case.maps[139]))


def with_chunk(case: Case, kind: bytes, body: bytes, place: str = "before") -> bytes:
    return png_bytes(WIDTH, HEIGHT, idat=zlib.compress(lines(case)), **{place: chunk(kind, body)})


def header(width: int, height: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


@cache
def pixel_bomb() -> bytes:
    """13,000 × 13,000 black pixels in half a megabyte."""
    packer, line = zlib.compressobj(6), bytes(1 + 3 * 13_000)
    idat = b"".join(packer.compress(line * 500) for _ in range(26)) + packer.flush()
    return png_bytes(13_000, 13_000, idat=idat)


def saved(case: Case, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb(case.maps[139])).convert(mode).save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


def damaged(case: Case, kind: bytes) -> bytes:
    """The checksum of one chunk is wrong."""
    data = bytearray(saved(case))
    start = data.index(kind)
    end = start + 4 + int.from_bytes(data[start - 4 : start], "big")
    data[end] ^= 1
    return bytes(data)


def sparse(case: Case) -> None:
    """A text chunk of 2 GB, as a file with a hole."""
    with case.png.open("wb") as file:
        file.write(SIGNATURE + chunk(b"IHDR", header(WIDTH, HEIGHT)) + struct.pack(">I", 2**31 - 1) + b"tEXt")
        file.truncate(2**31 + 100)


def special(make: Callable[[Path], object]) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        case.png.unlink()
        make(case.png)

    return change


def bind(path: Path) -> None:
    """A socket; its name is bound from within the folder because it may have only about 100 characters."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


BYTES: dict[str, tuple[str, Callable[[Case], bytes]]] = {
    "pixel bomb": ("SUB_PNG_SIZE", lambda c: pixel_bomb()),
    "header of 270 GB": ("SUB_PNG_SIZE", lambda c: png_bytes(300_000, 300_000, idat=b"")),
    "header of 2^31 × 2^31": ("SUB_PNG_FORMAT", lambda c: png_bytes(2**31, 2**31, idat=b"")),
    "header of 0 × 0": ("SUB_PNG_FORMAT", lambda c: png_bytes(0, 0)),
    "second header is a bomb": ("SUB_PNG_FORMAT", lambda c: with_chunk(c, b"IHDR", header(13_000, 13_000))),
    "header too short": ("SUB_PNG_FORMAT", lambda c: SIGNATURE + chunk(b"IHDR", header(1, 1)[:12]) * 3),
    "no header": ("SUB_PNG_FORMAT", lambda c: SIGNATURE + chunk(b"IEND", b"")),
    "wrong size": ("SUB_PNG_SIZE", lambda c: png_bytes(WIDTH + 1, HEIGHT)),
    "transposed": ("SUB_PNG_SIZE", lambda c: png_bytes(HEIGHT, WIDTH)),
    "16 bits": ("SUB_PNG_FORMAT", lambda c: png_bytes(WIDTH, HEIGHT, depth=16)),
    "16 bits grey": ("SUB_PNG_FORMAT", lambda c: png_bytes(WIDTH, HEIGHT, depth=16, colour=0)),
    "unknown pixel type": ("SUB_PNG_FORMAT", lambda c: png_bytes(WIDTH, HEIGHT, colour=5)),
    "unknown depth": ("SUB_PNG_FORMAT", lambda c: png_bytes(WIDTH, HEIGHT, depth=7)),
    "one bit": ("SUB_PNG_FORMAT", lambda c: saved(c, "1")),
    "palette": ("SUB_PNG_FORMAT", lambda c: saved(c, "P")),
    "grey": ("SUB_PNG_FORMAT", lambda c: saved(c, "L")),
    "grey with alpha": ("SUB_PNG_FORMAT", lambda c: saved(c, "LA")),
    "alpha": ("SUB_PNG_ALPHA", lambda c: saved(c, "RGBA")),
    "interlaced": ("SUB_PNG_INTERLACED", lambda c: png_bytes(WIDTH, HEIGHT, interlace=1)),
    "animated": (
        "SUB_PNG_FORMAT",
        lambda c: saved(c, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), "red")]),
    ),
    "JPEG": ("SUB_PNG_FORMAT", lambda c: saved(c, format="JPEG")),
    "TIFF": ("SUB_PNG_FORMAT", lambda c: saved(c, format="TIFF")),
    "GIF": ("SUB_PNG_FORMAT", lambda c: saved(c, format="GIF")),
    "BMP": ("SUB_PNG_FORMAT", lambda c: saved(c, format="BMP")),
    "WebP": ("SUB_PNG_FORMAT", lambda c: saved(c, format="WEBP")),
    "EPS": ("SUB_PNG_FORMAT", lambda c: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 20\n(%pipe%id) (r) file\n"),
    "SVG": ("SUB_PNG_FORMAT", lambda c: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="30"/>'),
    "PDF": ("SUB_PNG_FORMAT", lambda c: b"%PDF-1.4\n"),
    "zip": ("SUB_PNG_FORMAT", lambda c: b"PK\x03\x04" + bytes(100)),
    "empty": ("SUB_PNG_FORMAT", lambda c: b""),
    "spaces": ("SUB_PNG_FORMAT", lambda c: b" " * 100_000),
    "text chunk of 100 kB": ("SUB_PNG_BYTES", lambda c: with_chunk(c, b"tEXt", b"k\0" + bytes(100_000))),
    "text after the pixels": ("SUB_PNG_BYTES", lambda c: with_chunk(c, b"tEXt", b"k\0" + bytes(100_000), "after")),
    "zTXt bomb": ("SUB_PNG_BYTES", lambda c: with_chunk(c, b"zTXt", b"k\0\0" + zlib.compress(bytes(BOMB), 9))),
    "iCCP bomb": ("SUB_PNG_BYTES", lambda c: with_chunk(c, b"iCCP", b"k\0\0" + zlib.compress(bytes(BOMB), 9))),
    "iTXt bomb": (
        "SUB_PNG_BYTES",
        lambda c: with_chunk(c, b"iTXt", b"k\0\1\0en\0k\0" + zlib.compress(bytes(BOMB), 9)),
    ),
    "checksum of the header": ("SUB_PNG_UNREADABLE", lambda c: damaged(c, b"IHDR")),
    "checksum of the pixels": ("SUB_PNG_UNREADABLE", lambda c: damaged(c, b"IDAT")),
    "unknown critical chunk": ("SUB_PNG_UNREADABLE", lambda c: with_chunk(c, b"EVIL", b"")),
    "no pixels": (
        "SUB_PNG_UNREADABLE",
        lambda c: SIGNATURE + chunk(b"IHDR", header(WIDTH, HEIGHT)) + chunk(b"IEND", b""),
    ),
    "too few pixels": ("SUB_PNG_UNREADABLE", lambda c: png_bytes(WIDTH, HEIGHT, idat=zlib.compress(lines(c)[:-1]))),
    "no zlib stream": ("SUB_PNG_UNREADABLE", lambda c: png_bytes(WIDTH, HEIGHT, idat=bytes(500))),
    "unknown line filter": (
        "SUB_PNG_UNREADABLE",
        lambda c: png_bytes(WIDTH, HEIGHT, idat=zlib.compress(b"\x09" + lines(c)[1:])),
    ),
    "chunk beyond the end": ("SUB_PNG_UNREADABLE", lambda c: saved(c)[:33] + b"\xff\xff\xff\xffIDAT" + saved(c)[33:]),
    "80,000 empty chunks": (
        "SUB_PNG_UNREADABLE",
        lambda c: SIGNATURE + chunk(b"IHDR", header(WIDTH, HEIGHT)) + chunk(b"tEXt", b"") * 80_000,
    ),
    "more bytes than the pixels": ("SUB_PNG_BYTES", lambda c: saved(c) + bytes(2 << 20)),
    "every pixel another id": (
        "SUB_SEG_NOT_IN_JSON",
        lambda c: png_bytes(WIDTH, HEIGHT, idat=zlib.compress(b"".join(
            b"\0" + random.Random(y).randbytes(3 * WIDTH) for y in range(HEIGHT)))),
    ),
}  # fmt: skip
FILES: dict[str, tuple[str, Callable[[Case], object]]] = {
    "text chunk of 2 GB": ("SUB_PNG_BYTES", sparse),
    "link": ("SUB_PATH", special(lambda p: p.symlink_to(p.with_name("000000000285.png")))),
    "link to nowhere": ("SUB_PATH", special(lambda p: p.symlink_to("/nowhere/at/all"))),
    "link to a device": ("SUB_PATH", special(lambda p: p.symlink_to("/dev/zero"))),
    "link to itself": ("SUB_PATH", special(lambda p: p.symlink_to(p.name))),
    "pipe": ("SUB_PATH", special(os.mkfifo)),
    "socket": ("SUB_PATH", special(bind)),
    "folder": ("SUB_PATH", special(lambda p: p.mkdir())),
    "missing": ("SUB_PNG_MISSING", special(lambda p: None)),
}
CODES = {name: code for name, (code, _) in (BYTES | FILES).items()}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("png")
    clean = build(folder / "clean").save()
    calls = {}
    for number, name in enumerate(CODES):
        case = build(folder / str(number)).save()
        if name in BYTES:
            case.png.write_bytes(BYTES[name][1](case))
        else:
            FILES[name][1](case)
        calls[name] = {"submission": str(case.submission), "references": str(case.references)}
    before = tree(folder)
    found = checked(calls, {"submission": str(clean.submission), "references": str(clean.references)})
    assert tree(folder) == before
    return found


@pytest.mark.parametrize("name", CODES)
def test_refused(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    assert not report.raised, report.raised
    assert CODES[name] in report.codes, report.text
    assert "000000000139.png" in report.text and "139" in report.text
    assert report.seconds < SECONDS
    assert report.megabytes < MEGABYTES


def test_sizes_are_compared_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    case = build(tmp_path).save()
    for path in case.png.parent.glob("*.png"):
        path.write_bytes(pixel_bomb() if path == case.png else png_bytes(WIDTH, HEIGHT + 1))
    decoded = AssertionError("a pixel was decoded")
    with (
        patch("vismark.formats.png.decode", side_effect=decoded),
        patch("hotcoco.panoptic.PanopticEval", side_effect=decoded),
        patch("PIL.Image.open", side_effect=decoded),
    ):
        problems = vismark.check("coco-panoptic", case.submission, references=case.references, jobs=1)
    assert problems.totals["SUB_PNG_SIZE"] == 3
    assert "is 13000×13000 pixels, the image is 30×20 (width×height)" in problems.items[1].message


def test_a_truth_without_sizes_is_bounded_too(tmp_path: Path) -> None:
    """hotcoco ends the process when it cannot allocate what a header states, so no such header may reach it."""
    case = build(tmp_path / "bomb")
    del case.truth["images"]
    case.save()
    truth = case.references.with_suffix("") / "000000000139.png"
    for path in (truth, case.png):
        path.write_bytes(png_bytes(300_000, 300_000, idat=b""))
    clean = build(tmp_path / "clean").save()
    calls = [{"submission": str(one.submission), "references": str(one.references)} for one in (case, clean)]
    report = checked({"bomb": calls[0]}, calls[1])["bomb"]
    assert report.codes == ["REF_PNG_SIZE"], report


def test_cut_off_anywhere(tmp_path: Path) -> None:
    case = build(tmp_path).save()
    data = case.png.read_bytes()
    for length in [*range(0, 60), *range(60, len(data), 9), len(data) - 1]:
        case.png.write_bytes(data[:length])
        problems = vismark.check("coco-panoptic", case.submission, references=case.references, jobs=1)
        assert {"SUB_PNG_FORMAT", "SUB_PNG_UNREADABLE"} & problems.totals.keys(), length


HARMLESS: dict[str, Callable[[Case], bytes]] = {
    "EXIF says rotated": lambda c: saved(c, exif=_rotated()),
    "gamma and colour profile": lambda c: with_chunk(c, b"gAMA", struct.pack(">I", 45_455)),
    "transparent colour": lambda c: with_chunk(c, b"tRNS", b"\0\1\0\0\0\0"),
    "short compressed text": lambda c: with_chunk(c, b"zTXt", b"k\0\0" + zlib.compress(b"made by hand")),
    "pixels unpack to 128 MB more": lambda c: png_bytes(WIDTH, HEIGHT, idat=_endless(c)),
    "bytes after the end": lambda c: saved(c) + b"more",
}


def _rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _endless(case: Case) -> bytes:
    packer = zlib.compressobj(1)
    return packer.compress(lines(case)) + b"".join(packer.compress(bytes(1 << 24)) for _ in range(8)) + packer.flush()


@pytest.mark.parametrize("name", HARMLESS)
def test_what_no_decoder_heeds_changes_no_number(name: str, tmp_path: Path) -> None:
    case = build(tmp_path).save()
    clean = official(case)
    case.png.write_bytes(HARMLESS[name](case))
    result = vismark.score("coco-panoptic", case.submission, references=case.references)
    assert official(case) == clean
    assert result.metrics == pytest.approx(clean, rel=0, abs=1e-12)
    assert np.isfinite(result.metrics["PQ"])
