"""Semantic label maps that try something: each is refused cleanly and quickly, and no bomb is decoded."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bounded import MEGABYTES, SECONDS, Report, checked, tree
from bounded import vismark as command
from panoptic_builder import SIZE, Case, build, chunk, png_bytes

HEIGHT, WIDTH = SIZE
FIRST = "000000000139.png"
LABELS = np.tile(np.arange(WIDTH) % 4, (HEIGHT, 1)).astype(np.uint8)
LINES = b"".join(b"\0" + line.tobytes() for line in LABELS)
BOMB = zlib.compress(bytes(60 << 20), 9)


def saved(mode: str = "L", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(LABELS).convert(mode).save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


def grey(width: int = WIDTH, height: int = HEIGHT, idat: bytes | None = None, **more: object) -> bytes:
    return png_bytes(width, height, **{"colour": 0, "idat": zlib.compress(LINES) if idat is None else idat, **more})


def with_label(label: int) -> bytes:
    labels = LABELS.copy()
    labels[3, 3] = label
    return grey(idat=zlib.compress(b"".join(b"\0" + line.tobytes() for line in labels)))


BYTES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pixel bomb": ("SUB_PNG_SIZE", lambda: grey(30_000, 30_000, idat=BOMB)),
    "header of 270 GB": ("SUB_PNG_SIZE", lambda: grey(300_000, 300_000, idat=b"")),
    "header of 2^31 × 2^31": ("SUB_PNG_FORMAT", lambda: grey(2**31, 2**31, idat=b"")),
    "wrong size": ("SUB_PNG_SIZE", lambda: png_bytes(WIDTH + 1, HEIGHT, colour=0)),
    "transposed": ("SUB_PNG_SIZE", lambda: png_bytes(HEIGHT, WIDTH, colour=0)),
    "one pixel": ("SUB_PNG_SIZE", lambda: png_bytes(1, 1, colour=0)),
    "colours": ("SUB_PNG_FORMAT", lambda: saved("RGB")),
    "alpha": ("SUB_PNG_FORMAT", lambda: saved("LA")),
    "one bit": ("SUB_PNG_FORMAT", lambda: saved("1")),
    "animated": ("SUB_PNG_FORMAT", lambda: saved(save_all=True, append_images=[Image.new("L", (WIDTH, HEIGHT), 9)])),
    "JPEG": ("SUB_PNG_FORMAT", lambda: saved(format="JPEG")),
    "TIFF": ("SUB_PNG_FORMAT", lambda: saved(format="TIFF")),
    "GIF": ("SUB_PNG_FORMAT", lambda: saved(format="GIF")),
    "EPS": ("SUB_PNG_FORMAT", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 20\n(%pipe%id) (r) file\n"),
    "NumPy file": ("SUB_PNG_FORMAT", lambda: b"\x93NUMPY\x01\x00" + bytes(500)),
    "pickle": ("SUB_PNG_FORMAT", lambda: b"cos\nsystem\n(S'id'\ntR."),
    "empty": ("SUB_PNG_FORMAT", lambda: b""),
    "cut off": ("SUB_PNG_UNREADABLE", lambda: saved()[:-20]),
    "too few pixels": ("SUB_PNG_UNREADABLE", lambda: grey(idat=zlib.compress(LINES[:-1]))),
    "no zlib stream": ("SUB_PNG_UNREADABLE", lambda: grey(idat=bytes(500))),
    "zTXt bomb": ("SUB_PNG_BYTES", lambda: grey(before=chunk(b"zTXt", b"k\0\0" + BOMB))),
    "more bytes than the pixels": ("SUB_PNG_BYTES", lambda: saved() + bytes(2 << 20)),
    "a label that is no class": ("SUB_LABEL_RANGE", lambda: with_label(4)),
    "a label of 254": ("SUB_LABEL_RANGE", lambda: with_label(254)),
    "16 bits: a label of 65,535": (
        "SUB_LABEL_RANGE",
        lambda: grey(depth=16, idat=zlib.compress((b"\0" + b"\xff\xff" * WIDTH) * HEIGHT)),
    ),
    "nothing but 255": ("SUB_LABEL_VOID", lambda: grey(idat=zlib.compress((b"\0" + b"\xff" * WIDTH) * HEIGHT))),
}  # fmt: skip


def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else in place of the first label map."""

    def change(folder: Path) -> None:
        path = folder / FIRST
        path.unlink()
        make(path)

    return change


def sparse(path: Path) -> None:
    """A text chunk of 2 GB, as a file with a hole."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + struct.pack(">I", 2**31 - 1) + b"tEXt")
        file.truncate(2**31 + 100)


def elsewhere(folder: Path) -> None:
    """The whole folder is a pipe."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    os.mkfifo(folder)


FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "text chunk of 2 GB": ("SUB_PNG_BYTES", instead(sparse)),
    "link": ("SUB_PATH", instead(lambda path: path.symlink_to("000000000285.png"))),
    "link to a device": ("SUB_PATH", instead(lambda path: path.symlink_to("/dev/zero"))),
    "link to a file outside": ("SUB_PATH", instead(lambda path: path.symlink_to("/etc/passwd"))),
    "pipe": ("SUB_PATH", instead(os.mkfifo)),
    "folder": ("SUB_PATH", instead(lambda path: path.mkdir())),
    "missing": ("SUB_IMAGE_MISSING", instead(lambda path: None)),
    "a pipe as the submission": ("SUB_FILE", elsewhere),
    "20,000 other names": ("SUB_IMAGE_MISSING", instead(lambda path: [
        (path.parent / f"{n}.png").touch() for n in range(20_000)])),
}  # fmt: skip
CODES = {name: code for name, (code, _) in (BYTES | FILES).items()}


def labelled(folder: Path) -> Case:
    """A truth, and a sound label map for each of its images below ``labels``."""
    case = build(folder).save()
    (folder / "labels").mkdir()
    for annotation in case.truth["annotations"]:
        (folder / "labels" / annotation["file_name"]).write_bytes(saved())
    return case


def damaged(folder: Path, name: str) -> Case:
    case = labelled(folder)
    if name in BYTES:
        (folder / "labels" / FIRST).write_bytes(BYTES[name][1]())
    else:
        FILES[name][1](folder / "labels")
    return case


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("labels")
    cases = {name: damaged(folder / str(number), name) for number, name in enumerate(CODES)}

    def call(case: Case) -> dict[str, str]:
        labels = str(case.folder / "labels")
        return {"benchmark": "coco-semantic", "submission": labels, "references": str(case.references)}

    clean = labelled(folder / "clean")
    before = tree(folder)
    found = checked({name: call(case) for name, case in cases.items()}, call(clean))
    assert tree(folder) == before
    return found


@pytest.mark.parametrize("name", CODES)
def test_refused(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    assert not report.raised, report.raised
    assert CODES[name] in report.codes, report.text
    assert report.seconds < SECONDS
    assert report.megabytes < MEGABYTES


@pytest.mark.parametrize("name", ["pixel bomb", "link to a file outside", "a label that is no class", "cut off"])
def test_the_command_line_refuses_with_code_1(name: str, tmp_path: Path) -> None:
    case = damaged(tmp_path, name)
    before = tree(tmp_path)
    words = [tmp_path / "labels", "--references", case.references]
    for ran in (
        command("check", "coco-semantic", *words),
        command("score", "coco-semantic", *words, "-o", tmp_path / "result.json"),
    ):
        output = (ran.stdout + ran.stderr).decode()
        assert ran.returncode == 1, output
        assert CODES[name] in output and "→" in output
        assert "Traceback" not in output and "root:" not in output
    assert tree(tmp_path) == before
