"""The archive engine on archives that are in order; the hostile ones are in tests/security."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vismark.problems import Refused
from vismark.runtime.archives import OFFICIAL, SUBMISSION, Limits, members, unpack

Tree = dict[str, bytes]
TREE: Tree = {
    "annotations/instances_val2017.json": b'{"images": []}' * 100,
    "val2017/000000000139.jpg": random.Random(1).randbytes(200_000),
    "val2017/empty.jpg": b"",
    "README é 漢字.txt": b"hello",
    "deep/" * 20 + "x" * 95: b"long name",
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path_factory.mktemp("cache")))


def made_zip(tree: Tree, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file as the standard library writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return out.getvalue()


class Pipe(io.BytesIO):
    """A target without `seek`: sizes then follow the data."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *_: int) -> int:
        raise OSError


def streamed_zip(tree: Tree) -> bytes:
    """A zip file written into a pipe."""
    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return out.getvalue()


def wide_zip(tree: Tree) -> bytes:
    """A zip file whose sizes are given in 64 bits, in the local headers at least."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in tree.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
    return out.getvalue()


def made_tar(tree: Tree, form: int = tarfile.PAX_FORMAT, prefix: str = "") -> bytes:
    """A tar file as the standard library writes it, folders included."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        folder = tarfile.TarInfo(prefix + "val2017")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in tree.items():
            info = tarfile.TarInfo(prefix + name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def halves(data: bytes) -> bytes:
    """Two gzip files joined, with zeros behind."""
    return gzip.compress(data[:1000]) + gzip.compress(data[1000:]) + bytes(100)


FORMATS: dict[str, Callable[[Tree], bytes]] = {
    "zip": made_zip,
    "zip, stored": lambda tree: made_zip(tree, zipfile.ZIP_STORED),
    "zip, streamed": streamed_zip,
    "zip, zip64": wide_zip,
    "tar, pax": made_tar,
    "tar, GNU": lambda tree: made_tar(tree, tarfile.GNU_FORMAT),
    "tar, ustar": lambda tree: made_tar(tree, tarfile.USTAR_FORMAT),
    "tar, ./": lambda tree: made_tar(tree, prefix="./"),
    "tar.gz": lambda tree: gzip.compress(made_tar(tree)),
    "tar.gz, joined": lambda tree: halves(made_tar(tree)),
}


def read(folder: Path) -> Tree:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "archive.bin"
    path.write_bytes(data)
    return path


def code(caught: pytest.ExceptionInfo[Refused]) -> str:
    return next(iter(caught.value.problems)).code


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_what_goes_in_comes_out(tmp_path: Path, make: Callable[[Tree], bytes]) -> None:
    archive = saved(tmp_path, make(TREE))
    assert {member.name: member.bytes for member in members(archive)} == {n: len(d) for n, d in TREE.items()}
    paths = unpack(archive, tmp_path / "a" / "out")
    assert read(tmp_path / "a" / "out") == TREE
    assert paths == [tmp_path / "a" / "out" / name for name in TREE]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_only_what_is_wanted(tmp_path: Path, make: Callable[[Tree], bytes]) -> None:
    unpack(saved(tmp_path, make(TREE)), tmp_path / "out", wanted=lambda name: name.endswith(".json"))
    assert set(read(tmp_path / "out")) == {"annotations/instances_val2017.json"}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_refused_or_harmless(tmp_path: Path, make: Callable[[Tree], bytes], data: st.DataObject) -> None:
    """A changed byte, or a cut, ends in a refusal, or in files that are as declared; never in another error."""
    whole = bytearray(make({"a.bin": bytes(range(256)) * 2, "b/c.bin": b"text" * 50}))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    archive = saved(tmp_path, bytes(whole[: data.draw(st.integers(len(whole) // 2, len(whole)))]))
    out = tmp_path / "out"
    try:
        expected = {member.name: member.bytes for member in members(archive)}
        unpack(archive, out)
    except Refused as refused:
        assert refused.problems.errors and not out.exists()
    else:
        assert {name: len(content) for name, content in read(out).items()} == expected
    finally:
        for path in sorted(tmp_path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def test_files_join_a_tree_that_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "val2017").mkdir(parents=True)
    (out / "val2017" / "mine.txt").write_text("mine")
    (out / "val2017" / "empty.jpg").write_text("torn")
    unpack(saved(tmp_path, made_zip(TREE)), out)
    assert read(out) == {**TREE, "val2017/mine.txt": b"mine"}


def test_a_link_in_the_tree_leads_to_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "val2017").symlink_to(elsewhere)
    plain = Path.replace

    def across(source: Path, target: Path) -> Path:
        if target.parent.resolve() == elsewhere and source.parent != target.parent:
            raise OSError(18, "Invalid cross-device link")
        return plain(source, target)

    monkeypatch.setattr(Path, "replace", across)
    unpack(saved(tmp_path, made_zip(TREE)), out)
    assert (elsewhere / "empty.jpg").exists() and (out / "val2017").is_symlink()
    assert (out / "val2017" / "000000000139.jpg").read_bytes() == TREE["val2017/000000000139.jpg"]


def test_a_refusal_leaves_the_tree_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    whole = bytearray(made_zip({"mine.txt": b"yours", "z": b"data" * 9}, zipfile.ZIP_STORED))
    whole[whole.index(b"datadata")] ^= 1
    with pytest.raises(Refused) as caught:
        unpack(saved(tmp_path, bytes(whole)), out)
    assert code(caught) == "ARCHIVE_DAMAGED"
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert (out / "mine.txt").read_text() == "mine"


def test_something_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out" / "a").mkdir(parents=True)
    with pytest.raises(Refused) as caught:
        unpack(saved(tmp_path, made_zip({"a": b"file"})), tmp_path / "out")
    assert code(caught) == "ARCHIVE_WRITE"


def test_what_a_killed_attempt_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".archive.bin.unpacking"
    left.mkdir()
    (left / "half.jpg").write_text("half")
    unpack(saved(tmp_path, made_zip({"a": b"1"})), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"archive.bin", "out"}
    assert read(tmp_path / "out") == {"a": b"1"}


def test_several_at_once_into_one_folder(tmp_path: Path) -> None:
    archives = []
    for number in range(4):
        archives.append(tmp_path / f"{number}.zip")
        archives[-1].write_bytes(made_zip({f"{number}/{index}": b"%d" % index for index in range(50)}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda archive: unpack(archive, tmp_path / "out"), archives * 2))
    assert read(tmp_path / "out") == {f"{n}/{i}": b"%d" % i for n in range(4) for i in range(50)}
    assert not list(tmp_path.glob(".*"))


def test_macos_junk_is_left_out(tmp_path: Path) -> None:
    tree = {"a/x.png": b"1", "__MACOSX/a/._x.png": b"2", "a/.DS_Store": b"3", ".DS_Store": b"4"}
    archive = saved(tmp_path, made_zip(tree))
    assert [member.name for member in members(archive)] == ["a/x.png"]
    unpack(archive, tmp_path / "out")
    assert read(tmp_path / "out") == {"a/x.png": b"1"}


def test_a_mode_without_meaning_does_not_count(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("META-INF/", "META-INF/a.txt"):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o177777 << 16
            archive.writestr(info, b"" if name.endswith("/") else b"a")
    unpack(saved(tmp_path, out.getvalue()), tmp_path / "out")
    assert read(tmp_path / "out") == {"META-INF/a.txt": b"a"}


class TestNested:
    """COCO's panoptic_annotations_trainval2017.zip in small: JSON beside two zips of masks."""

    def outer(self, **more: bytes) -> bytes:
        val = made_zip({"panoptic_val2017/000000000139.png": b"\x89PNG", "__MACOSX/x": b"junk"})
        train = made_zip({"panoptic_train2017/000000000009.png": b"\x89PNG"})
        return made_zip(
            {
                "annotations/panoptic_val2017.json": b"{}",
                "annotations/panoptic_val2017.zip": val,
                "annotations/panoptic_train2017.zip": train,
                **more,
            }
        )

    def test_inner_archives_are_unpacked_into_the_same_folder(self, tmp_path: Path) -> None:
        paths = unpack(saved(tmp_path, self.outer()), tmp_path / "coco", OFFICIAL, nested=True)
        expected = {
            "annotations/panoptic_val2017.json",
            "panoptic_val2017/000000000139.png",
            "panoptic_train2017/000000000009.png",
        }
        assert set(read(tmp_path / "coco")) == expected
        assert {path.relative_to(tmp_path / "coco").as_posix() for path in paths} == expected

    def test_one_split_is_chosen_at_both_levels(self, tmp_path: Path) -> None:
        unpack(saved(tmp_path, self.outer()), tmp_path / "coco", nested=True, wanted=lambda name: "val2017" in name)
        assert set(read(tmp_path / "coco")) == {
            "annotations/panoptic_val2017.json",
            "panoptic_val2017/000000000139.png",
        }

    def test_only_one_level(self, tmp_path: Path) -> None:
        deeper = self.outer(**{"deeper.zip": made_zip({"deepest.zip": made_zip({"a": b"1"})})})
        with pytest.raises(Refused) as caught:
            unpack(saved(tmp_path, deeper), tmp_path / "coco", nested=True)
        assert code(caught) == "ARCHIVE_NESTED"
        assert not (tmp_path / "coco").exists()

    def test_an_inner_file_does_not_replace_an_outer_one(self, tmp_path: Path) -> None:
        twice = self.outer(**{"panoptic_val2017/000000000139.png": b"outer"})
        with pytest.raises(Refused):
            unpack(saved(tmp_path, twice), tmp_path / "coco", nested=True)
        assert not (tmp_path / "coco").exists()


class TestLimits:
    ARCHIVE = made_zip({"a": bytes(range(200)), "b": bytes(range(100))})

    @pytest.mark.parametrize("make", [FORMATS["zip"], FORMATS["tar, pax"]], ids=["zip", "tar"])
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"members": 2}, "ARCHIVE_MEMBERS"),
            ({"member_bytes": 199_999}, "ARCHIVE_SIZE"),
            ({"total_bytes": 200_000}, "ARCHIVE_SIZE"),
        ],
    )
    def test_bounds(self, tmp_path: Path, make: Callable[[Tree], bytes], change: dict[str, int], expected: str) -> None:
        with pytest.raises(Refused) as caught:
            members(saved(tmp_path, make(TREE)), replace(SUBMISSION, **change))
        assert code(caught) == expected

    def test_bounds_are_allowed_values(self, tmp_path: Path) -> None:
        limits = Limits(members=2, member_bytes=200, total_bytes=300)
        assert len(members(saved(tmp_path, self.ARCHIVE), limits)) == 2

    def test_a_decompressed_tar_is_bounded(self, tmp_path: Path) -> None:
        with pytest.raises(Refused) as caught:
            members(saved(tmp_path, gzip.compress(made_tar(TREE))), Limits(total_bytes=100_000))
        assert code(caught) == "ARCHIVE_SIZE"

    def test_small_files_may_compress_well(self, tmp_path: Path) -> None:
        assert members(saved(tmp_path, made_zip({"blank.png": bytes(1 << 20)})))[0].bytes == 1 << 20

    def test_a_number_package_is_no_nested_archive(self, tmp_path: Path) -> None:
        unpack(saved(tmp_path, made_zip({"images.npz": made_zip({"arr_0.npy": b"x"})})), tmp_path / "out")
        assert (tmp_path / "out" / "images.npz").exists()

    def test_every_fault_is_listed(self, tmp_path: Path) -> None:
        archive = saved(tmp_path, made_zip({"../a": b"", "/b": b"", "c.zip": b"", "D": b"", "d": b""}))
        with pytest.raises(Refused) as caught:
            members(archive)
        assert dict(caught.value.problems.totals) == {
            "ARCHIVE_PATH": 2,
            "ARCHIVE_NESTED": 1,
            "ARCHIVE_DUPLICATE": 1,
        }

    def test_the_disk_must_have_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vismark.runtime.space.SPARE_BYTES", 1 << 60)
        with pytest.raises(Refused) as caught:
            unpack(saved(tmp_path, self.ARCHIVE), tmp_path / "out")
        assert code(caught) == "DISK_SPACE"
        assert not (tmp_path / "out").exists()

    def test_no_file_is_a_refusal(self, tmp_path: Path) -> None:
        with pytest.raises(Refused) as caught:
            members(tmp_path / "nothing.zip")
        assert code(caught) == "ARCHIVE_FILE"
