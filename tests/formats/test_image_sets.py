"""Sets of images: every kind gives the same pixels, and every fault is found before a pixel is used."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vismark.formats.image_files import decode, encode
from vismark.formats.image_sets import ArrayImages, open_set
from vismark.formats.image_survey import classes, count, survey
from vismark.problems import Problems, Refused
from vismark.runtime.ahead import batches_ahead

Pixels = NDArray[np.uint8]


def pictures(n: int = 6, size: tuple[int, int] = (12, 16)) -> list[Pixels]:
    random = np.random.default_rng(n)
    return list(random.integers(0, 256, (n, *size, 3), dtype=np.uint8))


def folder(path: Path, images: list[Pixels], names: list[str] | None = None) -> Path:
    for number, pixels in enumerate(images):
        file = path / (names[number] if names else f"{number:06d}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(pixels))
    return path


def shard(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def codes(path: Path, **how: object) -> list[str]:
    problems = Problems()
    survey(open_set(path), problems, **how)  # type: ignore[arg-type]
    return [problem.code for problem in problems]


def refused(path: Path) -> str:
    with pytest.raises(Refused) as error:
        open_set(path)
    return next(iter(error.value.problems)).code


def test_all_kinds_give_the_same_pixels(tmp_path: Path) -> None:
    images = pictures()
    np.savez(tmp_path / "stored.npz", np.stack(images))
    np.savez_compressed(tmp_path / "packed.npz", arr_0=np.stack(images))
    (tmp_path / "shards").mkdir()
    for part in (0, 1):
        files = {f"{n:06d}.png": encode(images[n]) for n in range(3 * part, 3 * part + 3)}
        shard(tmp_path / "shards" / f"{part}.tar", files)
    sets = [
        open_set(folder(tmp_path / "plain", images)),
        open_set(tmp_path / "stored.npz"),
        open_set(tmp_path / "packed.npz"),
        open_set(tmp_path / "shards"),
    ]
    for one in sets:
        assert one.ids == tuple(f"{n:06d}" for n in range(6))
        for id, pixels in zip(one.ids, images, strict=True):
            assert (one.pixels(id) == pixels).all()
        read = [pixels for batch in batches_ahead(one.pixels, one.ids, 4, jobs=2) for pixels in batch]
        assert (np.stack(read) == np.stack(images)).all()
    assert len({survey(one, Problems()).digest for one in (sets[1], sets[2])}) == 1


def test_a_stored_batch_is_mapped_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.stack(pictures()))
    images = open_set(tmp_path / "a.npz")
    assert isinstance(images, ArrayImages) and isinstance(images.array, np.memmap)


def test_classes_come_from_folders_labels_and_webdatasets(tmp_path: Path) -> None:
    images = pictures(4)
    names = ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    np.savez(tmp_path / "a.npz", arr_0=np.stack(images), arr_1=np.array([1, 0, 1, 0]))
    files = {"x/a.png": encode(images[0]), "x/a.cls": b"7\n", "x/b.png": encode(images[1]), "x/b.cls": b"3"}
    assert open_set(folder(tmp_path / "f", images, names)).classes == {
        "cat/0": "cat", "cat/1": "cat", "dog/0": "dog", "dog/1": "dog",
    }  # fmt: skip
    assert list(open_set(tmp_path / "a.npz").classes.values()) == ["1", "0", "1", "0"]
    assert open_set(shard(tmp_path / "w.tar", files)).classes == {"x/a": "7", "x/b": "3"}


def test_modes_are_converted_as_pillow_does_and_said(tmp_path: Path) -> None:
    pixels = pictures(1)[0]
    Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 99, np.uint8)])).save(tmp_path / "a.png")
    assert (decode((tmp_path / "a.png").read_bytes()) == pixels).all()
    assert codes(tmp_path) == ["SUB_IMAGE_COLOUR"]


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("a.png", lambda data: data[: len(data) // 2], "SUB_IMAGE_UNREADABLE"),
        ("a.png", lambda data: b"", "SUB_IMAGE_FORMAT"),
        ("a.png", lambda data: b"GIF89a" + data, "SUB_IMAGE_FORMAT"),
        ("a.jpg", lambda data: b"not an image", "SUB_IMAGE_FORMAT"),
    ],
)
def test_files_that_are_no_images_are_found(tmp_path: Path, name: str, make: object, code: str) -> None:
    (tmp_path / name).write_bytes(make(encode(pictures(1)[0])))  # type: ignore[operator]
    assert codes(tmp_path) == [code]


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    images = pictures(4)
    folder(tmp_path, [*images[:3], images[0]])
    (tmp_path / "000001.png").write_bytes(encode(images[1][:5]))
    Image.fromarray(images[2]).save(tmp_path / "lossy.jpg")
    Image.fromarray(np.zeros((12, 16), np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "000002.png")
    assert sorted(codes(tmp_path, size=(12, 16))) == [
        "SUB_IMAGE_LOSSY", "SUB_IMAGE_MODE", "SUB_IMAGE_PATH", "SUB_IMAGE_SIZE", "SUB_IMAGE_TWICE",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"arr_0": np.zeros((2, 8, 8, 3), np.float32)}, "IMAGES_ARRAY"),
        ({"arr_0": np.zeros((2, 3, 8, 8), np.uint8)}, "IMAGES_ARRAY"),
        ({"arr_0": np.zeros((2, 8, 8), np.uint8)}, "IMAGES_ARRAY"),
        ({"images": np.zeros((2, 8, 8, 3), np.uint8)}, "IMAGES_ARRAY"),
        ({"arr_0": np.zeros((2, 8, 8, 3), np.uint8), "arr_1": np.zeros(3, np.int64)}, "IMAGES_LABELS"),
        ({"arr_0": np.zeros((2, 8, 8, 3), np.uint8), "arr_1": np.zeros(2)}, "IMAGES_LABELS"),
        ({"arr_0": np.array([{"a": 1}], dtype=object)}, "NPZ_OBJECTS"),
        ({"arr_0": np.zeros((2, 8, 8, 3), np.uint8), "extra": np.array([None])}, "NPZ_OBJECTS"),
    ],
)
def test_batches_that_are_none_are_refused_before_any_work(
    tmp_path: Path, arrays: dict[str, object], code: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    assert refused(tmp_path / "a.npz") == code


def test_a_damaged_batch_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.stack(pictures()))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[:-100])
    (tmp_path / "no.npz").write_bytes(b"\x80\x04N.")
    # The header claims more images than there are bytes.
    (tmp_path / "lie.npz").write_bytes(data.replace(b"(6, 12, 16, 3)", b"(9, 12, 16, 3)"))
    assert {refused(tmp_path / f"{name}.npz") for name in ("cut", "no")} == {"ARCHIVE_DAMAGED"}
    assert refused(tmp_path / "lie.npz") == "NPZ_MEMBER"


def test_folders_and_shards_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    twice = folder(tmp_path / "twice", pictures(1))
    Image.fromarray(pictures(1)[0]).save(twice / "000000.jpg")
    assert refused(tmp_path / "empty") == "IMAGES_NONE"
    assert refused(tmp_path / "nowhere") == "IMAGES_PATH"
    assert refused(twice) == "IMAGES_NAMES"
    assert refused(shard(tmp_path / "a.tar", {"readme.txt": b"no"})) == "IMAGES_NONE"
    assert refused(shard(tmp_path / "a.tar.gz", {"a.png": encode(pictures(1)[0])}, "w:gz")) == "IMAGES_TAR"


def test_counts_and_classes(tmp_path: Path) -> None:
    known = {name: number for number, name in enumerate(["cat", "cow", "dog"])}
    known |= {str(number): number for number in range(3)}
    labels = {"missing": [0, 0, 2, 2], "uneven": [0, 1, 2, 2], "unknown": [0, 1, 2, 3]}
    found = {}
    for name, values in labels.items():
        np.savez(tmp_path / f"{name}.npz", arr_0=np.stack(pictures(4)), arr_1=np.array(values))
        problems = Problems()
        surveyed = survey(open_set(tmp_path / f"{name}.npz"), problems)
        classes(surveyed, known, problems)
        count(surveyed, 5, problems, partial=False)
        found[name] = [(problem.code, problem.severity) for problem in problems]
    short = ("SUB_COUNT", "error")
    assert found == {
        "missing": [("SUB_CLASS_MISSING", "error"), short],
        "uneven": [("SUB_CLASS_UNEVEN", "note"), short],
        "unknown": [("SUB_CLASS_UNKNOWN", "error"), short],
    }
