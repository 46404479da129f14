"""What a download will do, before it does anything: which files, which of them are here, how large the rest is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from vismark import registry
from vismark.cards import BaselineCard, BenchmarkCard, Card, DatasetCard, File, InstrumentCard, Variant
from vismark.jobs.derive import sources_of
from vismark.problems import Usage
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root, data_root
from vismark.runtime.mirrors import Mirror
from vismark.runtime.pins import Pin

State = Literal["here", "to fetch"]


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
    """What a download will do, before it does anything; `made` are the files it will derive from those that it has."""

    root: str
    items: list[Item]
    notes: list[str] = []
    made: list[str] = []

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
    packed: bool = False,
) -> Plan:
    """What everything in `names` needs, and what of it is here.

    A benchmark needs its references, a data set all its annotations, an instrument or a baseline (or one of its
    variants) its weights; images only where they are asked for.

    Args:
        packed: `root` is a bundle: archives lie in it as they are released.

    Raises:
        Usage: a name or the split is unknown.
        Missing: no data root is known.
    """
    items: dict[str, Item] = {}
    notes: list[str] = []
    cards = {name: find(name) for name in names}
    rootless = all(generated(card) for card in cards.values())
    folder = Path() if rootless else data_root(Path(root) if root is not None else None)
    bundled = Mirror(folder).files if packed else {}
    made: list[str] = []
    for name, card in cards.items():
        notes += [f"{name}: never released: {text}" for text in getattr(card, "never_released", ())]
        if generated(card):
            notes.append(f"{name}: drawn from a seed on first use; nothing to download")
            continue
        found = _wanted(card, folder, images, split)
        made += [] if packed else _to_make(card, folder)
        notes += [f"{name}: {path} has no download: make it or put it there" for path in _homemade(card, folder)]
        if not found:
            notes.append(f"{name}: nothing to download")
        for file, needed in found:
            before = items[file.path].needed if file.path in items else ()
            everything = tuple(dict.fromkeys((*before, *needed)))
            here = _is_bundled(file, bundled, folder) if packed else is_here(folder, file, everything)
            items[file.path] = Item(name, file, everything, file.bytes, "here" if here else "to fetch")
    return Plan(str(folder), list(items.values()), notes, list(dict.fromkeys(made)))


def find(name: str) -> Card | Variant:
    """The card called `name`, whatever its kind, or the variant of a baseline.

    Raises:
        Usage: nothing is called so.
    """
    for baseline in registry.cards("baselines").values():
        for variant in baseline.variants if isinstance(baseline, BaselineCard) else ():
            if variant.name == name:
                return variant
    card: Card = registry.find(name)[1]
    return card


def generated(card: Card | Variant) -> bool:
    """Whether a data set, or that of a benchmark, is made here and needs no download."""
    return (isinstance(card, DatasetCard) and not card.files) or (
        isinstance(card, BenchmarkCard) and bool(card.generator)
    )


def datasets(card: BenchmarkCard) -> list[DatasetCard]:
    """The data set of a benchmark and those that complete it."""
    own: DatasetCard = registry.card("datasets", card.dataset)
    return [own, *(registry.card("datasets", name) for name in own.joined)]


def unfinished(root: Path, file: File) -> Path:
    """Exists while a file is being brought: what lies in the root may then be a part."""
    return cache_root() / "unfinished" / digest_of([str(root.resolve()), file.path]).removeprefix("sha256:")[:32]


def is_here(root: Path, file: File, needed: Iterable[str]) -> bool:
    """Whether what is needed is there: laid out by us to the end, or by somebody else."""
    return not unfinished(root, file).exists() and all(holds(root / path) for path in needed)


def holds(path: Path) -> bool:
    """Whether a file is there, or a folder with something in it."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _is_bundled(file: File, bundled: Mapping[str, Pin], root: Path) -> bool:
    """Whether a bundle's record names a file, or files of a folder, and they are there."""
    own = [path for path in bundled if path == file.path or path.startswith(f"{file.path}/")]
    return bool(own) and all((root / path).is_file() for path in own)


def _wanted(card: Card | Variant, root: Path, images: bool, split: str | None) -> list[tuple[File, tuple[str, ...]]]:
    """The files of a card, each with what must be there below the root once it is brought."""
    if isinstance(card, BenchmarkCard):
        return _of_benchmark(card, root, images, split)
    if isinstance(card, DatasetCard):
        return _of_dataset(card, images, split)
    if isinstance(card, BaselineCard):
        files = [file for variant in card.variants for file in variant.files]
    else:
        files = list(card.files) if isinstance(card, InstrumentCard | Variant) else []
    return [(file, tuple(path for paths in file.provides.values() for path in paths) or (file.path,)) for file in files]


def _of_benchmark(
    card: BenchmarkCard, root: Path, images: bool, split: str | None
) -> list[tuple[File, tuple[str, ...]]]:
    """The files that provide the references of a benchmark."""
    if split is not None and split != card.split:
        raise Usage(f"{card.name} uses the split {card.split}; --split {split} is another.")
    wanted = [path for name, path in card.references.items() if path and (images or name != "images")]
    found = []
    for dataset in datasets(card):
        needed = {source for path in wanted for source in sources_of(path, dataset, root)}
        for file in dataset.files:
            own = tuple(path for paths in file.provides.values() for path in paths if path in needed)
            if own:
                found.append((file, tuple(dict.fromkeys(own))))
    return found


def _to_make(card: Card | Variant, root: Path) -> list[str]:
    """References of a benchmark that are derived from what is downloaded, and are not here."""
    if not isinstance(card, BenchmarkCard):
        return []
    steps = [step for one in datasets(card) for step in one.derived]
    wanted = [step.target for step in steps if any(step.makes(path) for path in card.references.values())]
    return [target for target in wanted if not (root / target).exists()]


def _homemade(card: Card | Variant, root: Path) -> list[str]:
    """References of a benchmark that are not here and come with no data set: statistics of pictures, for instance."""
    if not isinstance(card, BenchmarkCard):
        return []
    known = datasets(card)
    provided = {path for one in known for file in one.files for paths in file.provides.values() for path in paths}
    return [
        path
        for path in card.references.values()
        if path and not (root / path).exists() and not any(sources_of(path, one, root) & provided for one in known)
    ]


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
