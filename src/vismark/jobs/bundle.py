"""`vismark download --bundle`: everything that a list of names needs, for a site without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

from vismark.jobs.download import Tell, each, fetch_all
from vismark.jobs.plan import Item, plan
from vismark.runtime.atomic import write_bytes
from vismark.runtime.mirrors import RECORD, Record
from vismark.runtime.pins import Pin
from vismark.runtime.progress import Bar
from vismark.runtime.space import need_room


def bundle(
    names: Sequence[str],
    folder: str | Path,
    *,
    images: bool = False,
    split: str | None = None,
    tell: Tell = lambda line: None,
) -> list[Item]:
    """Fetch everything that `names` need into a folder, as it is released.

    Take the folder to the site and use ``vismark download NAME… --mirror FOLDER`` there. Beside the files lie
    ``bundle.json`` (sizes and digests, which are compared there) and ``requirements.txt``: the wheels that vismark
    needs, in the versions of this machine, for ``pip download -r requirements.txt``.

    Raises:
        Refused, Missing, Usage: as `download`.
    """
    target = Path(folder)
    wanted = plan(names, root=target, images=images, split=split, packed=True)
    need_room(target, wanted.bytes)
    pins: dict[str, Pin] = {}

    def bring(item: Item, bar: Bar) -> None:
        for path, pin in fetch_all(item.file, target / item.file.path, None, tell, bar).items():
            pins[path.relative_to(target).as_posix()] = pin

    each(wanted.items, bring, sum(item.bytes or 0 for item in wanted.items))
    record = Record(names=list(names), images=images, split=split, files=dict(sorted(pins.items())))
    write_bytes(target / RECORD, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    write_bytes(target / "requirements.txt", "".join(f"{line}\n" for line in wheels()).encode())
    return wanted.items


def wheels() -> list[str]:
    """What vismark needs of what is installed here, directly and indirectly, as ``name==version``; not itself."""
    left, found = ["vismark"], {}
    while left:
        name = left.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # of an extra that is not in use
            continue
        if key not in found:
            found[key] = f"{key}=={installed.version}"
            left += [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in installed.requires or ()]
    del found["vismark"]
    return sorted(found.values())
