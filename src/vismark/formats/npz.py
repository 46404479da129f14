"""NumPy archives from strangers: arrays of numbers only, never Python objects; large arrays by memory map.

A member that is stored as it is (``numpy.savez``) is mapped where it lies; a compressed one (``savez_compressed``) is
unpacked once into a file without a name, which the system removes with the process.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from vismark.problems import refuse
from vismark.runtime.archive_rules import Limits, check
from vismark.runtime.folders import cache_root
from vismark.runtime.space import need_room
from vismark.runtime.zips import Zip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A batch of 50,000 images of 512 × 512 pixels has 39 GB.
_LIMITS = Limits(members=64, member_bytes=128 << 30, total_bytes=256 << 30, ratio=2000)
_REPACK = "Write it with numpy.savez, arrays of numbers only."


@dataclass(frozen=True)
class Header:
    """What the header of an array says; `offset` is where its values begin within the member."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int


class Npz:
    """An open ``.npz`` file whose structure was checked; `headers` tells each array by name, without ``.npy``.

    Raises:
        Refused: it is no zip file or a hostile one (ARCHIVE_…), or a member is no array of numbers (NPZ_…).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            archive = Zip(file, path.name, _LIMITS)
            check(archive.members, _LIMITS, path.name, nested=False)
            names = [member.name for member in archive.members if member.kind == "file"]
            self.headers = {name.removesuffix(".npy"): self._header(archive, file, name) for name in names}

    def array(self, name: str) -> NDArray[Any]:
        """The array called `name`, read-only; nothing is read before it is looked at, unless it is compressed.

        Raises:
            KeyError: there is none.
            Refused: it cannot be unpacked: damaged, or no room for it.
        """
        import numpy as np

        header, member = self.headers[name], f"{name}.npy"
        with _opened(self.path) as file:
            archive = Zip(file, self.path.name, _LIMITS)
            start = archive.place(member)
            if start is None:
                unpacked = self._unpacked(archive, member)
                return _mapped(unpacked, header, header.offset)
            if not prod(header.shape):
                return np.empty(header.shape, header.dtype)
            return _mapped(self.path, header, start + header.offset)

    def _header(self, archive: Zip, file: IO[bytes], member: str) -> Header:
        import numpy as np

        if not member.endswith(".npy"):
            raise refuse("NPZ_MEMBER", "is no array", file=self.path.name, item=member, fix=_REPACK)
        size = next(one.bytes for one in archive.members if one.name == member)
        stream: Any = _Start(archive, member)
        try:
            version = np.lib.format.read_magic(stream)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(stream)
        except (ValueError, KeyError, SyntaxError, TypeError) as error:
            message = f"is no array that can be read: {error}"
            raise refuse("NPZ_MEMBER", message, file=self.path.name, item=member, fix=_REPACK) from error
        if dtype.hasobject:
            message = "holds Python objects; reading them would run code from the file"
            raise refuse("NPZ_OBJECTS", message, file=self.path.name, item=member, fix=_REPACK)
        expected = prod(shape) * dtype.itemsize + stream.at
        if size != expected:
            message = f"has {size:,} bytes; its header asks for {expected:,}"
            raise refuse("NPZ_MEMBER", message, file=self.path.name, item=member, fix="Write the file again.")
        return Header(shape, dtype, fortran, stream.at)

    def _unpacked(self, archive: Zip, member: str) -> IO[bytes]:
        size = next(one.bytes for one in archive.members if one.name == member)
        cache_root().mkdir(parents=True, exist_ok=True)
        need_room(cache_root(), size)
        file = tempfile.TemporaryFile(dir=cache_root())  # noqa: SIM115 — the map keeps it
        for _, pieces in archive.contents([member]):
            for piece in pieces:
                file.write(piece)
        file.flush()
        return file


class _Start:
    """The first bytes of a member as a stream, for NumPy's reader of headers; `at` is how far it has read."""

    def __init__(self, archive: Zip, member: str) -> None:
        self._pieces = next(pieces for _, pieces in archive.contents([member]))
        self._data = b""
        self.at = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end of the member."""
        while len(self._data) < self.at + size and (piece := next(self._pieces, b"")):
            self._data += piece
        found = self._data[self.at : self.at + size]
        self.at += len(found)
        return found


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise refuse("NPZ_FILE", f"cannot be read: {error.strerror}", file=path.name) from error


def _mapped(file: Path | IO[bytes], header: Header, offset: int) -> NDArray[Any]:
    import numpy as np

    order = "F" if header.fortran else "C"
    return np.memmap(file, header.dtype, "r", offset, header.shape, order)  # type: ignore[call-overload,no-any-return]
