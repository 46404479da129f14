"""`vismark download`: the right bytes, in the right place, for data sets and for what benchmarks need of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Literal

import msgspec

from vismark import registry
from vismark.cards import BenchmarkCard, Card, DatasetCard, File
from vismark.jobs.derive import derive, sources_of
from vismark.problems import Missing, Problems, Refused, Usage
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root, data_root
from vismark.runtime.progress import Bar
from vismark.runtime.space import need_room

# Files fetched at once: servers of data sets allow few connections.
_AT_ONCE = 4

# What an archive unpacks to, in packed bytes; masks and photographs are compressed already.
_GROWTH = 1.3

State = Literal["here", "to fetch", "generated"]


class Item(msgspec.Struct, frozen=True):
    """One file of a plan.

    Attributes:
        needed: what must be there below the root.
        bytes: size of the download, None where the source does not state it.
        state: ``here`` already, or ``to fetch``.
    """

    name: str
    file: File
    needed: tuple[str, ...]
    bytes: int | None
    state: State


class Plan(msgspec.Struct, frozen=True):
    """What a download will do, before it does anything."""

    root: str
    items: list[Item]
    notes: list[str] = []

    @property
    def left(self) -> list[Item]:
        """The files that are to be fetched."""
        return [item for item in self.items if item.state == "to fetch"]

    @property
    def bytes(self) -> int:
        """Stated size of what is to be fetched; files of unknown size count nothing."""
        return sum(item.bytes or 0 for item in self.left)

    @property
    def unknown(self) -> int:
        """How many of the files to be fetched have no stated size."""
        return sum(item.bytes is None for item in self.left)


def plan(
    names: Sequence[str],
    *,
    root: str | Path | None = None,
    images: bool = False,
    split: str | None = None,
) -> Plan:
    """What the data sets and benchmarks in `names` need, and what of it is here.

    A benchmark needs its references; a data set all its annotations; images only where they are asked for.

    Raises:
        Usage: a name or the split is unknown.
        Missing: no data root is known.
    """
    items: dict[str, Item] = {}
    notes: list[str] = []
    needs_root = [name for name in names if not _generated(registry.find(name)[1])]
    folder = data_root(Path(root) if root is not None else None) if needs_root else Path()
    for name in names:
        kind, card = registry.find(name)
        notes += [f"{name}: never released: {text}" for text in card.never_released]
        if _generated(card):
            notes.append(f"{name}: drawn from a seed on first use; nothing to download")
            continue
        if kind == "benchmarks":
            found = _of_benchmark(card, folder, images, split)
        elif kind == "datasets":
            found = _of_dataset(card, images, split)
        else:
            raise Usage(f"{name} is one of the {kind}; `vismark download` takes data sets and benchmarks.")
        for file, needed in found:
            before = items[file.path].needed if file.path in items else ()
            everything = tuple(dict.fromkeys((*before, *needed)))
            items[file.path] = Item(name, file, everything, file.bytes, _state(folder, file, everything))
    return Plan(str(folder), list(items.values()), notes)


def download(
    names: Sequence[str],
    *,
    root: str | Path | None = None,
    images: bool = False,
    split: str | None = None,
    mirror: str | Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Fetch, verify and unpack what `plan` names; what is here already is left alone.

    Args:
        names: data sets or benchmarks.
        root: the data root; by default VISMARK_DATA, else DETECTRON2_DATASETS.
        images: fetch images too.
        split: only files of this split.
        mirror: a folder (for instance a bundle) or a base address that has the files below their paths.
        tell: is called with one line a file and with what must be said (pinned digests).

    Returns:
        The plan as it stands afterwards: everything is ``here``.

    Raises:
        Refused: files could not be had or were not the right ones; all of them are listed, the others are kept.
        Missing: no data root is known, or hub files while offline.
        Usage: a name or the split is unknown.
    """
    wanted = plan(names, root=root, images=images, split=split)
    folder = Path(wanted.root)
    for note in wanted.notes:
        tell(note)
    need_room(folder, int(wanted.bytes * (1 + _GROWTH)))
    _each(wanted.left, lambda item, bar: _bring(item, folder, mirror, tell, bar), wanted.bytes)
    for name in names:
        kind, card = registry.find(name)
        if kind == "benchmarks" and not _generated(card):
            for dataset in _datasets(card):
                derive(dataset.name, folder, only=list(card.references.values()), tell=tell)
    return plan(names, root=root, images=images, split=split)


def bundle(
    names: Sequence[str],
    folder: str | Path,
    *,
    images: bool = False,
    split: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Item]:
    """Fetch everything that `names` need into a folder, as it is released, for a site without a network.

    Take the folder there and use ``vismark download NAME… --mirror FOLDER``. Beside the files lie ``bundle.json``
    (names, digests, sizes) and ``requirements.txt`` (the installed packages, for ``pip download -r``).

    Raises:
        Refused, Missing, Usage: as `download`.
    """
    target = Path(folder)
    every = plan(names, root=target, images=images, split=split)
    for note in every.notes:
        tell(note)
    need_room(target, sum(item.bytes or 0 for item in every.items))
    digests: dict[str, dict[str, str | int]] = {}

    def bring(item: Item, bar: Bar) -> None:
        for path, size, digest in _fetch(item.file, target / item.file.path, None, tell, bar):
            digests[path.relative_to(target).as_posix()] = {"bytes": size, "digest": digest}

    _each(every.items, bring, sum(item.bytes or 0 for item in every.items))
    record = {"names": list(names), "images": images, "split": split, "files": dict(sorted(digests.items()))}
    write_bytes(target / "bundle.json", msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    write_bytes(target / "requirements.txt", "".join(f"{line}\n" for line in _installed()).encode())
    return every.items


def _generated(card: Card) -> bool:
    return (isinstance(card, DatasetCard) and not card.files) or (
        isinstance(card, BenchmarkCard) and bool(card.generator)
    )


def _of_benchmark(
    card: BenchmarkCard, root: Path, images: bool, split: str | None
) -> list[tuple[File, tuple[str, ...]]]:
    """The files that provide the references of a benchmark."""
    if split is not None and split != card.split:
        raise Usage(f"{card.name} uses the split {card.split}; --split {split} is another.")
    wanted = [path for name, path in card.references.items() if path and (images or name != "images")]
    found = []
    for dataset in _datasets(card):
        needed = {source for path in wanted for source in sources_of(path, dataset, root)}
        for file in dataset.files:
            own = tuple(path for paths in file.provides.values() for path in paths if path in needed)
            if own:
                found.append((file, tuple(dict.fromkeys(own))))
    return found


def _datasets(card: BenchmarkCard) -> list[DatasetCard]:
    """The data set of a benchmark and those that complete it."""
    own: DatasetCard = registry.card("datasets", card.dataset)
    return [own, *(registry.card("datasets", name) for name in own.joined)]


def _of_dataset(card: DatasetCard, images: bool, split: str | None) -> list[tuple[File, tuple[str, ...]]]:
    """The files of a data set, of one split or of all."""
    if split is not None and split not in card.splits:
        raise Usage(f"{card.name} has no split {split!r}; it has {', '.join(card.splits)}.")
    found = []
    for file in card.files:
        own = [path for name, paths in file.provides.items() for path in paths if split in (None, name)]
        if own and (images or file.part != "images"):
            found.append((file, tuple(dict.fromkeys(own))))
    return found


def _state(root: Path, file: File, needed: Sequence[str]) -> State:
    """Whether what is needed is there: laid out by us to the end, or by somebody else."""
    if _unfinished(root, file).exists():
        return "to fetch"
    return "here" if all((root / path).exists() for path in needed) else "to fetch"


def _unfinished(root: Path, file: File) -> Path:
    """Exists while a file is being brought: what lies in the root may then be a part."""
    return cache_root() / "unfinished" / digest_of([str(root.resolve()), file.path]).removeprefix("sha256:")[:32]


def _each(items: Sequence[Item], work: Callable[[Item, Bar], None], total: int) -> None:
    """Do the work of every item, several at once; failures are collected, the others are brought all the same."""
    problems, missing = Problems(), []
    with Bar("downloading", total or None) as bar, ThreadPoolExecutor(_AT_ONCE) as pool:
        for future in [pool.submit(work, item, bar) for item in items]:
            try:
                future.result()
            except Refused as refused:
                problems.extend(refused.problems)
            except Missing as error:
                missing.append(str(error))
    if problems.errors:
        raise Refused(problems)
    if missing:
        raise Missing("\n".join(dict.fromkeys(missing)))


def _bring(item: Item, root: Path, mirror: str | Path | None, tell: Callable[[str], None], bar: Bar) -> None:
    """Fetch one file and unpack it."""
    from vismark.runtime.archives import OFFICIAL, unpack

    marker = _unfinished(root, item.file)
    write_bytes(marker, item.file.path.encode())
    archive = root / item.file.path
    tell(f"{item.file.path}: fetching")
    fetched = _fetch(item.file, archive, mirror, tell, bar)
    if item.file.unpack is not None:
        tell(f"{item.file.path}: unpacking")
        unpack(archive, root / item.file.unpack, OFFICIAL, wanted=_part_of(item.needed), nested=True)
        for path, _, _ in fetched:
            path.unlink()
    absent = [path for path in item.needed if not (root / path).exists()]
    if absent:
        problems = Problems()
        message = f"was fetched, but does not hold {', '.join(absent)}"
        problems.add("DOWNLOAD_CONTENT", message, file=item.file.path, fix="The source changed; report it to vismark.")
        raise Refused(problems)
    marker.unlink()


def _part_of(needed: Sequence[str]) -> Callable[[str], bool]:
    """Whether an entry of an archive (or of one inside it) belongs to what is needed: COCO's hold both splits."""
    stems = {PurePosixPath(path).stem for path in needed}
    return lambda name: any(PurePosixPath(part).stem in stems for part in PurePosixPath(name).parts)


def _fetch(
    file: File, target: Path, mirror: str | Path | None, tell: Callable[[str], None], bar: Bar
) -> list[tuple[Path, int, str]]:
    """Bring a file, or all files of a hub pattern; (path, bytes, digest) of each."""
    from vismark.runtime.fetch import fetch, fetch_hub
    from vismark.runtime.hub import expand

    told, lock = 0, Lock()

    def progress(done: int, total: int | None) -> None:
        nonlocal told
        with lock:
            bar.advance(max(0, done - told))
            told = max(told, done)

    brought = []
    for url, name in expand(file.url) if file.url.startswith("hf://") else [(file.url, "")]:
        place = target / name if name else target
        path = f"{file.path}/{name}" if name else file.path
        if url.startswith("hf://"):
            got = fetch_hub(url, place, bytes=file.bytes, digest=file.digest, mirror=mirror, name=path)
        else:
            got = fetch(url, place, bytes=file.bytes, digest=file.digest, mirror=mirror, name=path, progress=progress)
        if got.pinned:
            tell(f"{path}: its source states no digest; pinned {got.digest}, {got.bytes:,} bytes, on this first use")
        brought.append((got.path, got.bytes, got.digest))
    return brought


def _installed() -> list[str]:
    """Every installed package with its version, vismark itself left out."""
    from importlib.metadata import distributions

    found = {f"{one.metadata['Name']}=={one.version}" for one in distributions() if one.metadata["Name"] != "vismark"}
    return sorted(found, key=str.lower)
