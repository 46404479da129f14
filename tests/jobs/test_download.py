"""Downloads: what is needed and no more, laid out as detectron2 expects, through kills, mirrors and bundles."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, distributions
from pathlib import Path

import msgspec
import pytest
from loopback import Server, listing, serving
from packaging.requirements import Requirement

from vismark import registry
from vismark.cards import BaselineCard, BenchmarkCard, DatasetCard, Derived, File, InstrumentCard, Split, Variant
from vismark.jobs.bundle import bundle, wheels
from vismark.jobs.derive import derive, sources_of
from vismark.jobs.download import download
from vismark.jobs.plan import plan
from vismark.problems import Missing, Problems, Refused, Usage
from vismark.runtime.digests import digest_of

CONTENT = {"val2017": 12, "train2017": 30}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def panoptic_zip() -> bytes:
    """Like COCO's: two JSONs, two inner zips of PNGs, and the junk that macOS leaves."""
    outer: dict[str, bytes] = {"__MACOSX/annotations/._x": b"junk"}
    for split, count in CONTENT.items():
        pngs = {f"panoptic_{split}/{n:012}.png": random.Random(n).randbytes(5000) for n in range(count)}
        outer[f"annotations/panoptic_{split}.json"] = b'{"annotations": []}'
        outer[f"annotations/panoptic_{split}.zip"] = zipped(pngs | {"__MACOSX/._panoptic": b"junk"})
    return zipped(outer)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small COCO, and a card that describes it with true sizes and digests."""
    folder = tmp_path / "mirror"
    (folder / "coco").mkdir(parents=True)
    parts = {
        "coco/panoptic_annotations_trainval2017.zip": panoptic_zip(),
        "coco/val2017.zip": zipped({f"val2017/{n:012}.jpg": b"jpeg" * 50 for n in range(12)}),
    }
    files = []
    for path, data in parts.items():
        (folder / path).write_bytes(data)
        real = next(file for file in registry.card("datasets", "coco").files if file.path == path)
        files.append(
            msgspec.structs.replace(real, url=f"http://127.0.0.1:9/{path}", bytes=len(data), digest=digest_of(data))
        )
    files.append(File(path="coco/readme.txt", url="http://127.0.0.1:9/r", provides={"val2017": ("coco/readme.txt",)}))
    (folder / "coco/readme.txt").write_text("no digest is stated for this file")
    card = msgspec.structs.replace(registry.card("datasets", "coco"), files=tuple(files))
    cards = registry.cards("datasets") | {"coco": card}
    monkeypatch.setattr(
        registry, "cards", lambda kind, real=registry.cards: cards if kind == "datasets" else real(kind)
    )
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_a_benchmark_brings_only_what_scoring_needs(tmp_path: Path, mirror: Path) -> None:
    before = plan(["coco-panoptic"], root=tmp_path / "data")
    assert [item.file.path for item in before.left] == ["coco/panoptic_annotations_trainval2017.zip"]
    after = download(["coco-panoptic"], root=tmp_path / "data", mirror=mirror)
    assert after.left == []
    names = set(tree(tmp_path / "data"))
    assert names == {"coco/annotations/panoptic_val2017.json"} | {
        f"coco/panoptic_val2017/{n:012}.png" for n in range(12)
    }

    with_images = plan(["coco-panoptic"], root=tmp_path / "data", images=True)
    assert [item.file.path for item in with_images.left] == ["coco/val2017.zip"]
    download(["coco-panoptic"], root=tmp_path / "data", images=True, mirror=mirror)
    assert (tmp_path / "data/coco/val2017/000000000011.jpg").is_file()


def test_an_archive_for_a_folder_of_its_own_is_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like COCONut's: the entries do not name the folder that is needed; an empty folder is not what was needed."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "val.zip").write_bytes(zipped({"a.png": b"1", "deep/b.png": b"2"}))
    (tmp_path / "data" / "val").mkdir(parents=True)
    file = File(path="val.zip", url="http://127.0.0.1:9/val", unpack="val", provides={"v": ("val",)})
    card = DatasetCard(name="tiny", title="", code="a:b", files=(file,), splits={"v": Split()})
    monkeypatch.setattr(registry, "cards", lambda kind: {"tiny": card} if kind == "datasets" else {})
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    assert download(["tiny"], root=tmp_path / "data", mirror=tmp_path / "mirror").left == []
    assert set(tree(tmp_path / "data")) == {"val/a.png", "val/deep/b.png"}


def test_a_data_set_brings_all_splits_or_one(tmp_path: Path, mirror: Path) -> None:
    download(["coco"], root=tmp_path / "one", split="train2017", mirror=mirror)
    assert {Path(name).parts[1] for name in tree(tmp_path / "one")} == {"annotations", "panoptic_train2017"}
    said: list[str] = []
    download(["coco"], root=tmp_path / "all", mirror=mirror, tell=said.append)
    assert len(tree(tmp_path / "all")) == 12 + 30 + 2 + 1
    assert any("readme.txt: its source states no digest; pinned sha256:" in line for line in said)


def test_a_tree_that_is_laid_out_already_is_used_in_place(tmp_path: Path, mirror: Path) -> None:
    for name in ("coco/annotations/panoptic_val2017.json", "coco/panoptic_val2017/1.png"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text("{}")
    before = tree(tmp_path / "mine")
    (tmp_path / "mine").chmod(0o555)
    assert download(["coco-panoptic"], root=tmp_path / "mine").left == []
    assert tree(tmp_path / "mine") == before
    (tmp_path / "mine").chmod(0o755)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in the place of the sources: every file of the card is asked from it."""
    data = panoptic_zip()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(data) as server:
        file = File(
            path="coco/panoptic_annotations_trainval2017.zip",
            url=server.url,
            unpack="coco",
            provides={"val2017": ("coco/annotations/panoptic_val2017.json", "coco/panoptic_val2017")},
        )
        card = msgspec.structs.replace(registry.card("datasets", "coco"), files=(file,))
        known = {kind: registry.cards(kind) for kind in registry.KINDS}
        known["datasets"] = known["datasets"] | {"coco": card}
        monkeypatch.setattr(registry, "cards", lambda kind: known[kind])
        yield server


def test_an_air_gapped_site_gets_a_bundle(tmp_path: Path, source: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = tmp_path / "kit"
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    assert plan(["coco-panoptic"], root=kit, packed=True).left
    bundle(["coco-panoptic"], kit)
    assert not plan(["coco-panoptic"], root=kit, packed=True).left
    record = json.loads((kit / "bundle.json").read_text())
    assert list(record["files"]) == ["coco/panoptic_annotations_trainval2017.zip"]
    for name, known in record["files"].items():
        assert digest_of((kit / name).read_bytes()) == known["digest"]
    assert "numpy==" in (kit / "requirements.txt").read_text()
    asked = len(source.requests)
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "other-cache"))
    said: list[str] = []
    assert download(["coco-panoptic"], root=tmp_path / "site", mirror=kit, tell=said.append).left == []
    assert len(source.requests) == asked, "the source was asked at a site without a network"
    assert not any("pinned" in line for line in said), "the bundle's digests are the first use"


def test_a_bundle_that_was_damaged_on_its_way_is_refused(
    tmp_path: Path, source: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = tmp_path / "kit"
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    bundle(["coco-panoptic"], kit)
    archive = kit / "coco" / "panoptic_annotations_trainval2017.zip"
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "other-cache"))
    with pytest.raises(Refused) as caught:
        download(["coco-panoptic"], root=tmp_path / "site", mirror=kit)
    assert [problem.code for problem in caught.value.problems] == ["FETCH_DIGEST"]
    (kit / "bundle.json").write_text("{")
    with pytest.raises(Refused, match=r"MIRROR_RECORD bundle\.json"):
        download(["coco-panoptic"], root=tmp_path / "site", mirror=kit)


def test_the_list_of_wheels_is_what_vismark_needs() -> None:
    """Against pip's own resolution, as far as it is installed: each requirement of each member is a member."""
    listed = {line.partition("==")[0] for line in wheels()}
    assert {"numpy", "pillow", "httpx", "anyio", "typer", "click"} & {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower() for one in distributions()
    } <= listed
    assert "vismark" not in listed
    for name in listed:
        for requirement in distribution(name).requires or ():
            known = Requirement(requirement)
            if known.marker is None:
                assert re.sub(r"[-_.]+", "-", known.name).lower() in listed


class TestHubFolders:
    """A pattern of the hub at a site without a network: the bundle tells its files, the hub is never asked."""

    @pytest.fixture(autouse=True)
    def _card(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = File(path="t/hub", url="hf://datasets/owner/name@main/data/*.parquet", provides={"v": ("t/hub",)})
        card = DatasetCard(name="tiny", title="", code="a:b", files=(file,), splits={"v": Split()})
        monkeypatch.setattr(registry, "cards", lambda kind: {"tiny": card} if kind == "datasets" else {})
        monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

        def never(*_: object, **__: object) -> None:
            raise AssertionError("the hub was asked")

        monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", never)
        for name in ("0.parquet", "1.parquet", "other.txt"):
            (tmp_path / "kit" / "t" / "hub" / "data").mkdir(parents=True, exist_ok=True)
            (tmp_path / "kit" / "t" / "hub" / "data" / name).write_text(name)

    def test_from_a_folder(self, tmp_path: Path) -> None:
        assert download(["tiny"], root=tmp_path / "site", mirror=tmp_path / "kit").left == []
        assert set(tree(tmp_path / "site")) == {"t/hub/data/0.parquet", "t/hub/data/1.parquet"}

    def test_from_an_address_with_a_record(self, tmp_path: Path) -> None:
        record = {"files": {"t/hub/data/0.parquet": {"bytes": 9, "digest": digest_of(b"0.parquet")}}}
        content = {"/bundle.json": json.dumps(record).encode(), "/t/hub/data/0.parquet": b"0.parquet"}
        with serving(b"", listing(content)) as server:
            address = server.url.rpartition("/")[0]
            assert download(["tiny"], root=tmp_path / "site", mirror=address).left == []
        assert set(tree(tmp_path / "site")) == {"t/hub/data/0.parquet"}

    def test_an_address_without_a_record_cannot_tell(self, tmp_path: Path) -> None:
        with serving(b"", listing({})) as server, pytest.raises(Refused, match="no file that fits"):
            download(["tiny"], root=tmp_path / "site", mirror=server.url.rpartition("/")[0])


def test_weights_of_instruments_and_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def file(name: str) -> File:
        return File(path=f"weights/{name}", url=f"http://127.0.0.1:9/{name}", digest=digest_of(name.encode()))

    instrument = InstrumentCard(name="eye", title="", code="a:b", role="detector", files=(file("eye.pth"),))
    variants = tuple(Variant(name=f"big-{n}", files=(file(f"{n}.safetensors"),)) for n in "ab")
    baseline = BaselineCard(name="big", title="", code="a:b", variants=variants)
    known = {"instruments": {"eye": instrument}, "baselines": {"big": baseline}}
    monkeypatch.setattr(registry, "cards", lambda kind: known.get(kind, {}))
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mirror" / "weights").mkdir(parents=True)
    for name in ("eye.pth", "a.safetensors", "b.safetensors"):
        (tmp_path / "mirror" / "weights" / name).write_text(name)
    download(["eye", "big-a"], root=tmp_path / "data", mirror=tmp_path / "mirror")
    assert set(tree(tmp_path / "data")) == {"weights/eye.pth", "weights/a.safetensors"}
    assert [item.file.path for item in plan(["big"], root=tmp_path / "data").left] == ["weights/b.safetensors"]


def test_all_failures_are_listed_and_the_rest_is_kept(tmp_path: Path, mirror: Path) -> None:
    (mirror / "coco/val2017.zip").write_bytes(b"PK wrong")
    (mirror / "coco/readme.txt").unlink()
    with pytest.raises(Refused) as refused:
        download(["coco"], root=tmp_path / "data", images=True, mirror=mirror)
    assert {problem.file.split("/")[-1] for problem in refused.value.problems} == {"val2017.zip", "readme.txt"}
    assert (tmp_path / "data/coco/panoptic_val2017/000000000000.png").is_file()
    assert not (tmp_path / "data/coco/val2017").exists()
    left = {item.file.path for item in plan(["coco"], root=tmp_path / "data", images=True).left}
    assert left == {"coco/val2017.zip", "coco/readme.txt"}


def test_an_archive_that_lacks_what_the_card_says_is_refused(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped({"val2018/1.jpg": b"x"})
    (mirror / "coco/val2017.zip").write_bytes(data)
    file = File(
        path="coco/val2017.zip",
        url="http://127.0.0.1:9/x",
        bytes=len(data),
        digest=digest_of(data),
        unpack="coco",
        provides={"val2017": ("coco/val2017",)},
    )
    card = DatasetCard(name="coco", title="", code="a:b", files=(file,), splits={"val2017": Split()})
    monkeypatch.setattr(registry, "cards", lambda kind: {"coco": card} if kind == "datasets" else {})
    with pytest.raises(Refused, match="does not hold coco/val2017"):
        download(["coco"], root=tmp_path / "data", mirror=mirror)


CHILD = """
import sys, msgspec
from vismark import registry
from vismark.cards import DatasetCard
card = msgspec.json.decode(open({card!r}, "rb").read(), type=DatasetCard)
real = registry.cards
registry.cards = lambda kind: real(kind) | {{"coco": card}} if kind == "datasets" else real(kind)
from vismark.jobs.download import download
download(["coco"], root={root!r}, images=True, mirror={mirror!r})
"""


def test_killed_at_ten_random_points_it_ends_byte_identical(tmp_path: Path, mirror: Path) -> None:
    download(["coco"], root=tmp_path / "whole", images=True, mirror=mirror)
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(registry.card("datasets", "coco")))
    code = CHILD.format(card=str(tmp_path / "card.json"), root=str(tmp_path / "killed"), mirror=str(mirror))
    environment = os.environ | {"VISMARK_CACHE": str(tmp_path / "cache-killed")}
    chance = random.Random(os.urandom(8))
    for _ in range(10):
        child = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
        try:
            assert child.wait(timeout=chance.uniform(0.15, 0.6)) == 0
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def shout(source: Path, target: Path) -> Problems:
    """A derivation for the test: upper case, with its folder."""
    target.with_suffix("").mkdir(exist_ok=True)
    target.write_text(source.read_text().upper())
    return Problems()


def test_what_is_derived_is_made_after_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "raw.txt").write_text("abc")
    steps = [("raw.txt", "made.txt"), ("made.txt", "again.txt"), ("raw.txt", "other.txt")]
    card = DatasetCard(
        name="tiny",
        title="",
        code="a:b",
        files=(File(path="raw.txt", url="http://127.0.0.1:9/raw", provides={"val": ("raw.txt",)}),),
        derived=tuple(Derived(source=a, target=b, code="unused:x", split="val") for a, b in steps),
        splits={"val": Split()},
    )
    bench = BenchmarkCard(
        name="tiny-bench", title="", code="a:b", version=1, dataset="tiny", split="val", task="", metrics=(), headline=(),  # noqa: E501
        references={"again": "again.txt", "folder": "again"},
    )  # fmt: skip
    known = {"datasets": {"tiny": card}, "benchmarks": {"tiny-bench": bench}}
    monkeypatch.setattr(registry, "cards", lambda kind: known.get(kind, {}))
    monkeypatch.setattr(registry, "load", lambda code: shout)
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    assert plan(["tiny-bench"], root=tmp_path / "data").made == ["again.txt"]
    after = download(["tiny-bench"], root=tmp_path / "data", mirror=tmp_path / "mirror")
    assert (after.left, after.made) == ([], [])
    assert (tmp_path / "data" / "again.txt").read_text() == "ABC"
    assert not (tmp_path / "data" / "other.txt").exists()
    (tmp_path / "data" / "again.txt").unlink()
    again = plan(["tiny-bench"], root=tmp_path / "data")
    assert (again.left, again.made) == ([], ["again.txt"]), "a kill may come between fetching and making"
    assert download(["tiny-bench"], root=tmp_path / "data").made == []
    (tmp_path / "data" / "raw.txt").unlink()
    assert plan(["tiny-bench"], root=tmp_path / "data").left == [], "what is derived already needs no source"
    with pytest.raises(Missing, match="vismark download tiny"):
        derive("tiny", tmp_path / "data", split="val")


def test_wrong_names_are_explained(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="did you mean"):
        plan(["coco-panopic"], root=tmp_path)
    with pytest.raises(Usage, match="no split 'val2018'"):
        plan(["coco"], root=tmp_path, split="val2018")
    with pytest.raises(Usage, match="uses the split val2017"):
        plan(["coco-panoptic"], root=tmp_path, split="train2017")
    with pytest.raises(Missing, match="VISMARK_DATA"):
        plan(["coco"])
    assert "nothing to download" in plan(["shapes"]).notes[0]


def test_hub_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    from vismark.runtime.hub import expand

    names = ["README.md", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, *a, **k: names)
    base = "hf://datasets/xdeng77/coconut_s@main/"
    assert expand(base + "data/*.parquet") == [(base + name, name) for name in names[1:]]
    assert expand(base + "README.md") == [(base + "README.md", "")]
    with pytest.raises(Refused, match="no file fits"):
        expand(base + "*.tar")


@pytest.mark.parametrize("name", ["coco", "coconut"])
def test_cards_are_sound(name: str) -> None:
    card = registry.card("datasets", name)
    paths = [file.path for file in card.files]
    assert len(paths) == len(set(paths))
    for file in card.files:
        assert file.url.startswith(("http://", "https://", "hf://"))
        assert file.provides.keys() <= card.splits.keys()
        assert file.digest is None or (file.digest.startswith("sha256:") and len(file.digest) == 71 and file.bytes)
        assert all(
            not Path(path).is_absolute() and ".." not in Path(path).parts for path in (file.path, file.unpack or "")
        )
    for bench in registry.cards("benchmarks").values():
        if bench.dataset == name:  # type: ignore[attr-defined]
            for path in bench.references.values():  # type: ignore[attr-defined]
                known = provided(card) | provided(registry.card("datasets", "coco"))
                # Statistics of pictures are made here, and no data set brings them: the plan says so.
                homemade = f"{bench.name}: {path} has no download" in " ".join(plan([bench.name], root="nowhere").notes)
                assert homemade == path.endswith(".npz")
                assert homemade or sources_of(path, card, Path("nowhere")) <= known


def provided(card: DatasetCard) -> set[str]:
    return {path for file in card.files for paths in file.provides.values() for path in paths}
