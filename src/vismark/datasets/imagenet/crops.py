"""The validation images as tokenizers are measured on: the central 256 × 256 pixels, as PNG.

1d-tokenizer resizes the shorter side by bicubic, MaskBit by bilinear; the two give different references.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats.crops import shorter_bicubic, shorter_bilinear
from vismark.formats.image_files import ImageFault, encode
from vismark.formats.image_sets import flat, open_set
from vismark.problems import Problems, Refused
from vismark.runtime.atomic import write_bytes
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

SIZE = 256
_CHUNK = 32


def bicubic(source: Path, target: Path) -> Problems:
    """The crops of 1d-tokenizer of all images in `source`; see `_crop_all`."""
    return _crop_all(source, target, shorter_bicubic)


def bilinear(source: Path, target: Path) -> Problems:
    """The crops of MaskBit's tokenizers of all images in `source`; see `_crop_all`."""
    return _crop_all(source, target, shorter_bilinear)


def _crop_all(source: Path, target: Path, crop: Callable[[Any, int], Any]) -> Problems:
    """Write the list `target` and the folder named like it, one PNG an image; what is there is not made again."""
    problems, folder = Problems(), target.with_suffix("")
    try:
        images = flat(open_set(source, links=True))
    except Refused as refused:
        return refused.problems

    def work(ids: Sequence[str]) -> Problems:
        own = Problems()
        for id in ids:
            file = folder / f"{id}.png"
            try:
                if not file.is_file():
                    write_bytes(file, encode(crop(images.pixels(id), SIZE)))
            except ImageFault as fault:
                own.add(f"REF_IMAGE_{fault.fault}", str(fault), file=images.place(id), item=id, fix=fault.fix)
        return own

    with Bar(f"cropping {source.name}", len(images.ids)) as bar:
        for own in map_chunks(work, chunks(images.ids, _CHUNK), jobs=default_jobs()):
            problems.extend(own)
            bar.advance(_CHUNK)
    if not problems.errors:
        write_bytes(target, msgspec.json.encode({"size": SIZE, "images": images.ids}))
    return problems
