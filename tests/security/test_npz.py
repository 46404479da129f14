"""Batches of images in .npz files that try something: nothing in them runs, nothing is unpacked beyond its header."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bounded import MEGABYTES, SECONDS, Report, checked, tree
from bounded import vismark as command

SHAPE = (512, 64, 64, 3)
BENCHMARK = "shapes-class"


class Trap:
    """Would make a folder if it were unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("trap-was-sprung",)


def array(
    shape: object = SHAPE, descr: str = "'|u1'", data: bytes = b"", order: bool = False, size: int = 128
) -> bytes:
    """A .npy file written by hand: any header over any data."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (size - 11 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def plain(values: object, **more: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, values, **more)  # type: ignore[arg-type]
    return buffer.getvalue()


CASES: dict[str, Callable[[], bytes]] = {
    "a pickled object": lambda: plain(np.array([Trap()], dtype=object)),
    "a pickle as the array": lambda: packed({"arr_0.npy": pickle.dumps(Trap())}),
    "a pickle behind an array": lambda: packed({"arr_0.npy": array(data=bytes(100)) + pickle.dumps(Trap())}),
    "objects in a header": lambda: packed({"arr_0.npy": array("(1,)", "'|O'", pickle.dumps(Trap()))}),
    "objects beside the images": lambda: plain(np.zeros((2, 64, 64, 3), np.uint8), more=np.array([Trap()])),
    "10^12 values without data": lambda: packed({"arr_0.npy": array((10**12, 64, 64, 3))}),
    "2^62 values": lambda: packed({"arr_0.npy": array((2**62, 2, 2, 3))}),
    "a product of sizes that overflows": lambda: packed({"arr_0.npy": array((2**32, 2**32, 1, 3))}),
    "a negative size": lambda: packed({"arr_0.npy": array((-1, 64, 64, 3))}),
    "a size that is text": lambda: packed({"arr_0.npy": array("('512', 64, 64, 3)")}),
    "a long header": lambda: packed({"arr_0.npy": array(size=60_000)}),
    "code in a header": lambda: packed({"arr_0.npy": array("(__import__('os').mkdir('trap-was-sprung'),)")}),
    "floats": lambda: plain(np.zeros((8, 64, 64, 3), np.float32)),
    "NaN": lambda: plain(np.full((8, 64, 64, 3), np.nan)),
    "big-endian": lambda: plain(np.zeros((8, 64, 64, 3), ">u2")),
    "booleans": lambda: plain(np.zeros((8, 64, 64, 3), np.bool_)),
    "complex numbers": lambda: plain(np.zeros((8, 64, 64, 3), np.complex64)),
    "records": lambda: packed({"arr_0.npy": array("(8,)", "[('a', '|u1')]", bytes(8))}),
    "channels first": lambda: plain(np.zeros((8, 3, 64, 64), np.uint8)),
    "no images": lambda: plain(np.zeros((0, 64, 64, 3), np.uint8)),
    "a scalar": lambda: plain(np.uint8(7)),
    "another name": lambda: packed({"images.npy": array(data=bytes(100))}),
    "a name that leads out": lambda: packed({"../arr_0.npy": array(data=bytes(100))}),
    "an absolute name": lambda: packed({"/tmp/arr_0.npy": array(data=bytes(100))}),
    "no member": lambda: packed({}),
    "no array": lambda: packed({"arr_0.npy": b"hello"}),
    "cut off": lambda: plain(np.zeros((512, 64, 64, 3), np.uint8))[:-300],
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("npz")
    calls = {}
    for number, (name, make) in enumerate(CASES.items()):
        file = folder / f"{number}.npz"
        file.write_bytes(make())
        calls[name] = {"benchmark": BENCHMARK, "submission": str(file)}
    clean = folder / "clean.npz"
    random = np.random.default_rng(0)
    np.savez(clean, random.integers(0, 256, SHAPE, np.uint8))
    before = tree(folder)
    found = checked(calls, {"benchmark": BENCHMARK, "submission": str(clean)})
    assert tree(folder) == before and not Path("trap-was-sprung").exists()
    return found


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    assert not report.raised, report.raised
    assert report.codes, report.text
    assert report.seconds < SECONDS
    assert report.megabytes < MEGABYTES


@pytest.mark.parametrize("name", ["a pickled object", "10^12 values without data", "code in a header"])
def test_the_command_line_refuses_with_code_1(name: str, tmp_path: Path) -> None:
    (tmp_path / "batch.npz").write_bytes(CASES[name]())
    before = tree(tmp_path)
    for words in (("check",), ("score", "-o", tmp_path / "result.json")):
        verb, *more = words
        ran = command(verb, BENCHMARK, tmp_path / "batch.npz", *more)
        output = (ran.stdout + ran.stderr).decode()
        assert ran.returncode == 1, output
        assert "→" in output and "Traceback" not in output
    assert tree(tmp_path) == before and not Path("trap-was-sprung").exists()
