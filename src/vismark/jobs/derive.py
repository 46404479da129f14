"""`vismark prepare`: files that are made from downloaded ones, such as COCO panoptic files from COCONut's tables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from vismark import registry
from vismark.cards import DatasetCard, Derived
from vismark.problems import Missing, Problems, Usage
from vismark.runtime.folders import data_root


def derive(
    dataset: str,
    root: str | Path | None = None,
    *,
    split: str | None = None,
    only: Collection[str] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Problems:
    """Make the derived files of a data set that are not there yet, each from its source; a killed run goes on.

    Args:
        root: the data root; by default VISMARK_DATA, else DETECTRON2_DATASETS.
        split: only those of this split.
        only: only what is needed for these paths below the root.
        tell: is called with one line a file.

    Returns:
        What was noticed in the sources.

    Raises:
        Missing: sources of what was asked for are not there (without `split` and `only`: of everything); the message
            says how to get them.
        Usage: there is no such data set or split, or nothing is derived in it.
    """
    card: DatasetCard = registry.card("datasets", dataset)
    if split is not None and split not in card.splits:
        raise Usage(f"{dataset} has no split {split!r}; it has {', '.join(card.splits)}.")
    if not card.derived and only is None:
        raise Usage(f"Nothing of {dataset} is derived: it is used as it is downloaded.")
    folder = data_root(Path(root) if root is not None else None)
    problems = Problems()
    steps, missing = _steps(card, split, only), []
    for step in steps:
        sources, target = [folder / source for source in step.sources], folder / step.target
        if target.exists():
            continue
        absent = [name for name, source in zip(step.sources, sources, strict=True) if not source.exists()]
        if absent:
            missing.append(f"{step.target} is made from {' and '.join(absent)}, which is not there")
            tell(f"{missing[-1]}; left out")
            continue
        tell(f"{step.target}: making it from {' and '.join(step.sources)}")
        problems.extend(registry.load(step.code)(*sources, target))
    if missing and (split is not None or only is not None or len(missing) == len(steps)):
        # Of a whole data set people have what they need; what was asked for by name must be made.
        raise Missing("\n".join([*missing, f"`vismark download {dataset}` fetches what these are made from."]))
    return problems


def sources_of(path: str, card: DatasetCard, root: Path) -> set[str]:
    """What has to be downloaded so that `path` can be there: itself, or the first sources it is derived from."""
    step = next((step for step in card.derived if step.makes(path)), None)
    if step is None or (root / path).exists():
        return {path}
    return {first for source in step.sources for first in sources_of(source, card, root)}


def _steps(card: DatasetCard, split: str | None, only: Collection[str] | None) -> list[Derived]:
    """The derivations to make, in the order of the card, in which sources come first."""
    wanted = set(only) if only is not None else {s.target for s in card.derived if split in (None, s.split)}
    chosen = []
    for step in reversed(card.derived):
        if any(step.makes(path) for path in wanted):
            chosen.append(step)
            wanted.update(step.sources)
    return chosen[::-1]
