"""Sets of images behind one source: folders, folders of classes, ``.npz`` batches, tar shards (webdataset).

An `ImageSet` names its images and decodes them when they are looked at, from any thread. `open_set` finds out which
kind it is; `vismark.formats.image_survey` looks at all of them before any work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vismark.formats import png
from vismark.formats.image_files import MOST_BYTES, SUFFIXES, ImageFault, decode
from vismark.formats.npz import Npz
from vismark.problems import refuse
from vismark.runtime.archive_rules import OFFICIAL
from vismark.runtime.tars import Tar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Key of a sample of a webdataset: the name up to the first dot of its last part.
_KEY = re.compile(r"^((?:.*/)?[^/.]+)\.([^/]*)$")


class ImageSet(Protocol):
    """Images with names.

    Attributes:
        name: of the file or folder, for findings.
        ids: safe relative paths without suffix, in the order of the set: of the files' names, or of the array.
        classes: id → class, as the set states it; empty when it states none.
        encoded: whether the bytes of an image are a file to be decoded, else they are its pixels.
    """

    @property
    def name(self) -> str: ...
    @property
    def ids(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> Mapping[str, str]: ...
    @property
    def encoded(self) -> bool: ...
    def place(self, id: str, /) -> str: ...
    def data(self, id: str, /) -> bytes: ...
    def pixels(self, id: str, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class FolderImages:
    """Image files in a folder or in one folder a class; `files` are names below `folder`."""

    folder: Path
    files: Mapping[str, str]
    classes: Mapping[str, str]
    links: bool
    encoded: bool = True

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids in the order of the files' names."""
        return tuple(self.files)

    def place(self, id: str) -> str:
        """The file of an image, for findings."""
        return f"{self.name}/{self.files[id]}"

    def data(self, id: str) -> bytes:
        """The bytes of the file.

        Raises:
            ImageFault: PATH, MISSING or UNREADABLE.
        """
        try:
            return png.read_file(self.folder / self.files[id], MOST_BYTES, links=self.links)
        except png.PngFault as fault:
            kind = fault.fault
            raise ImageFault(kind if kind in ("PATH", "MISSING") else "UNREADABLE", str(fault), fault.fix) from fault

    def pixels(self, id: str) -> NDArray[np.uint8]:
        """The image as uint8 RGB of shape (height, width, 3).

        Raises:
            ImageFault: it cannot be read.
        """
        return decode(self.data(id))


@dataclass(frozen=True)
class ArrayImages:
    """The images of a batch: `array` is uint8 of shape (n, height, width, 3), mapped from the file."""

    path: Path
    array: NDArray[np.uint8]
    ids: tuple[str, ...]
    classes: Mapping[str, str]
    encoded: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process only the path goes; it maps the file itself."""
        return _array, (self.path,)

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    def place(self, id: str) -> str:
        """The file, for findings."""
        return self.name

    def data(self, id: str) -> bytes:
        """The bytes of the pixels."""
        return bytes(self.array[int(id)].tobytes())

    def pixels(self, id: str) -> NDArray[np.uint8]:
        """The image as uint8 RGB of shape (height, width, 3)."""
        import numpy as np

        return np.array(self.array[int(id)])


@dataclass(frozen=True)
class TarImages:
    """Image files in tar shards; `places` tells the shard of each, its name there, and where its bytes are."""

    path: Path
    places: Mapping[str, tuple[Path, str, int, int]]
    classes: Mapping[str, str]
    encoded: bool = field(default=True)

    @property
    def name(self) -> str:
        """Name of the shard or of the folder of shards."""
        return self.path.name

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids in the order of the shards' names, and in the order of each shard."""
        return tuple(self.places)

    def place(self, id: str) -> str:
        """Shard and name, for findings."""
        shard, name, _, _ = self.places[id]
        return f"{shard.name}/{name}"

    def data(self, id: str) -> bytes:
        """The bytes of the file.

        Raises:
            ImageFault: UNREADABLE.
        """
        shard, _, start, size = self.places[id]
        try:
            with shard.open("rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise ImageFault("UNREADABLE", f"cannot be read: {error.strerror}") from error

    def pixels(self, id: str) -> NDArray[np.uint8]:
        """The image as uint8 RGB of shape (height, width, 3).

        Raises:
            ImageFault: it cannot be read.
        """
        return decode(self.data(id))


def flat(images: ImageSet) -> ImageSet:
    """A folder of folders with ids that leave the folders out, where these are unique; other sets as they are."""
    if not isinstance(images, FolderImages):
        return images
    files = {id.rpartition("/")[2]: name for id, name in images.files.items()}
    if len(files) < len(images.files):
        return images
    classes = {id.rpartition("/")[2]: name for id, name in images.classes.items()}
    return FolderImages(images.folder, files, classes, images.links)


def open_set(path: Path, *, links: bool = False) -> ImageSet:
    """The images at `path`; only names and headers of archives are read.

    Args:
        path: a folder of images, of folders (the classes) or of tar shards; a tar; an ``.npz`` with ``arr_0`` (images)
            and perhaps ``arr_1`` (labels); or a folder that holds one such ``.npz``.
        links: whether symbolic links are followed (the user's own references, never a submission's).

    Raises:
        Refused: there are no images, or the file is no batch of images; all faults that end the work.
    """
    if path.suffix == ".npz":
        return _array(path)
    if path.suffix == ".tar" or path.name.endswith((".tar.gz", ".tgz")):
        return _shards(path, [path])
    if not path.is_dir():
        fix = "Name a folder of images, an .npz file or a .tar file."
        raise refuse("IMAGES_PATH", "is no folder, .npz or .tar file", file=path.name, fix=fix)
    return _folder(path, links)


def _folder(path: Path, links: bool) -> ImageSet:
    entries = sorted((one for one in path.iterdir() if not one.name.startswith(".")), key=lambda one: one.name)
    kinds = {suffix: [one for one in entries if one.suffix.lower() == suffix] for suffix in (".npz", ".tar")}
    files = {one.name: "" for one in entries if one.suffix.lower() in SUFFIXES}
    if not files and len(kinds[".npz"]) == 1:
        return _array(kinds[".npz"][0])
    if not files and kinds[".tar"]:
        return _shards(path, kinds[".tar"])
    for folder in entries:
        if folder.is_dir() and (links or not folder.is_symlink()):
            inner = sorted(one.name for one in folder.iterdir() if one.suffix.lower() in SUFFIXES)
            files |= {f"{folder.name}/{name}": folder.name for name in inner if not name.startswith(".")}
    if not files:
        fix = f"Images end in {', '.join(SUFFIXES)}; classes are folders inside it."
        raise refuse("IMAGES_NONE", "holds no images", file=path.name, fix=fix)
    ids: dict[str, str] = {}
    for name in files:
        id = name.rpartition(".")[0]
        if id in ids:
            message = f"{ids[id]} and {name} have one name"
            raise refuse("IMAGES_NAMES", message, file=path.name, item=id, fix="Keep one of them.")
        ids[id] = name
    return FolderImages(path, ids, {id: files[name] for id, name in ids.items() if files[name]}, links)


def _array(path: Path) -> ArrayImages:
    import numpy as np

    npz = Npz(path)
    header = npz.headers.get("arr_0")
    if header is None:
        has = ", ".join(npz.headers) or "nothing"
        raise refuse("IMAGES_ARRAY", f"has no arr_0 with the images, only {has}", file=path.name)
    if header.dtype != np.uint8 or len(header.shape) != 4 or header.shape[3] != 3 or header.fortran:
        order = ", in Fortran order" if header.fortran else ""
        message = f"arr_0 is {header.dtype} of shape {header.shape}{order}, not uint8 of shape (n, height, width, 3)"
        fix = (
            "Write pixels 0 … 255, channels last; floats in 0 … 1 are accepted by the official tool and give nonsense."
        )
        raise refuse("IMAGES_ARRAY", message, file=path.name, item="arr_0", fix=fix)
    ids = tuple(f"{number:06d}" for number in range(header.shape[0]))
    return ArrayImages(path, npz.array("arr_0"), ids, _labels(npz, ids))


def _labels(npz: Npz, ids: Sequence[str]) -> dict[str, str]:
    """The labels in ``arr_1``, where there are some."""
    header = npz.headers.get("arr_1")
    if header is None:
        return {}
    if header.dtype.kind not in "iu" or header.shape != (len(ids),):
        message = f"arr_1 is {header.dtype} of shape {header.shape}, not {len(ids)} integers: one label an image"
        raise refuse("IMAGES_LABELS", message, file=npz.path.name, item="arr_1", fix="Leave it out: it is optional.")
    return {id: str(label) for id, label in zip(ids, npz.array("arr_1").tolist(), strict=True)}


def _shards(path: Path, shards: Sequence[Path]) -> TarImages:
    places: dict[str, tuple[Path, str, int, int]] = {}
    classes: dict[str, str] = {}
    for shard in shards:
        for name, start, size in _members(shard):
            key = _KEY.match(name)
            if key is None or not png.plain_name(name.replace("/", "_")) or ".." in name:
                continue
            if f".{key[2].lower()}" in SUFFIXES:
                if key[1] in places:
                    message = f"{places[key[1]][0].name} and {shard.name} both hold it"
                    raise refuse("IMAGES_NAMES", message, file=path.name, item=key[1], fix="Give each its own name.")
                places[key[1]] = (shard, name, start, size)
            elif key[2].lower() == "cls" and size <= 20:
                classes[key[1]] = _text(shard, start, size)
    if not places:
        raise refuse("IMAGES_NONE", "holds no images", file=path.name, fix=f"Images end in {', '.join(SUFFIXES)}.")
    return TarImages(path, places, {id: classes[id] for id in places if id in classes})


def _members(shard: Path) -> list[tuple[str, int, int]]:
    try:
        with shard.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                fix = "Unpack it with gunzip: images are compressed already."
                raise refuse(
                    "IMAGES_TAR", "is compressed; its images cannot be read one by one", file=shard.name, fix=fix
                )
            tar: Any = Tar(file, shard.name, OFFICIAL)
            return [(name, start, size) for name, (start, size) in tar.places.items()]
    except OSError as error:
        raise refuse("IMAGES_PATH", f"cannot be read: {error.strerror}", file=shard.name) from error


def _text(shard: Path, start: int, size: int) -> str:
    with shard.open("rb") as file:
        file.seek(start)
        return file.read(size).decode("ascii", "replace").strip()
