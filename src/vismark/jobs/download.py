"""`vismark download`: the right bytes, in the right place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from threading import Lock

from vismark.cards import BenchmarkCard, File
from vismark.jobs.derive import derive
from vismark.jobs.plan import Item, Plan, datasets, find, generated, holds, plan, unfinished
from vismark.problems import Missing, Problems, Refused, refuse
from vismark.runtime.atomic import write_bytes
from vismark.runtime.mirrors import Mirror
from vismark.runtime.pins import Pin, pin
from vismark.runtime.progress import Bar
from vismark.runtime.space import need_room

# Files fetched at once: servers of data sets allow few connections.
_AT_ONCE = 4

# What an archive unpacks to, in packed bytes; masks and photographs are compressed already.
_GROWTH = 1.3

Tell = Callable[[str], None]


def download(
    names: Sequence[str],
    *,
    root: str | Path | None = None,
    images: bool = False,
    split: str | None = None,
    mirror: str | Path | None = None,
    tell: Tell = lambda line: None,
) -> Plan:
    """Fetch, verify and unpack what `plan` names; what is here already is left alone.

    Args:
        names: data sets, benchmarks, instruments, baselines or their variants.
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
    need_room(folder, int(wanted.bytes * (1 + _GROWTH)))
    source = Mirror(mirror) if mirror is not None else None
    each(wanted.left, lambda item, bar: _bring(item, folder, source, tell, bar), wanted.bytes)
    for name in names:
        card = find(name)
        if isinstance(card, BenchmarkCard) and not generated(card):
            for dataset in datasets(card):
                derive(dataset.name, folder, only=list(card.references.values()), tell=tell)
    return plan(names, root=root, images=images, split=split)


def each(items: Sequence[Item], work: Callable[[Item, Bar], None], total: int) -> None:
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


def _bring(item: Item, root: Path, mirror: Mirror | None, tell: Tell, bar: Bar) -> None:
    """Fetch one file and unpack it."""
    from vismark.runtime.archives import OFFICIAL, unpack

    marker = unfinished(root, item.file)
    write_bytes(marker, item.file.path.encode())
    archive = root / item.file.path
    tell(f"{item.file.path}: fetching")
    fetched = fetch_all(item.file, archive, mirror, tell, bar)
    if item.file.unpack is not None:
        tell(f"{item.file.path}: unpacking")
        unpack(archive, root / item.file.unpack, OFFICIAL, wanted=_part_of(item), nested=True)
        for path in fetched:
            path.unlink()
    absent = [path for path in item.needed if not holds(root / path)]
    if absent:
        message = f"was fetched, but does not hold {', '.join(absent)}"
        fix = "The source changed; report it to vismark."
        raise refuse("DOWNLOAD_CONTENT", message, file=item.file.path, fix=fix)
    marker.unlink()


def _part_of(item: Item) -> Callable[[str], bool] | None:
    """Whether an entry of an archive (or of one inside it) belongs to what is needed: COCO's hold both splits.

    None, for all of it, where the folder that it is unpacked into is what is needed.
    """
    if item.file.unpack in item.needed:
        return None
    stems = {PurePosixPath(path).stem for path in item.needed}
    return lambda name: any(PurePosixPath(part).stem in stems for part in PurePosixPath(name).parts)


def fetch_all(file: File, target: Path, mirror: Mirror | None, tell: Tell, bar: Bar) -> dict[Path, Pin]:
    """Bring a file, or all files of a hub pattern, several at once; size and digest of each by its path."""
    from vismark.runtime.hub import expand

    if not file.url.startswith("hf://"):
        return dict([_fetch_one(file, (file.url, ""), target, mirror, tell, bar)])
    addresses = expand(file.url, mirror.below(file.path) if mirror else None)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(pool.map(lambda one: _fetch_one(file, one, target, mirror, tell, bar), addresses))


def _fetch_one(
    file: File, address: tuple[str, str], target: Path, mirror: Mirror | None, tell: Tell, bar: Bar
) -> tuple[Path, Pin]:
    """Bring the file at an address, which comes with its path in the repository of a pattern, else ""."""
    from vismark.runtime.fetch import fetch, fetch_hub

    (url, name), told, lock = address, 0, Lock()

    def progress(done: int, total: int | None) -> None:
        nonlocal told
        with lock:
            bar.advance(max(0, done - told))
            told = max(told, done)

    place, path = (target / name, f"{file.path}/{name}") if name else (target, file.path)
    known = mirror.files.get(path) if mirror and file.digest is None else None
    if known is not None:
        # What the bundle says of its files counts as their first use; an earlier one here is held to.
        pin(url, known)
    where = mirror.where if mirror else None
    if url.startswith("hf://"):
        got = fetch_hub(url, place, bytes=file.bytes, digest=file.digest, mirror=where, name=path)
        progress(got.bytes, None)
    else:
        got = fetch(url, place, bytes=file.bytes, digest=file.digest, mirror=where, name=path, progress=progress)
    if got.pinned:
        tell(f"{path}: its source states no digest; pinned {got.digest}, {got.bytes:,} bytes, on this first use")
    return got.path, Pin(got.bytes, got.digest)
